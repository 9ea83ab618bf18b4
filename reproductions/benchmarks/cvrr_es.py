"""CVRR-ES: eleven kinds of hard or misleading open questions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reproductions.benchmarks._base import LMMS_EVAL, Benchmark, Split
from reproductions.benchmarks._open import OPEN
from reproductions.shared.method import Sample


def _sample(record: Mapping[str, Any]) -> Sample:
    task = record.get("DimensionName") or record["_folder"]
    return Sample(
        str(record.get("question_id", f"{task}-{record['_file']}-{record['_place']}")), record["Q"],
        record["A"], "free-form", video=str(record["VideoID"]), task=task,
    )  # fmt: skip


BENCHMARK = Benchmark(
    id="cvrr_es",
    metrics=("judge_accuracy", "judge_score_5"),
    shape=OPEN,
    sample=_sample,
    prompt=lambda s: s.question,
    splits={"test": Split(("**/*.parquet", "*/annotations*.json", "*.json"), 2400)},
    videos=("{video}", "{task}/{video}", "videos/{video}"),
    rules={"paper": "judge", "lmms_eval": "judge"},
    by={"dimension": lambda s: s.task},
    hub="lmms-eval/CVRR-ES",
    source=f"mbzuai-oryx/CVRR-Evaluation-Suite@9d77787; {LMMS_EVAL}cvrr",
)
