"""VIUBench: a video's own order and detail - what is odd, how many, which order; a letter each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reproductions.benchmarks._base import Benchmark, Split
from reproductions.benchmarks._choice import CHOICE, ask, mcq, split_options
from reproductions.shared.method import Sample


def _sample(record: Mapping[str, Any]) -> Sample:
    question, options = split_options(record["question"])
    return mcq(
        f"{record['video']}-{record['_place']}", question, options, letter=record["answer"],
        video=str(record["video"]), task=record["_file"],
    )  # fmt: skip


BENCHMARK = Benchmark(
    id="viubench",
    metrics=("accuracy",),
    shape=CHOICE,
    sample=_sample,
    prompt=lambda s: f"{s.question}\n{ask(s)}\nAnswer with the option letter directly.",
    splits={"test": Split(("*.json",))},
    videos=("{video}.mp4", "videos/{video}.mp4"),
    rules={"paper": "first_letter"},
    by={"file": lambda s: s.task},
    hub="yhx12/VIUBench",
    source="lcqysl/VideoSSR@b0d2acb eval/vqa.py (lettered lines in the question: assumed)",
)
