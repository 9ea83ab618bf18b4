"""SAGE-Bench: questions on long entertainment videos, with options in them or open; all judged."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from reproductions.benchmarks._base import Benchmark, Graded, Split
from reproductions.benchmarks._open import OPEN
from reproductions.benchmarks._spans import part
from reproductions.shared.method import Sample


def _sample(record: Mapping[str, Any]) -> Sample:
    path = f"data/sage_bench_videos/{record['video_id']}.mp4"
    # The id under which the published runs log a question.
    name = hashlib.md5(f"{record['question']}|{path}".encode(), usedforsecurity=False).hexdigest()
    return Sample(
        name, record["question"], str(record["gt_answer"]), "free-form", video=record["video_id"],
        task=record["ques_type"].replace("-", "_"),
        meta={"difficulty": record["difficulty"], "modality": record["modality"]},
    )  # fmt: skip


def _verdict(sample: Sample, prediction: Any) -> Graded:
    """The judge's last "Verdict: True" or "Verdict: False", or what else a log says of it."""
    said = part(prediction, "verdict")
    if isinstance(said, str):
        said = said.rsplit("Verdict:", 1)[-1].strip().partition("\n")[0]
    return OPEN.rules["judge_1"](sample, {"prediction": "", "verdict": said})


def _prompt(sample: Sample) -> str:
    spoken = sample.meta.get("subtitle_text")
    return (
        "You will be given a question about a video. You are provided frames from the video, "
        f"sampled evenly across the video.\n\n{f'Transcript: {spoken}' + chr(10) if spoken else ''}"
        f"Question: {sample.question}\n\nRespond to the user's question."
    )


BENCHMARK = Benchmark(
    id="sage_bench",
    metrics=("judge_accuracy",),
    shape=replace(
        OPEN, rules={"verdict": _verdict, **OPEN.rules}, judged=("verdict", *OPEN.judged)
    ),
    sample=_sample,
    prompt=_prompt,
    splits={"test": Split(("**/test-*.parquet", "*.parquet"), 1744)},
    videos=("sage_bench_videos/{video}.mp4", "{video}.mp4", "videos/{video}.mp4"),
    rules={"paper": "verdict"},
    by={
        "kind": lambda s: s.task,
        "difficulty": lambda s: str(s.meta.get("difficulty", "")),
        "modality": lambda s: str(s.meta.get("modality", "")),
    },
    hub="allenai/SAGE-Bench",
    subtitles=("sage_bench_videos/{video}.txt", "{video}.txt"),
    source="allenai/SAGE@b5d9c93 sage/eval/process.py, evaluate_responses.py, sage/prompts",
)
