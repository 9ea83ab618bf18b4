"""FAVOR-Bench: fine motion in short clips, as choices of texts and as descriptions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from reproductions.benchmarks._base import Benchmark, Split
from reproductions.benchmarks._choice import CHOICE, mcq, texts
from reproductions.benchmarks._open import OPEN
from reproductions.shared.method import Sample


def _sample(record: Mapping[str, Any]) -> Iterator[Sample]:
    for i, entry in enumerate(record["questions"]):
        yield mcq(
            f"{record['video_name']}-{i}", entry["question"], entry["options"],
            text=entry["correct_answer"], video=record["video_name"], task=entry["task_type"],
        )  # fmt: skip


def _described(record: Mapping[str, Any]) -> Sample:
    return Sample(
        record["key"], "", record["caption"], "captioning", video=f"{record['key']}.mp4",
        task=record["num_subjects"],
    )  # fmt: skip


def _benchmark(**rest: Any) -> Benchmark:
    return Benchmark(
        id="favor_bench",
        videos=("{video}", "videos/{video}", "{video}.mp4"),
        by={"task": lambda s: s.task},
        hub="zl2048/FAVOR",
        license="CC-BY-NC-SA-4.0 (data), Apache-2.0 (code)",
        source="FAVOR-Bench/FAVOR-Bench@62c7e0f inference_qa_qwen.py, LLM-free/",
        **rest,
    )


BENCHMARK = _benchmark(
    metrics=("accuracy",),
    shape=CHOICE,
    sample=_sample,
    prompt=lambda s: (
        "Carefully watch the video and pay attention to temporal dynamics in this video, focusing "
        "on the camera motions, actions, activities, and interactions. Based on your observations, "
        f"select the best option that accurately addresses the question.\n{s.question}\nYou can "
        f"only response with the answer among {texts(s.options)}"
    ),
    splits={"test": Split(("video_perspective.json",), 8184)},
    rules={"paper": "careful"},
    variants={
        "described": _benchmark(
            metrics=("judge_score_5",),
            shape=OPEN,
            sample=_described,
            prompt=lambda s: "Describe the video in detail, above all what moves and how.",
            splits={"test": Split(("FAVOR_gt_annotations.json", "LLM-free/FAVOR_gt_*.json"), 1776)},
            rules={"paper": "judge"},
            prompt_source="ours",
        )
    },
)
