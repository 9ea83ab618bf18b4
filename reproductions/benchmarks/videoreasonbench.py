"""VideoReasonBench: hidden states and the operations that change them, on six kinds of videos.

Questions for operations that lead to a state have no single answer: the published code replays
what the model says, so they cannot be scored from the gold here and come without one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reproductions.benchmarks._base import Benchmark, Split
from reproductions.benchmarks._open import OPEN
from reproductions.shared.method import Sample

DEMONSTRATIONS = ("card", "chip", "cup", "file_sys", "grid", "hrd")


def _sample(record: Mapping[str, Any]) -> Sample:
    return Sample(
        f"{record['_file']}/{record['key']}", record["question"], record["answer"] or "",
        "free-form", video=record["video"], task=record["dim"],
        meta={"shown": record["visible_time"], "operations": record["num_operation"]},
    )  # fmt: skip


BENCHMARK = Benchmark(
    id="videoreasonbench",
    metrics=("judge_accuracy",),
    shape=OPEN,
    sample=_sample,
    prompt=lambda s: s.question,
    splits={
        "test": Split(("questions/*.json", *(f"{name}.json" for name in DEMONSTRATIONS)), 1440)
    },
    videos=("{video}", "videos/{video}"),
    rules={"paper": "judge"},
    by={
        "demonstration": lambda s: s.id.partition("/")[0],
        "task": lambda s: s.task,
        "shown": lambda s: str(s.meta.get("shown", "")),
    },
    hub="lyx97/reasoning_videos",
    source="llyx97/video_reason_bench@2524387 questions/*.json, utils/eval_utils.py",
)
