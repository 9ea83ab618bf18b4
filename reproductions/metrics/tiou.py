"""Temporal grounding: tIoU, its mean, and recall at thresholds."""

from __future__ import annotations

from collections.abc import Sequence

from reproductions.shared.rewards.intervals import Pair, tiou, union_iou

__all__ = [
    "f1_at",
    "miou",
    "precision_at",
    "ra_iou",
    "recall_at",
    "recall_at_mean",
    "tiou",
    "union_iou",
]

THRESHOLDS = (0.3, 0.5, 0.7)


def _ious(preds: Sequence[Pair | None], golds: Sequence[Pair]) -> list[float]:
    return [tiou(p, g) if p is not None else 0.0 for p, g in zip(preds, golds, strict=True)]


def miou(preds: Sequence[Pair | None], golds: Sequence[Pair]) -> float:
    """Mean tIoU over queries, in [0, 1]; an unparsed prediction (None) counts 0."""
    ious = _ious(preds, golds)
    return sum(ious) / len(ious) if ious else 0.0


def recall_at(
    preds: Sequence[Pair | None],
    golds: Sequence[Pair],
    threshold: float = 0.5,
    *,
    strict: bool = False,
) -> float:
    """R@1: the share of queries with tIoU >= threshold (`strict`: >, as Time-R1 counts)."""
    ious = _ious(preds, golds)
    hits = sum(v > threshold if strict else v >= threshold for v in ious)
    return hits / len(ious) if ious else 0.0


def recall_at_mean(
    preds: Sequence[Pair | None],
    golds: Sequence[Pair],
    thresholds: Sequence[float] = THRESHOLDS,
) -> float:
    """Mean of R@1 over thresholds."""
    return sum(recall_at(preds, golds, t) for t in thresholds) / len(thresholds)


def precision_at(
    preds: Sequence[Sequence[Pair]], golds: Sequence[Pair], threshold: float = 0.5
) -> float:
    """P@IoU: share of predicted spans with tIoU >= threshold (ActivityNet-RTL), in [0, 1].

    With one span a query it equals R@1, except that a query without a prediction does not count.
    """
    ious = [tiou(p, g) for ps, g in zip(preds, golds, strict=True) for p in ps]
    return sum(v >= threshold for v in ious) / len(ious) if ious else 0.0


def f1_at(pred: Sequence[Pair], golds: Sequence[Pair], threshold: float = 0.5) -> float:
    """F1 of the spans of one query, in [0, 1], as E.T. Bench scores action localisation.

    Precision: share of predicted spans with tIoU >= threshold with any true one; recall: share of
    true spans so reached. A true span may be reached by several predictions.
    """
    hits = [[tiou(p, g) >= threshold for g in golds] for p in pred]
    right, reached = sum(map(any, hits)), sum(map(any, zip(*hits, strict=True)))
    if not right:
        return 0.0
    precision, recall = right / len(pred), reached / len(golds)
    return 2 * precision * recall / (precision + recall)


def ra_iou(preds: Sequence[Pair | None], golds: Sequence[Pair | None]) -> float:
    """Relevance-aware IoU: tIoU for answerable queries, 1 for refusing one without an answer.

    Args:
        preds: Predicted span, None for a refusal.
        golds: True span, None if there is none.
    """
    values = [
        float(p is None) if g is None else tiou(p, g) if p is not None else 0.0
        for p, g in zip(preds, golds, strict=True)
    ]
    return sum(values) / len(values) if values else 0.0
