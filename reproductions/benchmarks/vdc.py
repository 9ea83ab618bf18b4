"""VDC: detailed captions, checked by short questions that a judge answers from the caption."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reproductions.benchmarks._base import LMMS_EVAL, Benchmark, Split
from reproductions.benchmarks._open import OPEN
from reproductions.shared.method import Sample


def _sample(record: Mapping[str, Any]) -> Sample:
    return Sample(
        str(record.get("video_id") or record["video_name"]),
        "",
        str(record.get("caption", "")),
        "captioning",
        video=record["video_name"],
    )


BENCHMARK = Benchmark(
    id="vdc",
    metrics=("vdc_score", "judge_score_5"),
    shape=OPEN,
    sample=_sample,
    prompt=lambda s: "Please describe the video in detail.",
    splits={"test": Split(("**/test-*.parquet", "*.json*"), 1027)},
    videos=("{video}", "{video}.mp4", "videos/{video}"),
    rules={"paper": "judge", "lmms_eval": "judge"},
    hub="wchai/Video-Detailed-Caption",
    source=f"rese1f/aurora@2bf68d5; {LMMS_EVAL}vdc",
    prompt_source="ours: the published task draws one of many wordings at random",
)
