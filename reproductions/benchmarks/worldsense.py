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
    return (
        f"{SYSTEM}\nThese are the frames of a video and the corresponding audio. Select the best "
        "answer to the following multiple-choice question based on the video. Respond with only "
        "the letter (A, B, C, or D) of the correct option.\n"
        f"{sample.question}\n{ask(sample)}\n"
    )


def _sample(record: Mapping[str, Any]) -> Sample:
    return mcq(
        record["index"], record["question"], listed(record["candidates"]), letter=record["answer"],
        video=record["video_path"].removeprefix("./"), task=record["task_type"],
        domain=record["task_domain"],
    )  # fmt: skip


BENCHMARK = Benchmark(
    id="worldsense",
    metrics=("accuracy",),
    shape=CHOICE,
    sample=_sample,
    prompt=_prompt,
    splits={"test": Split(("**/test-*.parquet",), 3172)},
    videos=("{video}", "videos/{video}", "{stem}.mp4"),
    rules={
        "paper": "lmms_eval_capital_or_first",
        "lmms_eval": "lmms_eval_capital_or_first",
        "vlmevalkit": "vlmevalkit_capital",
    },
    by={"task": lambda s: s.task, "domain": lambda s: str(s.meta.get("domain", ""))},
    hub="lmms-lab/worldsense",
    source=f"{LMMS_EVAL}worldsense",
)
