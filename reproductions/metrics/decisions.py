"""Class decisions: precision, recall, F1, average precision, and agreement beyond chance."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from reproductions.metrics.map_at_iou import interpolated_ap

__all__ = ["average_precision", "cohen_kappa", "f1", "macro_f1", "precision", "recall"]


def _counts(pred: Sequence[Hashable], gold: Sequence[Hashable], positive: Hashable) -> list[int]:
    pairs = list(zip(pred, gold, strict=True))
    hits = sum(p == g == positive for p, g in pairs)
    return [hits, sum(p == positive for p, _ in pairs), sum(g == positive for _, g in pairs)]


def precision(
    pred: Sequence[Hashable], gold: Sequence[Hashable], positive: Hashable = True
) -> float:
    """Share of predicted positives that are right; 0.0 if none was predicted."""
    hits, predicted, _ = _counts(pred, gold, positive)
    return hits / predicted if predicted else 0.0


def recall(pred: Sequence[Hashable], gold: Sequence[Hashable], positive: Hashable = True) -> float:
    """Share of true positives that are found; 0.0 if there are none."""
    hits, _, true = _counts(pred, gold, positive)
    return hits / true if true else 0.0


def f1(pred: Sequence[Hashable], gold: Sequence[Hashable], positive: Hashable = True) -> float:
    """Harmonic mean of precision and recall, in [0, 1]; refusal F1 with refusals as positives."""
    hits, predicted, true = _counts(pred, gold, positive)
    return 2 * hits / (predicted + true) if predicted + true else 0.0


def macro_f1(pred: Sequence[Hashable], gold: Sequence[Hashable]) -> float:
    """Mean F1 over the classes of the gold."""
    classes = list(dict.fromkeys(gold))
    return sum(f1(pred, gold, c) for c in classes) / len(classes) if classes else 0.0


def average_precision(
    scores: Sequence[float], gold: Sequence[bool], *, interpolated: bool = False
) -> float:
    """AP of ranked decisions, in [0, 1]: precision summed over the steps of recall.

    Args:
        scores: The higher the sooner; ties keep their order.
        gold: Whether the item is positive.
        interpolated: Take at each recall the best precision at it or beyond (VOC 2010).
    """
    order = sorted(range(len(scores)), key=lambda i: -scores[i])
    hits = [bool(gold[i]) for i in order]
    total = sum(hits)
    if interpolated or not total:
        return interpolated_ap(hits, total)
    right, area = 0, 0.0
    for rank, hit in enumerate(hits, 1):
        right += hit
        area += hit * right / rank
    return area / total


def cohen_kappa(a: Sequence[Hashable], b: Sequence[Hashable]) -> float:
    """Agreement of two judges beyond chance, in [-1, 1]; 1.0 if both always say one same thing."""
    n = len(a)
    if not n:
        return 0.0
    observed = sum(x == y for x, y in zip(a, b, strict=True)) / n
    expected = sum(list(a).count(c) * list(b).count(c) for c in set(a) | set(b)) / n**2
    return (observed - expected) / (1 - expected) if expected < 1 else 1.0
