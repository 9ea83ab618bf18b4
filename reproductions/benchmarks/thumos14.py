"""THUMOS14: all moments of an action class in untrimmed sports videos."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from reproductions.benchmarks._base import Benchmark, Split
from reproductions.benchmarks._spans import SPAN, moment, when
from reproductions.shared.method import Sample


def _sample(record: Mapping[str, Any]) -> Iterator[Sample]:
    """One query a class and video, in the database form that detection codes share."""
    spans: dict[str, list[list[float]]] = {}
    for entry in record["annotations"]:
        spans.setdefault(entry["label"], []).append([float(t) for t in entry["segment"]])
    for label, found in spans.items():
        yield moment(
            f"{record['key']}-{label}", label, sorted(found), video=record["key"], task=label,
            duration=record.get("duration"),
        )  # fmt: skip


BENCHMARK = Benchmark(
    id="thumos14",
    metrics=("map_at_iou", "f1"),
    shape=SPAN,
    sample=_sample,
    prompt=when,
    splits={
        "test": Split(
            ("annotations/thumos14.json", "thumos14.json"),
            where=lambda r: str(r["subset"]).lower() in ("test", "testing"),
        )
    },
    videos=("{video}.mp4", "videos/{video}.mp4"),
    rules={"paper": "spans"},
    by={"class": lambda s: s.task},
    source="ActivityNet's database form, as ActionFormer's thumos14.json has it (file not seen)",
    prompt_source="ours",
)
