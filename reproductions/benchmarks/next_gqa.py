"""NExT-GQA: five-way questions whose answer must be shown by its moment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reproductions.benchmarks._base import Benchmark, Split
from reproductions.benchmarks._choice import mcq
from reproductions.benchmarks._spans import GROUNDED, spans_text, which_and_when
from reproductions.shared.method import Sample


def _sample(record: Mapping[str, Any]) -> Sample:
    video, qid = str(record["video_id"]), str(record["qid"])
    gold = record["_extra"].get(video, {})
    spans = gold.get("location", {}).get(qid, [])
    return mcq(
        f"{video}_{qid}", record["question"], [record[f"a{i}"] for i in range(5)],
        text=record["answer"], video=video, task=record["type"], spans=spans_text(spans),
        duration=gold.get("duration"),
    )  # fmt: skip


BENCHMARK = Benchmark(
    id="next_gqa",
    metrics=("acc_at_gqa", "accuracy", "iop", "miou"),
    shape=GROUNDED,
    sample=_sample,
    prompt=which_and_when,
    splits={"test": Split(("test.csv",), 5553), "val": Split(("val.csv",), 3358)},
    videos=("{video}.mp4", "videos/{video}.mp4", "NExTVideo/{video}.mp4"),
    rules={"paper": "next_gqa"},
    by={"family": lambda s: s.task[:1]},
    license="MIT",
    source="doc-doc/NExT-GQA@63772e0 datasets/nextgqa/*.csv and gsub_*.json",
    prompt_source="ours",
    extra="gsub_{stem}.json",
)
