"""TVBench: ten temporal tasks that a single frame or the text alone cannot solve."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reproductions.benchmarks._base import LMMS_EVAL, Benchmark, Split
from reproductions.benchmarks._choice import CHOICE, ask, mcq, over_tasks
from reproductions.shared.method import Sample


def _sample(record: Mapping[str, Any]) -> Sample:
    task = record["_file"]
    return mcq(
        f"{task}-{record['_place']}", record["question"], record["candidates"],
        text=record["answer"],
        video=f"{task}/{record['video']}", task=task,
    )  # fmt: skip


BENCHMARK = Benchmark(
    id="tvbench",
    metrics=("accuracy", "macro_accuracy"),
    shape=CHOICE,
    sample=_sample,
    prompt=lambda s: f"{s.question}\n{ask(s)}\nAnswer with the option letter only.",
    splits={"test": Split(("json/*.json", "*.json"), 2525)},
    videos=("video/{video}", "{video}"),
    rules={"paper": "careful", "lmms_eval": "lmms_eval_tvbench"},
    by={"task": lambda s: s.task},
    totals=over_tasks,
    hub="FunAILab/TVBench",
    source=f"{LMMS_EVAL}tvbench",
)
