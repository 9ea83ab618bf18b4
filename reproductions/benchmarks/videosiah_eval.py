"""VideoSIAH-Eval: open questions on long videos whose evidence is a short segment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reproductions.benchmarks._base import LMMS_EVAL, Benchmark, Split
from reproductions.benchmarks._open import OPEN
from reproductions.shared.method import Sample


def _sample(record: Mapping[str, Any]) -> Sample:
    return Sample(
        str(record.get("id", f"{record['video_path']}-{record['_place']}")),
        record["question"],
        str(record["answer"]),
        "free-form",
        video=record["video_path"],
    )


BENCHMARK = Benchmark(
    id="videosiah_eval",
    metrics=("judge_accuracy",),
    shape=OPEN,
    sample=_sample,
    prompt=lambda s: f"{s.question} Answer the question directly with a short answer or phrase",
    splits={"test": Split(("**/test-*.parquet", "*.json*"))},
    videos=("{video}", "videos/{video}"),
    rules={"paper": "judge", "lmms_eval": "judge"},
    hub="longvideotool/VideoSIAH-Eval",
    source=f"{LMMS_EVAL}longvt",
)
