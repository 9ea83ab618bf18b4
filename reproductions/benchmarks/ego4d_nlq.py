"""Ego4D natural language queries: find the moment in a clip that answers a question."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from reproductions.benchmarks._base import Benchmark, Split
from reproductions.benchmarks._spans import SPAN, moment, when
from reproductions.shared.method import Sample


def _sample(record: Mapping[str, Any]) -> Iterator[Sample]:
    if "relevant_windows" in record:  # VideoMind's copy, a line a query
        yield moment(
            record.get("qid", record["_place"]), record["query"], record["relevant_windows"],
            video=record["vid"], duration=record.get("duration"),
        )  # fmt: skip
        return
    for clip in record["clips"]:
        for annotation in clip["annotations"]:
            for i, query in enumerate(annotation["language_queries"]):
                if not query.get("query"):
                    continue  # the release holds some empty queries
                yield moment(
                    f"{annotation['annotation_uid']}_{i}", query["query"],
                    [[query["clip_start_sec"], query["clip_end_sec"]]], video=clip["clip_uid"],
                    task=query.get("template") or "",
                )  # fmt: skip


BENCHMARK = Benchmark(
    id="ego4d_nlq",
    metrics=("recall_at_iou", "miou"),
    shape=SPAN,
    sample=_sample,
    prompt=when,
    splits={"val": Split(("nlq_val.json", "val.jsonl"))},
    videos=("{video}.mp4", "clips/{video}.mp4", "videos/{video}.mp4"),
    rules={"paper": "spans"},
    hub="yeliudev/VideoMind-Dataset",
    source="EGO4D/episodic-memory@5275b95 NLQ/VSLNet/utils; yeliudev/VideoMind@6721d25 data format",
    prompt_source="ours",
)
