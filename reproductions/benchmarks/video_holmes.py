"""Video-Holmes: six-way questions on suspense shorts that join clues over the film."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reproductions.benchmarks._base import LMMS_EVAL, Benchmark, Split
from reproductions.benchmarks._choice import CHOICE, ask, mcq
from reproductions.shared.method import Sample


def _sample(record: Mapping[str, Any]) -> Sample:
    choices = record["Options"]
    options = [choices[x] for x in sorted(choices)] if isinstance(choices, Mapping) else choices
    return mcq(
        record.get("Question ID", record["_place"]), record["Question"], options,
        letter=record["Answer"], video=str(record["video ID"]), task=record["Question Type"],
    )  # fmt: skip


BENCHMARK = Benchmark(
    id="video_holmes",
    metrics=("accuracy",),
    shape=CHOICE,
    sample=_sample,
    prompt=lambda s: (
        f"Question: {s.question}\n{ask(s)}\nSelect the best answer to the following "
        "multiple-choice "
        "question based on the video. Respond with only the letter (A, B, C, D, E, or F) of the "
        "correct option."
    ),
    splits={
        "test": Split(("test_Video-Holmes.json", "**/test-*.parquet"), 1837),
        "train": Split(("train_Video-Holmes.json",), 1551),
    },
    videos=("{video}.mp4", "videos/{video}.mp4", "{video}.mkv", "{video}.webm"),
    rules={
        "paper": "vlmevalkit_holmes",
        "lmms_eval": "lmms_eval_mmmu",
        "vlmevalkit": "vlmevalkit_holmes",
    },
    by={"task": lambda s: s.task},
    hub="TencentARC/Video-Holmes",
    source=f"TencentARC/Video-Holmes@52ef8da README; {LMMS_EVAL}video_holmes",
    prompt_source=f"{LMMS_EVAL}video_holmes",
)
