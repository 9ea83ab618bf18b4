"""Ego-ST Bench: routes in egocentric video, forward and backward; the multiple-choice part.

Records whose options are broken ("A. wooden door wooden door") are left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from reproductions.benchmarks._base import Benchmark, Split
from reproductions.benchmarks._choice import CHOICE, ask, mcq, split_row
from reproductions.shared.method import Sample

_END = (
    "\n\nInstructions: Please select the most appropriate answer from the options above and return "
    "only the option number (e.g. A, B, C or D)."
)


def _sample(record: Mapping[str, Any]) -> Iterator[Sample]:
    text = record.get("original_question") or record["problem"]
    try:
        question, options = split_row(text.partition("\n\nInstructions:")[0])
    except ValueError:
        return
    gold = record.get("original_answer") or record["answer"]
    yield mcq(
        f"{record['_file']}-{record['_place']}", question.removesuffix("Options:"), options,
        letter=gold, video=PurePosixPath(record["video"]).name,
    )  # fmt: skip


BENCHMARK = Benchmark(
    id="ego_st_bench",
    metrics=("accuracy",),
    shape=CHOICE,
    sample=_sample,
    prompt=lambda s: f"{s.question} Options: {ask(s, join=', ')}{_END}",
    splits={"mcq": Split(("*mcq*.jsonl", "**/*mcq*.jsonl"))},
    videos=("{video}", "r1_video/{video}", "videos/{video}"),
    rules={"paper": "careful"},
    license="MIT",
    source="WPR001/Ego-ST@6165318 ST-R1/r1_data/total_test_mcq_*.jsonl",
)
