"""MORSE-500: puzzles whose question is part of the video; short answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reproductions.benchmarks._base import Benchmark, Split
from reproductions.benchmarks._open import OPEN
from reproductions.shared.method import Sample


def _sample(record: Mapping[str, Any]) -> Sample:
    return Sample(
        str(record["id"]), record["query"], str(record["ground_truth"]), "free-form",
        video=record["video"], task=record["category"],
        meta={"question_text": record.get("question_text", "")},
    )  # fmt: skip


BENCHMARK = Benchmark(
    id="morse_500",
    metrics=("accuracy",),
    shape=OPEN,
    sample=_sample,
    prompt=lambda s: s.question,
    splits={"test": Split(("test.csv",), 500)},
    videos=("test/{video}", "test_sz512/{video}", "{video}", "videos/{video}"),
    rules={"paper": "exact_match"},
    by={"category": lambda s: s.task},
    hub="video-reasoning/morse-500",
    license="CC-BY-4.0",
    source="morse-benchmark/morse-500@07743de README",
)
