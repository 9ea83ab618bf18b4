"""Grounded question answering: intersection over the prediction, and accuracy that needs it."""

from __future__ import annotations

from collections.abc import Sequence

from reproductions.shared.rewards.intervals import Pair, iop, tiou

__all__ = ["acc_at_gqa", "acc_at_iou", "iop", "mean_iop"]


def mean_iop(preds: Sequence[Pair | None], golds: Sequence[Sequence[Pair]]) -> float:
    """Mean of the best IoP over each question's gold spans; None counts 0."""
    best = [
        max((iop(p, g) for g in gs), default=0.0) if p is not None else 0.0
        for p, gs in zip(preds, golds, strict=True)
    ]
    return sum(best) / len(best) if best else 0.0


def acc_at_gqa(
    right: Sequence[float],
    preds: Sequence[Pair | None],
    golds: Sequence[Sequence[Pair]],
    threshold: float = 0.5,
) -> float:
    """Acc@GQA: share of questions answered right with IoP >= threshold to some gold span."""
    hits = [
        r >= 1 and p is not None and any(iop(p, g) >= threshold for g in gs)
        for r, p, gs in zip(right, preds, golds, strict=True)
    ]
    return sum(hits) / len(hits) if hits else 0.0


def acc_at_iou(
    right: Sequence[float],
    preds: Sequence[Pair | None],
    golds: Sequence[Pair],
    threshold: float = 0.5,
) -> float:
    """Acc@IoU: share of questions answered right with tIoU >= threshold."""
    hits = [
        r >= 1 and p is not None and tiou(p, g) >= threshold
        for r, p, g in zip(right, preds, golds, strict=True)
    ]
    return sum(hits) / len(hits) if hits else 0.0
