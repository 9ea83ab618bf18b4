"""Animal Kingdom: moments of animals' behaviour, found by a sentence (its grounding part)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reproductions.benchmarks._base import Benchmark, Split
from reproductions.benchmarks._spans import SPAN, moment, when
from reproductions.shared.method import Sample


def _sample(record: Mapping[str, Any]) -> Sample:
    return moment(
        f"{record['video']}-{record['line']}", record["sentence"],
        [[float(record["start"]), float(record["end"])]], video=record["video"],
    )  # fmt: skip


BENCHMARK = Benchmark(
    id="animal_kingdom",
    metrics=("miou", "recall_at_iou"),
    shape=SPAN,
    sample=_sample,
    prompt=when,
    splits={"test": Split(("annotation/test.txt", "test.txt"))},
    videos=("{video}.mp4", "video/{video}.mp4", "videos/{video}.mp4", "dataset/video/{video}.mp4"),
    rules={"paper": "spans"},
    source="sutdcv/Animal-Kingdom@23320fb Animal_Kingdom/video_grounding/annotation/test.txt",
    prompt_source="ours",
)
