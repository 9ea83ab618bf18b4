"""Video-MMLU: fifteen short questions on each lecture, and a detailed description of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reproductions.benchmarks._base import Benchmark, Split
from reproductions.benchmarks._open import OPEN
from reproductions.shared.method import Sample


def _sample(record: Mapping[str, Any]) -> Sample:
    return Sample(
        str(record["index"]), record["question"], record["answer"], "free-form",
        video=record["video"], task=record["discipline"],
    )  # fmt: skip


BENCHMARK = Benchmark(
    id="video_mmlu",
    metrics=("judge_accuracy",),
    shape=OPEN,
    sample=_sample,
    prompt=lambda s: f"{s.question}\nAnswer briefly and directly in one sentence.",
    splits={"qa": Split(("Video_MMLU_QA.tsv",))},
    videos=("youtube_videos/{video}", "videos/{video}", "{video}"),
    rules={"paper": "judge", "vlmevalkit": "judge"},
    by={"discipline": lambda s: s.task},
    hub="Enxin/Video-MMLU",
    source="open-compass/VLMEvalKit@e8e78f0 vlmeval/dataset/video_mmlu.py",
)
