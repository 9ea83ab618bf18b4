"""EgoLifeQA: four-way questions on a week of egocentric video."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reproductions.benchmarks._base import Benchmark, Split
from reproductions.benchmarks._choice import CHOICE, ask, mcq
from reproductions.shared.method import Sample


def _sample(record: Mapping[str, Any]) -> Sample:
    return mcq(
        record["ID"], record["question"], [record[f"choice_{x}"] for x in "abcd"],
        letter=record["answer"], task=record["type"],
        day=record["query_time"]["date"], asked_at=record["query_time"]["time"],
    )  # fmt: skip


BENCHMARK = Benchmark(
    id="egolife_qa",
    metrics=("accuracy",),
    shape=CHOICE,
    sample=_sample,
    prompt=lambda s: f"{s.question}\n{ask(s)}\nAnswer with the option letter only.",
    splits={"test": Split(("EgoLifeQA*.json",), 500)},
    videos=("{video}.mp4",),
    rules={"paper": "careful"},
    by={"task": lambda s: s.task},
    hub="lmms-lab/EgoLife",
    source="EvolvingLMMs-Lab/EgoLife@7a97157 EgoRAG/README.md",
    prompt_source="ours",
)
