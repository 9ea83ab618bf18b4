"""LVBench: four-way questions on videos of an hour and more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from reproductions.benchmarks._base import LMMS_EVAL, Benchmark, Split
from reproductions.benchmarks._choice import CHOICE, ask, mcq, split_options
from reproductions.shared.method import Sample


def _sample(record: Mapping[str, Any]) -> Iterator[Sample]:
    for entry in record.get("qa", [record]):
        video = record.get("key") or str(record["video_path"]).removesuffix(".mp4")
        kinds = entry.get("question_type") or entry.get("type") or [""]
        question, options = (
            (entry["question"], entry["options"])
            if entry.get("options")
            else split_options(entry["question"])
        )
        yield mcq(
            entry.get("uid", f"{video}-{record['_place']}"), question, options,
            letter=entry["answer"], video=video,
            task=kinds if isinstance(kinds, str) else ", ".join(map(str, kinds)),
        )  # fmt: skip


BENCHMARK = Benchmark(
    id="lvbench",
    metrics=("accuracy",),
    shape=CHOICE,
    sample=_sample,
    prompt=lambda s: (
        f"{s.question}\n{ask(s, option='({letter}) {text}')}\n"
        "Answer the question with the option letter"
    ),
    splits={"test": Split(("video_info.meta.jsonl", "**/train-*.parquet"), 1549)},
    videos=("{video}.mp4", "videos/{video}.mp4", "all_videos/{video}.mp4"),
    rules={"paper": "lmms_eval_2025", "lmms_eval": "lmms_eval_position"},
    by={"task": lambda s: s.task},
    hub="THUDM/LVBench",
    source=f"THUDM/LVBench@f998d95 video_info.meta.jsonl; {LMMS_EVAL}lvbench",
)
