"""SPAR-Bench: depth, distance and relations in one or several views, with choices or numbers.

The views are pictures; join them as videos/<id>.mp4 in their order. Questions for a change of view
("move_right:0.3,..") have a metric of their own and are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reproductions.benchmarks._base import LMMS_EVAL, Benchmark, Split
from reproductions.benchmarks._choice import LETTERS, split_options
from reproductions.benchmarks._numbers import QUANTITY
from reproductions.shared.method import Sample

_BOXES = (
    "The values represent the bounding box coordinates normalized to a 0-1000 scale, with the "
    "top-left corner as the origin of the image."
)


def _prediction(task: str) -> bool:
    return "_prediction_" in task


def _sample(record: Mapping[str, Any]) -> Sample:
    name, task = str(record["id"]), record["task"]
    question, options = record["question"], ()
    if not _prediction(task):
        question, found = split_options(question)
        options = tuple(f"{x}. {t}" for x, t in zip(LETTERS, found, strict=False))
    return Sample(
        name, question, str(record["answer"]),
        "multiple choice" if options else "numerical", options, f"{name}.mp4", task=task,
    )  # fmt: skip


def _prompt(sample: Sample) -> str:
    if not sample.options:
        return f"\n{sample.question}\nPlease answer the question using a single word or phrase."
    boxes = _BOXES if sample.task in ("position_matching", "camera_motion_infer") else ""
    options = "\n".join(sample.options)
    return (
        f"\n{sample.question}\n{options}\n{boxes}\nAnswer with the option's letter from the given "
        "choices directly."
    )


BENCHMARK = Benchmark(
    id="spar_bench",
    metrics=("accuracy", "mra"),
    shape=QUANTITY,
    sample=_sample,
    prompt=_prompt,
    splits={
        "test": Split(
            ("**/test-*.parquet", "SparBench.tsv"),
            where=lambda r: r["task"] != "view_change_infer",
        )
    },
    videos=("videos/{video}", "{video}"),
    rules={"paper": "careful"},
    by={"task": lambda s: s.task},
    hub="jasonzhango/SPAR-Bench",
    source=f"{LMMS_EVAL}sparbench (the authors' own; lettered lines in the question: assumed)",
)
