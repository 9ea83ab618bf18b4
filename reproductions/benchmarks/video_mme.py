"""Video-MME: four-way questions on 900 videos of three lengths, without and with subtitles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reproductions.benchmarks._base import LMMS_EVAL, Benchmark, Split
from reproductions.benchmarks._choice import CHOICE, ask, mcq
from reproductions.shared.method import Sample


def _prompt(sample: Sample) -> str:
    told = (
        f"This video's subtitles are listed below: \n{sample.meta['subtitle_text']}\n"
        if "subtitle_text" in sample.meta
        else ""
    )
    return (
        f"{told}Select the best answer to the following multiple-choice question based on the "
        "video "
        "and the subtitles. Respond with only the letter (A, B, C, or D) of the correct option.\n"
        f"{sample.question}\n{ask(sample)}\nThe best answer is:"
    )


def _sample(record: Mapping[str, Any]) -> Sample:
    return mcq(
        record["question_id"],
        record["question"],
        record["options"],
        letter=record["answer"],
        video=record["videoID"],
        task=record["task_type"],
        duration=record["duration"],
        domain=record["domain"],
    )


BENCHMARK = Benchmark(
    id="video_mme",
    metrics=("accuracy",),
    shape=CHOICE,
    sample=_sample,
    prompt=_prompt,
    splits={"test": Split(("**/test-*.parquet", "video_mme*.json"), 2700)},
    videos=("data/{video}.mp4", "videos/{video}.mp4", "{video}.mp4", "data/{video}.mkv"),
    rules={
        "paper": "lmms_eval_2025",
        "lmms_eval": "lmms_eval_position",
        "vlmevalkit": "vlmevalkit_capital",
    },
    by={"duration": lambda s: str(s.meta.get("duration", "")), "task": lambda s: s.task},
    hub="lmms-lab/Video-MME",
    subtitles=("subtitle/{video}.srt", "subtitles/{video}.srt"),
    source=f"{LMMS_EVAL}videomme",
)
