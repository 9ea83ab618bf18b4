"""FunQA: counter-intuitive, funny and creative clips; open answers and captions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reproductions.benchmarks._base import LMMS_EVAL, Benchmark, Split
from reproductions.benchmarks._open import CAPTION
from reproductions.shared.method import Sample


def _sample(record: Mapping[str, Any]) -> Sample:
    name = record.get("id", f"{record['video_name']}-{record['_place']}")
    return Sample(
        str(name), record["question"], str(record["answer"]), "free-form",
        video=record["video_name"], task=record["task"],
    )  # fmt: skip


BENCHMARK = Benchmark(
    id="funqa",
    metrics=("bleu", "rouge", "cider", "judge_score_5"),
    shape=CAPTION,
    sample=_sample,
    prompt=lambda s: s.question,
    splits={"test": Split(("**/test-*.parquet", "*.json"))},
    videos=("{video}", "videos/{video}"),
    rules={"paper": "coco", "lmms_eval": "coco"},
    by={"task": lambda s: s.task},
    hub="fesvhtr/FunQA_LMMs",
    source=f"{LMMS_EVAL}funqa",
)
