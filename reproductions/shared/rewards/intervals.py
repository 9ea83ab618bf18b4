"""Time intervals [start, end] in seconds: parsing, IoU and its relatives.

Official code disagrees on what overlaps mean for empty, reversed and disjoint spans. The functions
here define the plain case; `rules.py` names the deviations.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

Span = tuple[float, float]
Pair = Sequence[float]

# Possessive and anchored at the start of a run of digits, so that 100 kB of digits stay linear.
_NUM = r"(?<!\d)(\d++\.?+\d*+)"
_TO = re.compile(_NUM + r" (?:to|and) (\d++\.?+\d*+)", re.IGNORECASE)


def parse_to(text: str) -> Span | None:
    """The last "12.5 to 17" or "12.5 and 17" in the text (Time-R1), None if there is none.

    Signs are not read ("-5 to 3" is 5..3) and reversed spans are kept.
    """
    found = _TO.findall(text)
    return (float(found[-1][0]), float(found[-1][1])) if found else None


def overlap(a: Pair, b: Pair) -> float:
    """Length of the intersection, 0 if disjoint."""
    return max(0.0, min(a[1], b[1]) - max(a[0], b[0]))


def tiou(pred: Pair, gold: Pair, *, empty: float = 0.0) -> float:
    """Temporal IoU over the hull: intersection / (latest end - earliest start), in [0, 1].

    Equals the set IoU whenever the spans overlap.

    Args:
        pred: Predicted [start, end], seconds.
        gold: True [start, end], seconds.
        empty: The value where the hull has no positive length.
    """
    hull = max(pred[1], gold[1]) - min(pred[0], gold[0])
    if not hull > 0:
        return empty
    return overlap(pred, gold) / hull


def union_iou(pred: Pair, gold: Pair, *, empty: float = 0.0) -> float:
    """Temporal IoU over the true union: lengths minus intersection."""
    union = (pred[1] - pred[0]) + (gold[1] - gold[0]) - overlap(pred, gold)
    return overlap(pred, gold) / union if union > 0 else empty
