"""HLV-1K: questions on moments, events and the whole of hour-long videos.

Those with options are answered by letter, those without by yes or no.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reproductions.benchmarks._base import Benchmark, Graded, Shape, Split
from reproductions.benchmarks._choice import CHOICE, ask, letter_of, lettered
from reproductions.benchmarks._ovo import OVO
from reproductions.shared.method import Sample


def _sample(record: Mapping[str, Any]) -> Sample:
    video, choice = record["_file"], record["qa_type"] == "mcqa"
    options = lettered(record["options"]) if choice else ()
    gold = str(record["answer"]).strip()
    return Sample(
        f"{video}-{record['qa_idx']}", record["question"],
        letter_of(gold, options) if choice else gold.capitalize().rstrip("."),
        "multiple choice" if choice else "yes or no", options, video, task=record["qa_task"],
        meta={"level": record["qa_level"]},
    )  # fmt: skip


def _first(sample: Sample, prediction: Any) -> Graded:
    """The first character as a letter A to D; "yes" or else "no" as a word, case aside."""
    if prediction is None:
        return Graded(None, {"accuracy": 0.0}, "no answer")
    text = str(prediction).strip()
    if sample.problem_type == "multiple choice":
        found = text[:1].upper() if text[:1].upper() in "ABCD" else ""
    else:
        words = text.lower().split()
        found = "Yes" if "yes" in words else "No" if "no" in words else ""
    if text == "I don't know.":
        found = ""
    return Graded(found or None, {"accuracy": float(bool(found) and found == sample.answer)})


def _prompt(sample: Sample) -> str:
    if sample.options:
        return (
            "Select the best answer to the following multiple-choice question based on the video. "
            "Respond with only the letter (A, B, C, or D) of the correct option.\n"
            f"{sample.question}\n{ask(sample)}\nThe best answer is:"
        )
    return (
        "Determine whether the following open-ended question description is correct or not based "
        "on the video. Respond with only the correct answer (Yes or No).\n"
        f"{sample.question}\nThe answer is:"
    )


BENCHMARK = Benchmark(
    id="hlv_1k",
    metrics=("accuracy",),
    shape=Shape(
        "ovo",
        {"first": _first, "careful": OVO.rules["careful"]},
        "careful",
        CHOICE.numbers,
        OVO.gold,
    ),
    sample=_sample,
    prompt=_prompt,
    splits={"test": Split(("dataset/*.json", "data/*.json"), 14847)},
    videos=("videos/{video}.mp4", "{video}.mp4"),
    rules={"paper": "first"},
    by={"level": lambda s: str(s.meta.get("level", "")), "task": lambda s: s.task},
    license="MIT",
    source="Vincent-ZHQ/HLV_1K README (data format) and gpt_evaluation.py",
)
