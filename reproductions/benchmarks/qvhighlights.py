"""QVHighlights: all moments of a query, ranked, and how good each clip is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reproductions.benchmarks._base import Benchmark, Graded, Number, Split
from reproductions.benchmarks._spans import MOMENTS, gold_spans, moment, when
from reproductions.metrics.map_at_iou import map_at_iou
from reproductions.shared.method import Sample

LENGTHS = {"short": (0, 10), "middle": (10, 30), "long": (30, 150)}
"""Seconds (above, to) of a moment's length."""


def _by_length(samples: Sequence[Sample], graded: Sequence[Graded]) -> dict[str, Number]:
    """Moment mAP on the moments of one length; queries without such a moment do not count."""
    found = {}
    for name, (low, high) in LENGTHS.items():
        rows = [
            (answer.read or [], kept)
            for sample, answer in zip(samples, graded, strict=True)
            if (kept := [s for s in gold_spans(sample) if low < s[1] - s[0] <= high])
        ]
        if rows and any(len(pred) > 1 for pred, _ in rows):
            value = map_at_iou([r[0] for r in rows], [r[1] for r in rows])
            found[f"mAP {name}"] = Number(value, len(rows), unit="queries")
    return found


def _sample(record: Mapping[str, Any]) -> Sample:
    return moment(
        record["qid"],
        record["query"],
        record.get("relevant_windows") or [],
        video=record["vid"],
        duration=record["duration"],
        clips=record.get("relevant_clip_ids"),
        ratings=record.get("saliency_scores"),
    )


BENCHMARK = Benchmark(
    id="qvhighlights",
    metrics=("map_at_iou", "recall_at_iou", "highlight_map", "hit_at_1"),
    shape=MOMENTS,
    sample=_sample,
    prompt=when,
    splits={
        "val": Split(("highlight_val_release.jsonl", "*val*.jsonl"), 1550),
        "test": Split(("highlight_test_with_gt.jsonl", "highlight_test_release.jsonl"), 1542),
    },
    videos=("{video}.mp4", "videos/{video}.mp4"),
    rules={"paper": "spans"},
    source="jayleicn/moment_detr@b7e553a data/*.jsonl",
    prompt_source="ours",
    totals=_by_length,
    license="CC-BY-NC-SA-4.0",
)
