"""Ranked moments: mAP over tIoU thresholds and recall of the first n spans.

AP is that of the ActivityNet detection toolkit, by query, as jayleicn/moment_detr@b7e553a
`standalone_eval` prints it; its published run gives every printed number (tests, QVHighlights).
"""

from __future__ import annotations

from collections.abc import Sequence

from reproductions.shared.rewards.intervals import Pair, union_iou

__all__ = ["THRESHOLDS", "interpolated_ap", "map_at_iou", "moment_ap", "recall_at_n"]

THRESHOLDS = tuple(round(0.5 + 0.05 * i, 2) for i in range(10))
KEPT = 10
"""Spans of a query that count."""


def interpolated_ap(hits: Sequence[bool], positives: int) -> float:
    """Area under the interpolated precision-recall curve of ranked hits, in [0, 1].

    Precision at a recall is the largest at that recall or a higher one (VOC 2010 and later).
    """
    if not positives:
        return 0.0
    right, curve = 0, []
    for rank, hit in enumerate(hits, 1):
        right += hit
        curve.append((right / positives, right / rank))
    area, best, after = 0.0, 0.0, None
    for recall, precision in reversed(curve):
        if after is not None:
            area += (after - recall) * best
        best, after = max(best, precision), recall
    return area + (after or 0.0) * best


def moment_ap(
    pred: Sequence[Pair], gold: Sequence[Pair], thresholds: Sequence[float] = THRESHOLDS
) -> list[float]:
    """AP of one query at each threshold; a true span counts for one prediction.

    Args:
        pred: [start, end] or [start, end, confidence] in seconds; sorted by confidence if given,
            else in the order of the list. The first ten count.
        gold: True spans.
        thresholds: tIoU at or above which a prediction hits.
    """
    ranked = list(pred)[:KEPT]
    if ranked and all(len(p) > 2 for p in ranked):
        ranked.sort(key=lambda p: -p[2])
    ious = [
        sorted(((union_iou(p, g), j) for j, g in enumerate(gold)), reverse=True) for p in ranked
    ]
    found = []
    for threshold in thresholds:
        taken: set[int] = set()
        hits = []
        for row in ious:
            match = next((j for iou, j in row if iou >= threshold and j not in taken), None)
            hits.append(match is not None)
            if match is not None:
                taken.add(match)
        found.append(interpolated_ap(hits, len(gold)))
    return found


def map_at_iou(
    preds: Sequence[Sequence[Pair]],
    golds: Sequence[Sequence[Pair]],
    thresholds: Sequence[float] = THRESHOLDS,
) -> float:
    """Mean over thresholds and queries of `moment_ap`, in [0, 1]."""
    if not golds:
        return 0.0
    total = sum(sum(moment_ap(p, g, thresholds)) for p, g in zip(preds, golds, strict=True))
    return total / len(golds) / len(thresholds)


def recall_at_n(
    preds: Sequence[Sequence[Pair]],
    golds: Sequence[Sequence[Pair]],
    n: int = 1,
    threshold: float = 0.5,
) -> float:
    """R@n: share of queries one of whose first n spans reaches the tIoU with any true span."""
    hits = [
        any(union_iou(p, g) >= threshold for p in list(ps)[:n] for g in gs)
        for ps, gs in zip(preds, golds, strict=True)
    ]
    return sum(hits) / len(hits) if hits else 0.0
