"""I-VQA: questions whose visual evidence is cut out of the video, with choices or open."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reproductions.benchmarks._base import Benchmark, Split
from reproductions.benchmarks._choice import CHOICE, ask, mcq
from reproductions.benchmarks._open import OPEN
from reproductions.shared.method import Sample

_LEAD = (
    "The question involves implicit visual information, with key visual evidence being invisible, "
    "requiring the deduction of answer based on context. "
)


def _choice(record: Mapping[str, Any]) -> Sample:
    return mcq(
        f"{record['video_id']}_{record['question_id']}", record["qa"]["question"],
        record["options"], letter=record["ans"],
        video=f"{record['video_id']}_{record['question_id']}",
    )  # fmt: skip


def _open(record: Mapping[str, Any]) -> Sample:
    name = f"{record['video_id']}_{record['question_id']}"
    return Sample(name, record["qa"]["question"], record["qa"]["answer"], "free-form", video=name)


def _asked(sample: Sample) -> str:
    return f"{_LEAD}Please answer: {sample.question.capitalize()}? "


def _benchmark(**rest: Any) -> Benchmark:
    return Benchmark(
        id="i_vqa",
        videos=("{video}.mp4", "videos/{video}.mp4"),
        source="tychen-SJTU/Implicit-VideoQA@1ef607e dataset/ICR, inference_gpt4o_mc.py",
        prompt_source="as in inference_gpt4o_mc.py, without the written clues",
        **rest,
    )


BENCHMARK = _benchmark(
    metrics=("accuracy",),
    shape=CHOICE,
    sample=_choice,
    splits={"test": Split(("test_mc.json", "ICR/test_mc.json"), 1800)},
    prompt=lambda s: (
        f"{_asked(s)}\n{ask(s, option='({letter}) {text}')}\nOnly give the best option."
    ),
    rules={"paper": "careful"},
    variants={
        "open": _benchmark(
            metrics=("judge_accuracy", "judge_score_5"),
            shape=OPEN,
            sample=_open,
            splits={"test": Split(("test_open_ended.json", "ICR/test_open_ended.json"), 880)},
            prompt=_asked,
            rules={"paper": "judge"},
        )
    },
)
