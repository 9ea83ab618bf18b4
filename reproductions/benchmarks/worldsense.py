"""WorldSense: four-way questions that need sound and picture together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reproductions.benchmarks._base import LMMS_EVAL, Benchmark, Split
from reproductions.benchmarks._choice import CHOICE, ask, listed, mcq
from reproductions.shared.method import Sample

SYSTEM = (
    "Carefully watch this video and pay attention to every detail. Based on your observations, "
    "select the best option that accurately addresses the question."
)


def _prompt(sample: Sample) -> str:
    """The wording without sound: the models here are shown frames."""
    lead = "These are the frames of a video. "
    if told := sample.meta.get("subtitle_text"):
        lead += f"This video's subtitles are listed below:\n{told}\n"
    return (
        f"{SYSTEM}\n{lead}Select the best answer to the following multiple-choice question based "
        "on the video. Respond with only the letter (A, B, C, or D) of the correct option.\n"
        f"Question: {sample.question}\n{ask(sample)}\nAnswer: "
    )


def _sample(record: Mapping[str, Any]) -> Sample:
    return mcq(
        record["index"], record["question"], listed(record["candidates"]), letter=record["answer"],
        video=record["video_path"].rpartition("/")[2], task=record["task_type"],
        domain=record["task_domain"],
    )  # fmt: skip


BENCHMARK = Benchmark(
    id="worldsense",
    metrics=("accuracy",),
    shape=CHOICE,
    sample=_sample,
    prompt=_prompt,
    splits={"test": Split(("WorldSense.tsv", "**/test-*.parquet"), 3172)},
    videos=("videos/{video}", "{video}"),
    subtitles=("subtitles/{stem}.srt",),
    rules={
        "paper": "vlmevalkit_capital",
        "lmms_eval": "lmms_eval_capital_or_first",
        "vlmevalkit": "vlmevalkit_capital",
    },
    by={"task": lambda s: s.task, "domain": lambda s: str(s.meta.get("domain", ""))},
    hub="honglyhly/WorldSense",
    source=(
        "JaaackHongggg/WorldSense@b29f0d7 README: scored with VLMEvalKit, "
        "open-compass/VLMEvalKit@e8e78f0 vlmeval/dataset/worldsense.py; "
        f"parquet: {LMMS_EVAL}worldsense"
    ),
)
