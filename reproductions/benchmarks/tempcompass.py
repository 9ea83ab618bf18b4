"""TempCompass: five temporal aspects, each asked in four forms about edited short clips."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from reproductions.benchmarks._base import LMMS_EVAL, Benchmark, Split
from reproductions.benchmarks._choice import CHOICE, mcq, split_options
from reproductions.benchmarks._open import OPEN, YES_NO
from reproductions.benchmarks._tempcompass import MATCHING, caption_options, entries
from reproductions.shared.method import Sample


def _choices(record: Mapping[str, Any]) -> Iterator[Sample]:
    for name, video, dim, entry in entries(record):
        question, options = split_options(entry["question"])
        yield mcq(name, question, options, letter=entry["answer"], video=video, task=dim)


def _yes_no(record: Mapping[str, Any]) -> Iterator[Sample]:
    for name, video, dim, entry in entries(record):
        answer = entry["answer"].strip().lower()
        yield Sample(name, entry["question"], answer, "yes or no", video=video, task=dim)


def _matching(record: Mapping[str, Any]) -> Iterator[Sample]:
    for name, video, dim, entry in entries(record):
        question, options = caption_options(entry["question"])
        yield Sample(
            name, question, entry["answer"], "caption matching", options, video=video, task=dim
        )


def _caption(record: Mapping[str, Any]) -> Iterator[Sample]:
    for name, video, dim, entry in entries(record):
        yield Sample(
            name, entry["question"], str(entry.get("answer") or entry.get("mc_answer", "")),
            "captioning", video=video, task=dim,
            meta={"mc_question": str(entry.get("mc_question", ""))},
        )  # fmt: skip


def _benchmark(form: str, size: int, **rest: Any) -> Benchmark:
    return Benchmark(
        id="tempcompass",
        splits={
            "test": Split((f"questions/{form}.json", f"{form}.json", f"{form}/*.parquet"), size)
        },
        videos=("videos/{video}.mp4", "{video}.mp4"),
        by={"aspect": lambda s: s.task},
        hub="lmms-lab/TempCompass",
        license="CC-BY-NC-4.0",
        source="llyx97/TempCompass@e1b4631 questions/*.json",
        prompt_source=f"{LMMS_EVAL}tempcompass",
        **rest,
    )


BENCHMARK = _benchmark(
    "multi-choice",
    1580,
    metrics=("accuracy",),
    shape=CHOICE,
    sample=_choices,
    prompt=lambda s: "\n".join([s.question, *s.options, "Please directly give the best option:"]),
    rules={"paper": "tempcompass", "lmms_eval": "tempcompass", "vlmevalkit": "tempcompass"},
    variants={
        "yes_no": _benchmark(
            "yes_no",
            2453,
            metrics=("accuracy",),
            shape=YES_NO,
            sample=_yes_no,
            prompt=lambda s: f"{s.question}\nPlease answer yes or no:",
            rules={
                "paper": "starts",
                "lmms_eval": "starts",
                "vlmevalkit": "starts",
            },
        ),
        "caption_matching": _benchmark(
            "caption_matching",
            1503,
            metrics=("accuracy",),
            shape=MATCHING,
            sample=_matching,
            prompt=lambda s: "\n".join(
                [s.question, *s.options, "Please directly give the best option:"]
            ),
            rules={
                "paper": "tempcompass",
                "lmms_eval": "tempcompass",
                "vlmevalkit": "tempcompass",
            },
        ),
        "captioning": _benchmark(
            "captioning",
            2004,
            metrics=("judge_accuracy",),
            shape=OPEN,
            sample=_caption,
            prompt=lambda s: s.question,
            rules={"paper": "judge_1"},
        ),
    },
)
