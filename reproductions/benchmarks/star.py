"""STAR: four-way questions on interaction, sequence, prediction and feasibility in real clips."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reproductions.benchmarks._base import Benchmark, Split
from reproductions.benchmarks._choice import CHOICE, ask, mcq, over_tasks
from reproductions.shared.method import Sample


def _sample(record: Mapping[str, Any]) -> Sample:
    options = [c["choice"] for c in sorted(record["choices"], key=lambda c: c["choice_id"])]
    gold = {"text": record["answer"]} if record.get("answer") else {}
    return mcq(
        record["question_id"], record["question"], options, video=record["video_id"],
        task=record["question_id"].split("_")[0], start=record["start"], end=record["end"], **gold,
    )  # fmt: skip


BENCHMARK = Benchmark(
    id="star",
    metrics=("accuracy", "macro_accuracy"),
    shape=CHOICE,
    sample=_sample,
    prompt=lambda s: f"{s.question}\n{ask(s)}\nAnswer with the option letter only.",
    splits={
        "val": Split(("STAR_val.json",), 7098),
        "test": Split(("STAR_test.json",), gold=False),
    },
    videos=("Charades_v1_480/{video}.mp4", "{video}.mp4", "videos/{video}.mp4"),
    rules={"paper": "careful"},
    by={"task": lambda s: s.task},
    totals=over_tasks,
    license="Apache-2.0",
    source="csbobby/STAR_Benchmark@8c39718 README",
    prompt_source="ours",
)
