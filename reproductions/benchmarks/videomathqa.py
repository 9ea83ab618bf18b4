"""VideoMathQA: mathematics in videos, five-way and as pairs of options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reproductions.benchmarks._base import LMMS_EVAL, Benchmark, Split
from reproductions.benchmarks._choice import CHOICE, ask, mcq
from reproductions.benchmarks._open import all_right_numbers
from reproductions.shared.method import Sample


def _prompt(sample: Sample) -> str:
    letters = "A or B" if len(sample.options) == 2 else "A, B, C, D or E"
    return (
        "Select the best answer to the following multiple-choice question based on the video. "
        f"Respond with the letter ({letters}) of the correct option.\n{sample.question}\n"
        f"{ask(sample)}\nAnswer with the option's letter ({letters}) from the given choices "
        "directly."
    )


def _whole(sample: Sample) -> str:
    """The question that a pair of options was made from: its id without the last part."""
    whole, _, part = sample.id.rpartition("_")
    return whole if len(sample.options) == 2 and part else ""


def _sample(record: Mapping[str, Any]) -> Sample:
    return mcq(
        record["question_id"], record["question"], record["options"], letter=record["answer"],
        video=record["videoID"], task=record["category"], question_id=str(record["question_id"]),
        length=record.get("length"),
    )  # fmt: skip


BENCHMARK = Benchmark(
    id="videomathqa",
    metrics=("accuracy", "multi_binary_accuracy", "cot_score"),
    shape=CHOICE,
    sample=_sample,
    prompt=_prompt,
    splits={
        "mcq": Split(("mcq/*.parquet", "videomathqa_mcq*.parquet"), 420),
        "multi_binary": Split(("multi_binary/*.parquet", "videomathqa_mbin*.parquet")),
    },
    videos=("videos/{video}.mp4", "{video}.mp4", "videos/{video}.mkv"),
    rules={"paper": "lmms_eval_capital", "lmms_eval": "lmms_eval_capital"},
    by={"task": lambda s: s.task},
    totals=all_right_numbers(_whole, "multi-binary accuracy", "questions"),
    hub="MBZUAI/VideoMathQA",
    subtitles=("subtitles/{video}.srt",),
    source=f"{LMMS_EVAL}videomathqa",
)
