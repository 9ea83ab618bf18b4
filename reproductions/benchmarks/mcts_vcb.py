"""MCTS-VCB: describe a clip; key points that tree search found are compared by a judge."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from reproductions.benchmarks._base import Benchmark, Split
from reproductions.benchmarks._points import POOLED
from reproductions.shared.method import Sample

THRESHOLD = 80
"""Key points count whose threshold, in hundredths, is not above it (evaluation/README)."""


def _sample(record: Mapping[str, Any]) -> Sample:
    points = [
        p for p in record["passed_kp_list"]
        if p["threshold"] is not None and int(p["threshold"]) <= THRESHOLD
    ]  # fmt: skip
    name = str(record["index"])
    return Sample(
        name, "", json.dumps([p["text"] for p in points], ensure_ascii=False), "captioning",
        video=name, meta={"categories": [p["category"] for p in points]},
    )  # fmt: skip


BENCHMARK = Benchmark(
    id="mcts_vcb",
    metrics=("f1", "precision", "recall"),
    shape=POOLED,
    sample=_sample,
    prompt=lambda s: "Describe the video in detail.",
    splits={"test": Split(("*golden*.jsonl", "*key*point*.jsonl"))},
    rules={"paper": "points"},
    hub="HasuerYu/AutoCaption",
    source="tjunlp-lab/MCTS-VCB@fe2fbd5 evaluation/README.md, metric_calculator.py",
    prompt_source="ours",
)
