"""VideoHallucer: pairs of a true and a hallucinated yes/no question; both must be right."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from reproductions.benchmarks._base import Benchmark, Split
from reproductions.benchmarks._open import YES_NO, all_right_numbers
from reproductions.shared.method import Sample


def _sample(record: Mapping[str, Any]) -> Iterator[Sample]:
    task = record["_file"]
    for kind in ("basic", "hallucination"):
        part = record[kind]
        yield Sample(
            f"{task}-{record['_place']}-{kind}", part["question"], part["answer"].lower(),
            "yes or no", video=f"{task}/videos/{part['video']}", task=task,
            meta={"pair": f"{task}-{record['_place']}", "kind": kind},
        )  # fmt: skip


BENCHMARK = Benchmark(
    id="videohallucer",
    metrics=("pair_accuracy", "accuracy"),
    shape=YES_NO,
    sample=_sample,
    prompt=lambda s: f"{s.question}\nAnswer the question using 'yes' or 'no'.",
    splits={"test": Split(("*/*.json", "*.json"), 3600)},
    videos=("{video}", "videos/{video}"),
    rules={"paper": "yes_no"},
    by={"task": lambda s: s.task, "kind": lambda s: s.meta["kind"]},
    totals=all_right_numbers(lambda s: s.meta["pair"], "pair accuracy", "pairs"),
    hub="ColorfulAI/VideoHallucer",
    license="MIT",
    source="patrick-tssn/VideoHallucer@ae4c2f2 README",
    prompt_source="patrick-tssn/VideoHallucer@ae4c2f2 README (yes or no); wording ours",
)
