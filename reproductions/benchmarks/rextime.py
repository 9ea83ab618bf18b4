"""ReXTime: four-way questions across two moments of a video, with the moment to find."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reproductions.benchmarks._base import Benchmark, Split
from reproductions.benchmarks._choice import mcq
from reproductions.benchmarks._spans import GROUNDED, spans_text, which_and_when
from reproductions.shared.method import Sample


def _sample(record: Mapping[str, Any]) -> Sample:
    question = record.get("question") or record["query"]
    spans = record.get("relevant_windows") or ([record["span"]] if record.get("span") else [])
    facts = {"video": record["vid"], "task": record.get("category", "")}
    if not record.get("options"):  # the repository's gold file holds no options
        return Sample(
            record["qid"], question, record["ans"], meta={"spans": spans_text(spans)}, **facts
        )
    return mcq(
        record["qid"], question, record["options"], letter=record.get("ans"),
        spans=spans_text(spans), **facts,
    )  # fmt: skip


BENCHMARK = Benchmark(
    id="rextime",
    metrics=("acc_at_iou", "accuracy", "miou", "recall_at_iou"),
    shape=GROUNDED,
    sample=_sample,
    prompt=which_and_when,
    splits={
        "val": Split(("rextime_val.json", "rextime_val.jsonl"), 921),
        "test": Split(("rextime_test_release.json",), 2143, gold=False),
    },
    videos=("{video}.mp4", "videos/{video}.mp4", "activitynet/{video}.mp4", "qvh/{video}.mp4"),
    rules={"paper": "exact"},
    by={"category": lambda s: s.task},
    hub="ReXTime/ReXTime",
    source="ReXTime/ReXTime@cb9f484 data/rextime_val.jsonl; yeliudev/VideoMind@6721d25 data format",
    license="MIT (code), CC-BY-NC-SA-4.0 (annotations)",
    prompt_source="ours",
)
