"""Temporal grounding: mean tIoU and recall at thresholds."""

from __future__ import annotations

from collections.abc import Sequence

from reproductions.shared.rewards.intervals import Pair, tiou

__all__ = ["miou", "recall_at", "tiou"]


def miou(preds: Sequence[Pair | None], golds: Sequence[Pair]) -> float:
    """Mean tIoU over queries, in [0, 1]; an unparsed prediction (None) counts 0."""
    ious = [tiou(p, g) if p is not None else 0.0 for p, g in zip(preds, golds, strict=True)]
    return sum(ious) / len(ious) if ious else 0.0


def recall_at(
    preds: Sequence[Pair | None],
    golds: Sequence[Pair],
    threshold: float = 0.5,
    *,
    strict: bool = False,
) -> float:
    """R@1: the share of queries with tIoU >= threshold (`strict`: >, as Time-R1 counts)."""
    hits = 0
    for p, g in zip(preds, golds, strict=True):
        value = tiou(p, g) if p is not None else 0.0
        hits += value > threshold if strict else value >= threshold
    return hits / len(golds) if golds else 0.0
