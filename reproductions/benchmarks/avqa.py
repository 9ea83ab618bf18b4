"""AVQA: four-way questions that need sight and sound of everyday videos."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reproductions.benchmarks._base import Benchmark, Split
from reproductions.benchmarks._choice import CHOICE, directly, mcq
from reproductions.shared.method import Sample


def _sample(record: Mapping[str, Any]) -> Sample:
    return mcq(
        record.get("id", record["_place"]), record["question_text"], record["multi_choice"],
        index=record["answer"], video=record["video_name"], task=record["question_type"],
        needs=record.get("question_relation"),
    )  # fmt: skip


BENCHMARK = Benchmark(
    id="avqa",
    metrics=("accuracy",),
    shape=CHOICE,
    sample=_sample,
    prompt=directly,
    splits={"val": Split(("val_qa.json", "data/annotation/val_qa.json"))},
    videos=("{video}.mp4", "videos/{video}.mp4"),
    rules={"paper": "careful"},
    by={"type": lambda s: s.task, "needs": lambda s: str(s.meta.get("needs", ""))},
    source="AlyssaYoung/AVQA@a5056c1 preprocess/preprocess_text/datautils/avqa.py",
    prompt_source="ours",
)
