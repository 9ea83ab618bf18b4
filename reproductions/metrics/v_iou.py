"""Where: boxes and tubes over frames, and V-STaR's joint scores."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from reproductions.shared.rewards.boxes import Box, box_iou, track_iou

__all__ = [
    "box_accuracy",
    "box_iou",
    "centre_distance",
    "corners",
    "m_v_iou",
    "overlap_success_rate",
    "track_iou",
    "v_iou",
    "v_iou_at",
    "v_star_am",
    "v_star_lgm",
]


def corners(box: Sequence[float]) -> list[float]:
    """[x, y, width, height] as corners."""
    return [box[0], box[1], box[0] + box[2], box[1] + box[3]]


def v_iou(pred: Mapping[float, Box], gold: Mapping[float, Box]) -> float:
    """VIoU of two tubes (frame -> box): IoUs of common frames over all frames, in [0, 1]."""
    union = set(pred) | set(gold)
    common = set(pred) & set(gold)
    return sum(box_iou(pred[t], gold[t]) for t in common) / len(union) if union else 0.0


def m_v_iou(values: Sequence[float]) -> float:
    """m_vIoU: mean vIoU over samples, in [0, 1]."""
    return sum(values) / len(values) if values else 0.0


def v_iou_at(values: Sequence[float], threshold: float = 0.5, *, strict: bool = True) -> float:
    """vIoU@R, the share of samples above R; `strict=False` counts R itself (AP@vIoU of V-STaR)."""
    hits = [v > threshold if strict else v >= threshold for v in values]
    return sum(hits) / len(hits) if hits else 0.0


def box_accuracy(preds: Sequence[Box], golds: Sequence[Box], threshold: float = 0.5) -> float:
    """Share of boxes with IoU > threshold."""
    hits = [box_iou(p, g) > threshold for p, g in zip(preds, golds, strict=True)]
    return sum(hits) / len(hits) if hits else 0.0


def overlap_success_rate(
    tracks: Sequence[Sequence[Box]], golds: Sequence[Sequence[Box]], threshold: float = 0.5
) -> float:
    """SR: share of frames with IoU > threshold, averaged over sequences (GOT-10k)."""
    rates = [box_accuracy(p, g, threshold) for p, g in zip(tracks, golds, strict=True)]
    return sum(rates) / len(rates) if rates else 0.0


def centre_distance(pred: Sequence[Box], gold: Sequence[Box]) -> float:
    """Mean distance between box centres, in the boxes' unit; infinity without frames."""
    pairs = list(zip(pred, gold, strict=True))
    distances = [
        math.dist(((p[0] + p[2]) / 2, (p[1] + p[3]) / 2), ((g[0] + g[2]) / 2, (g[1] + g[3]) / 2))
        for p, g in pairs
    ]
    return sum(distances) / len(distances) if distances else math.inf


def v_star_am(what: float, when: float, where: float) -> float:
    """V-STaR's arithmetic mean of accuracy, mean tIoU and mean vIoU (`eval.py` @1894682)."""
    return (what + when + where) / 3


def v_star_lgm(what: float, when: float, where: float) -> float:
    """V-STaR's log-geometric mean -(1/3) sum ln(1 - x); infinity if any part is perfect."""
    if max(what, when, where) >= 1:
        return math.inf
    return -(math.log(1 - what) + math.log(1 - when) + math.log(1 - where)) / 3
