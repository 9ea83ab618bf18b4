"""TemporalBench: fine-grained binary questions; a video counts if all its questions are right."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reproductions.benchmarks._base import LMMS_EVAL, Benchmark, Split
from reproductions.benchmarks._choice import CHOICE, ask, mcq, split_options
from reproductions.benchmarks._open import all_right_numbers
from reproductions.shared.method import Sample


def _sample(record: Mapping[str, Any]) -> Sample:
    question, options = split_options(record["question"])
    return mcq(
        record["idx"],
        question,
        options,
        letter=record["GT"],
        video=record["video_name"],
        task=str(record.get("category", "")),
        dataset=record.get("dataset", record.get("source_dataset")),
    )


BENCHMARK = Benchmark(
    id="temporalbench",
    metrics=("multi_binary_accuracy", "accuracy"),
    shape=CHOICE,
    sample=_sample,
    prompt=lambda s: f"{s.question}\n{ask(s)}",
    splits={
        "short": Split(
            ("*short_qa*.json", "**/test_short_qa-*.parquet", "**/test_short_qa*.json*")
        ),
        "long": Split(("*long_qa*.json", "**/test_long_qa-*.parquet", "**/test_long_qa*.json*")),
    },
    videos=("{video}", "videos/{video}", "short_video/{video}", "long_video/{video}"),
    rules={"paper": "first_letter", "lmms_eval": "first_letter"},
    by={"category": lambda s: s.task, "dataset": lambda s: str(s.meta.get("dataset", ""))},
    totals=all_right_numbers(lambda s: s.video or "", "multi-binary accuracy", "videos"),
    hub="microsoft/TemporalBench",
    source=f"mu-cai/TemporalBench@62f88ab README; {LMMS_EVAL}temporalbench",
)
