"""TACoS: find the span of a cooking video that a sentence describes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from reproductions.benchmarks._base import Benchmark, Split
from reproductions.benchmarks._spans import SPAN, moment, when
from reproductions.shared.method import Sample


def _sample(record: Mapping[str, Any]) -> Iterator[Sample]:
    if "relevant_windows" in record:  # VideoMind's copy, a line a query
        yield moment(
            f"{record['vid']}-{record['_place']}", record["query"], record["relevant_windows"],
            video=record["vid"], duration=record["duration"],
        )  # fmt: skip
        return
    fps = record["fps"]
    for i, (span, query) in enumerate(zip(record["timestamps"], record["sentences"], strict=True)):
        yield moment(
            f"{record['key']}-{i}", query, [[span[0] / fps, span[1] / fps]],
            video=str(record["key"]).removesuffix(".avi").removesuffix("-cam-002"),
            duration=record["num_frames"] / fps,
        )  # fmt: skip


BENCHMARK = Benchmark(
    id="tacos",
    metrics=("recall_at_iou", "miou"),
    shape=SPAN,
    sample=_sample,
    prompt=when,
    splits={
        "test": Split(("test.jsonl", "test.json"), 4083),
        "val": Split(("val.jsonl", "val.json"), 4589),
    },
    videos=(
        "{video}-cam-002.mp4",
        "videos/{video}-cam-002.mp4",
        "{video}-cam-002.avi",
        "{video}.avi",
    ),
    rules={"paper": "spans"},
    hub="yeliudev/VideoMind-Dataset",
    source=(
        "EGO4D/episodic-memory@5275b95 NLQ/2D-TAN/data/TACoS (2D-TAN's files); "
        "yeliudev/VideoMind@6721d25 data format"
    ),
    prompt_source="ours",
)
