"""Ego-R1 Bench: four-way questions on a week of egocentric video, by people and by a model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reproductions.benchmarks._base import Benchmark, Split
from reproductions.benchmarks._choice import CHOICE, directly, mcq
from reproductions.shared.method import Sample


def _sample(record: Mapping[str, Any]) -> Sample:
    # Ids repeat over people and over the two halves.
    half, person = record["_folder"].partition("-")[0], record["_file"]
    choices = (record.get(f"choice_{x}") for x in "abcd")
    return mcq(
        f"{half}-{person}-{record['ID']}", record["question"], [c for c in choices if c],
        letter=record["answer"], task=record["type"], half=half, person=person,
        day=record["query_time"]["date"], asked_at=record["query_time"]["time"],
    )  # fmt: skip


BENCHMARK = Benchmark(
    id="ego_r1_bench",
    metrics=("accuracy",),
    shape=CHOICE,
    sample=_sample,
    prompt=directly,
    splits={
        "test": Split(("*-benchmark/*.json",), 300),
        "manual": Split(("manual-benchmark/*.json",)),
        "gemini": Split(("gemini-benchmark/*.json",)),
    },
    videos=(),
    rules={"paper": "careful"},
    by={"half": lambda s: str(s.meta.get("half", "")), "task": lambda s: s.task},
    hub="Ego-R1/Ego-R1-Bench",
    source="files of Ego-R1/Ego-R1-Bench as lijiazheng0917/MAGIC-video@3b9d132 reads them",
    prompt_source="ours",
)
