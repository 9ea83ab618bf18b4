"""Highlight detection on clips of two seconds: mAP and HIT@1 of predicted saliency.

Source: jayleicn/moment_detr@b7e553a `standalone_eval`; its published run gives every printed
number (tests, QVHighlights).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

CLIP = 2.0
"""Seconds of a clip."""


def positives(
    clips: Sequence[int], ratings: Sequence[Sequence[int]], count: int, least: int = 4
) -> list[list[bool]]:
    """For each annotator, whether each of `count` clips is rated at least `least`.

    Args:
        clips: Ids of the rated clips; the others are rated below everything.
        ratings: Ratings 0 (very bad) to 4 (very good) of each rated clip by each annotator.
        count: Clips of the video.
        least: 2 fair, 3 good, 4 very good.
    """
    annotators = len(ratings[0]) if ratings else 0
    table = [[False] * count for _ in range(annotators)]
    for clip, row in zip(clips, ratings, strict=True):
        for annotator, rating in enumerate(row):
            if 0 <= clip < count:
                table[annotator][clip] = rating >= least
    return table


def saliency_ap(scores: Sequence[float], truth: Sequence[bool]) -> float:
    """AP of the clips ranked by score: mean interpolated precision of the reached recalls.

    Scores are made as long as the truth: cut, or filled up with the lowest score. Clips with the
    same score share one place on the curve, and it counts once. A score that is not finite is the
    lowest. 0.0 without positives, and without any finite score.
    """
    padded = _finite(scores[: len(truth)])
    if not any(map(math.isfinite, padded)):
        return 0.0
    padded += [min(padded, default=0.0)] * (len(truth) - len(padded))
    order = sorted(range(len(truth)), key=lambda i: -padded[i])
    total = sum(truth)
    if not total:
        return 0.0
    right, before, curve = 0, 0, []
    for rank, i in enumerate(order, 1):
        right += truth[i]
        last = rank == len(order) or padded[order[rank]] != padded[i]
        if last and right > before:
            curve.append(right / rank)
            before = right
    ceiling, levels = 0.0, []
    for precision in reversed(curve):
        ceiling = max(ceiling, precision)
        levels.append(ceiling)
    return sum(levels) / len(levels)


def highlight_map(scores: Sequence[float], truth: Sequence[Sequence[bool]]) -> float:
    """Mean AP of one video over its annotators (`positives`), in [0, 1]."""
    return sum(saliency_ap(scores, t) for t in truth) / len(truth) if truth else 0.0


def hit_at_1(scores: Sequence[float], truth: Sequence[Sequence[bool]]) -> float:
    """1.0 if the clip with the highest score (the first on ties) is positive for any annotator."""
    count = len(truth[0]) if truth else 0
    if not count or not scores:
        return 0.0
    kept = _finite(scores[:count])
    top = max(range(len(kept)), key=lambda i: (kept[i], -i))
    return float(math.isfinite(kept[top]) and any(t[top] for t in truth))


def _finite(scores: Sequence[float]) -> list[float]:
    return [s if math.isfinite(s) else -math.inf for s in scores]


__all__ = ["CLIP", "highlight_map", "hit_at_1", "positives", "saliency_ap"]
