"""VCRBench: put the shuffled clips of a procedure into order."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from reproductions.benchmarks._base import Benchmark, Split
from reproductions.benchmarks._choice import ORDER, order_gold, over_goals
from reproductions.shared.method import Sample


def _sample(record: Mapping[str, Any]) -> Sample:
    name = str(record.get("qid", record.get("id", record["_place"])))
    return Sample(
        name, record.get("question", ""), order_gold(record["answer"], ()), "order",
        video=str(record.get("video", record.get("video_path", f"{name}.mp4"))),
        task=record.get("goal", ""), meta={"goal": record.get("goal", "")},
    )  # fmt: skip


BENCHMARK = Benchmark(
    id="vcrbench",
    metrics=("accuracy", "order_consistency", "macro_accuracy"),
    shape=ORDER,
    sample=_sample,
    prompt=lambda s: s.question,
    splits={"test": Split(("*.json", "*.jsonl", "**/*.parquet"), 365)},
    videos=("{video}", "videos/{video}"),
    rules={"paper": "order"},
    by={
        "goal": lambda s: s.task or s.meta["goal"],
        "steps": lambda s: str(len(json.loads(s.answer))),
    },
    totals=over_goals,
    hub="pritamqu/VCRBench",
    license="MIT",
    source="pritamqu/VCRBench@5d616a3 README and output/random",
)
