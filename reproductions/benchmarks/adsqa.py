"""AdsQA: open questions about advertisements; a judge gives 0, 0.5 or 1."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reproductions.benchmarks._base import Benchmark, Split
from reproductions.benchmarks._open import OPEN, text_gold
from reproductions.shared.method import Sample


def _sample(record: Mapping[str, Any]) -> Sample:
    """A record of the training form (problem, solution) or of the test set's ground truth."""
    first = lambda *names: next(record[n] for n in names if record.get(n) is not None)  # noqa: E731
    return Sample(
        str(first("id", "question_id", "_place")), first("problem", "question"),
        text_gold(first("solution", "answer")), "free-form",
        video=str(first("video_filename", "video")), meta={"facts": record.get("meta_info")},
    )  # fmt: skip


BENCHMARK = Benchmark(
    id="adsqa",
    metrics=("judge_accuracy",),
    shape=OPEN,
    sample=_sample,
    prompt=lambda s: (
        f"{s.question}Provide your detailed reasoning between the <think> </think> tags, and then "
        "give your final answer between the <answer> </answer> tags."
    ),
    splits={"test": Split(("testset_groundtruth.json", "trainset.jsonl"))},
    videos=("{video}", "videos/{video}", "{video}.mp4", "videos/{video}.mp4"),
    rules={"paper": "judge_1"},
    hub="TsinghuaC3I/AdsQA",
    source="TsinghuaC3I/AdsQA@4cf7cc1 preprocess/transform_parquet.py, README (test file not seen)",
)
