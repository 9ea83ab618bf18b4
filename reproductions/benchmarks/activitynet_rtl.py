"""ActivityNet-RTL: find the span that answers a question which needs reasoning."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from reproductions.benchmarks._base import Benchmark, Split
from reproductions.benchmarks._spans import SPAN, moment, when
from reproductions.shared.method import Sample


def _sample(record: Mapping[str, Any]) -> Sample:
    found = [float(x) for x in re.findall(r"<(\d+(?:\.\d+)?)>", record["answer"])][:2]
    if len(found) != 2:
        raise ValueError("the answer holds no <start> <end>")
    return moment(
        record.get("qid", f"{record['vid']}-{record['_place']}"),
        record["question"],
        [found],
        video=f"v_{record['vid']}",
        rationale=record["answer"],
    )


BENCHMARK = Benchmark(
    id="activitynet_rtl",
    metrics=("miou", "precision_at_iou", "judge_score_5"),
    shape=SPAN,
    sample=_sample,
    prompt=when,
    splits={"val": Split(("annot_val_1_q229.json", "*val*.json"), 229)},
    videos=("{video}.mp4", "videos/{video}.mp4", "{video}.mkv", "{video}.webm"),
    rules={"paper": "spans"},
    hub="deahuang/LITA-Datasets",
    source="NVlabs/LITA@02b2b6e README; yeliudev/VideoMind@6721d25 data format",
    prompt_source="ours",
)
