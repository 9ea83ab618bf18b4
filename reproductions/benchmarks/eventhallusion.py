"""EventHallusion: yes/no questions and descriptions where priors suggest another event."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from reproductions.benchmarks._base import Benchmark, Split
from reproductions.benchmarks._open import OPEN, YES_NO, yes_no_gold
from reproductions.shared.method import Sample


def _sample(record: Mapping[str, Any]) -> Iterator[Sample]:
    part = record["_file"].removesuffix("_questions")
    for i, entry in enumerate(record.get("questions", ())):
        yield Sample(
            f"{record['id']}-{i}", entry["question"], yes_no_gold(entry["answer"]), "yes or no",
            video=f"{part}/{record['id']}.mp4", task=part, meta={"category": record["category"]},
        )  # fmt: skip


def _described(record: Mapping[str, Any]) -> Sample:
    part, event = record["_file"].removesuffix("_questions"), record["event_info"]
    gold = event.get("unexpected") if part == "interleave" else event.get("caption")
    return Sample(
        str(record["id"]), "", str(gold or ""), "captioning", video=f"{part}/{record['id']}.mp4",
        task=part, meta={"category": record["category"]},
    )  # fmt: skip


def _benchmark(**rest: Any) -> Benchmark:
    return Benchmark(
        id="eventhallusion",
        splits={"test": Split(("questions/*_questions.json", "*_questions.json"))},
        videos=("{video}", "videos/{video}"),
        by={"part": lambda s: s.task, "category": lambda s: str(s.meta.get("category", ""))},
        source="Stevetich/EventHallusion@7396e04 questions/, eval.py, inference_template",
        **rest,
    )


BENCHMARK = _benchmark(
    metrics=("accuracy",),
    shape=YES_NO,
    sample=_sample,
    prompt=lambda s: f"{s.question}\nPlease answer yes or no:",
    rules={"paper": "starts"},
    variants={
        "described": _benchmark(
            metrics=("judge_accuracy",),
            shape=OPEN,
            sample=_described,
            prompt=lambda s: "Please describe this video in detail.",
            rules={"paper": "judge"},
        )
    },
)
