"""Single-object tracking: overlap, success and precision curves; and tracks of points.

Boxes are [x0, y0, x1, y1] in pixels, one a frame; None is a frame without a prediction.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from reproductions.shared.rewards.boxes import Box, box_iou

__all__ = [
    "average_jaccard",
    "average_overlap",
    "normalised_precision",
    "overlaps",
    "success_auc",
    "success_rate",
    "tracking_precision",
]

OVERLAPS = tuple(i / 20 for i in range(21))
"""Thresholds of the success plot (LaSOT, TNL2K)."""
POINT_PIXELS = (1, 2, 4, 8, 16)
"""Distances of TAP-Vid's Average Jaccard, at 256 x 256 pixels."""


def overlaps(pred: Sequence[Box | None], gold: Sequence[Box]) -> list[float]:
    """IoU of each frame; frames that are missing at the end of the prediction count 0."""
    padded = [*pred[: len(gold)], *[None] * (len(gold) - len(pred))]
    return [box_iou(p, g) if p is not None else 0.0 for p, g in zip(padded, gold, strict=True)]


def average_overlap(ious: Sequence[Sequence[float]]) -> float:
    """AO of GOT-10k: mean over sequences of the mean IoU of their frames, in [0, 1].

    GOT-10k leaves out the first frame, which is given to the tracker; pass the others.
    """
    means = [sum(s) / len(s) for s in ious if s]
    return sum(means) / len(means) if means else 0.0


def success_rate(ious: Sequence[Sequence[float]], threshold: float = 0.5) -> float:
    """SR: mean over sequences of the share of frames with IoU > threshold, in [0, 1]."""
    return average_overlap([[float(v > threshold) for v in s] for s in ious])


def success_auc(ious: Sequence[Sequence[float]], thresholds: Sequence[float] = OVERLAPS) -> float:
    """Mean success rate over 21 overlap thresholds from 0 to 1 (LaSOT), in [0, 1]."""
    return sum(success_rate(ious, t) for t in thresholds) / len(thresholds)


def _centre(box: Box) -> tuple[float, float]:
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2


def _shares(
    preds: Sequence[Sequence[Box | None]], golds: Sequence[Sequence[Box]], limit: float, norm: bool
) -> float:
    rates = []
    for pred, gold in zip(preds, golds, strict=True):
        padded = [*pred[: len(gold)], *[None] * (len(gold) - len(pred))]
        hits = 0
        for p, g in zip(padded, gold, strict=True):
            if p is None:
                continue
            (px, py), (gx, gy) = _centre(p), _centre(g)
            width, height = (g[2] - g[0], g[3] - g[1]) if norm else (1.0, 1.0)
            if width > 0 and height > 0:
                hits += math.hypot((px - gx) / width, (py - gy) / height) <= limit
        rates.append(hits / len(gold) if gold else 0.0)
    return sum(rates) / len(rates) if rates else 0.0


def tracking_precision(
    preds: Sequence[Sequence[Box | None]], golds: Sequence[Sequence[Box]], pixels: float = 20.0
) -> float:
    """Share of frames whose box centre is within `pixels` of the truth, mean over sequences."""
    return _shares(preds, golds, pixels, norm=False)


def normalised_precision(
    preds: Sequence[Sequence[Box | None]], golds: Sequence[Sequence[Box]]
) -> float:
    """Mean over 51 limits from 0 to 0.5 of the precision of centres in units of the box's size."""
    return sum(_shares(preds, golds, i / 100, norm=True) for i in range(51)) / 51


Point = tuple[float, float]


def average_jaccard(
    preds: Sequence[Sequence[Point | None]],
    golds: Sequence[Sequence[Point | None]],
    pixels: Sequence[float] = POINT_PIXELS,
) -> float:
    """Average Jaccard of point tracks (TAP-Vid, Perception Test), in [0, 1].

    True positives are visible points predicted visible within the distance; a visible point that
    is predicted too far away is a false positive and a false negative.

    Args:
        preds: For each track, the point of each frame [pixels], None where predicted hidden.
        golds: The same for the truth.
        pixels: Distances; a point at the very distance does not count.
    """
    values = []
    for limit in pixels:
        hits = shown = visible = 0
        for pred, gold in zip(preds, golds, strict=True):
            for p, g in zip(pred, gold, strict=True):
                visible += g is not None
                shown += p is not None
                hits += p is not None and g is not None and math.dist(p, g) < limit
        union = visible + shown - hits
        values.append(hits / union if union else 0.0)
    return sum(values) / len(values) if values else 0.0
