"""3DSRBench: spatial relations in images; a question counts if all its rotations are right."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reproductions.benchmarks._base import LMMS_EVAL, Benchmark, Split
from reproductions.benchmarks._choice import CHOICE, ask, mcq
from reproductions.benchmarks._open import all_right_numbers
from reproductions.shared.method import Sample


def _rotations(sample: Sample) -> str:
    """The question that an item rotates; its mirrored form ("-flip") is a question of its own."""
    qid = str(sample.meta["qid"])
    return qid[:13] if "-flip" in qid else qid[:8]


def _sample(record: Mapping[str, Any]) -> Sample:
    options = [record[x] for x in "ABCD" if record.get(x) not in (None, "")]
    return mcq(
        record.get("index", record["_place"]), record["question"], options, letter=record["answer"],
        task=record.get("category", ""), qid=str(record.get("qid", "")),
        image_url=record.get("image_url"),
    )  # fmt: skip


BENCHMARK = Benchmark(
    id="threedsr_bench",
    metrics=("circular_accuracy", "accuracy"),
    shape=CHOICE,
    sample=_sample,
    prompt=lambda s: (
        f"Question: {s.question}\nOptions:\n{ask(s)}\nPlease select the correct answer from the "
        "options above. \n"
    ),
    splits={"test": Split(("*circular*.tsv", "3dsrbench*.csv", "**/test-*.parquet"))},
    videos=(),
    rules={"paper": "careful", "lmms_eval": "lmms_eval_threedsr_bench"},
    by={"category": lambda s: s.task},
    totals=all_right_numbers(_rotations, "circular accuracy", "questions"),
    hub="ccvl/3DSRBench",
    source=f"{LMMS_EVAL}3dsrbench",
)
