"""CG-AV-Counting: count events, objects or attributes by sound and picture, with clues."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reproductions.benchmarks._base import LMMS_EVAL, Benchmark, Split
from reproductions.benchmarks._numbers import COUNT
from reproductions.shared.method import Sample


def _sample(record: Mapping[str, Any]) -> Sample:
    return Sample(
        str(record.get("index", record["_place"])), record["question"], str(record["answer"]),
        "numerical", video=record["video"], task=record.get("category", record.get("type", "")),
    )  # fmt: skip


BENCHMARK = Benchmark(
    id="cg_av_counting",
    metrics=(
        "accuracy",
        "off_by_one_accuracy",
        "mae",
        "rmse",
        "weighted_clue_score",
        "format_rate",
    ),
    shape=COUNT,
    sample=_sample,
    prompt=lambda s: (
        f"Please answer the question '{s.question}' with a number. Output only the number and "
        "nothing "
        "else."
    ),
    splits={"test": Split(("**/test-*.parquet", "*.json*"), 1027)},
    videos=("{video}", "videos/{video}", "cg_videos_720p/{video}"),
    rules={"paper": "count", "lmms_eval": "lmms_eval_count"},
    by={"category": lambda s: s.task},
    hub="CG-Bench/CG-AV-Counting",
    source=f"{LMMS_EVAL}cgav_counting",
)
