"""SciVideoBench: ten-way questions on videos of scientific experiments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reproductions.benchmarks._base import LMMS_EVAL, Benchmark, Split
from reproductions.benchmarks._choice import CHOICE, directly, mcq
from reproductions.shared.method import Sample


def _sample(record: Mapping[str, Any]) -> Sample:
    choices = record["options"]
    options = [choices[x] for x in sorted(choices)] if isinstance(choices, Mapping) else choices
    return mcq(
        record.get("question_id", f"{record['video_id']}-{record['_place']}"), record["question"],
        options, letter=record.get("ground_truth", record["answer"]),
        video=f"jove_{record['video_id']}", task=record["question_type"],
        category=record.get("category"),
    )  # fmt: skip


BENCHMARK = Benchmark(
    id="scivideobench",
    metrics=("accuracy",),
    shape=CHOICE,
    sample=_sample,
    prompt=directly,
    splits={"test": Split(("**/test-*.parquet", "scivideobench*.jsonl"), 1000)},
    videos=("{video}.mp4", "videos/{video}.mp4"),
    rules={"paper": "careful", "lmms_eval": "lmms_eval_scivideobench"},
    by={"type": lambda s: s.task, "category": lambda s: str(s.meta.get("category", ""))},
    hub="groundmore/scivideobench",
    source=f"{LMMS_EVAL}scivideobench",
)
