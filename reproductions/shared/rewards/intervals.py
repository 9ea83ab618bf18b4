"""Time intervals [start, end] in seconds: parsing, IoU and its relatives.

Official code disagrees on what empty, reversed and disjoint spans mean. The functions here define
the plain cases with the choice as a parameter; `official` says who chose what.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Sequence
from operator import itemgetter

from reproductions.shared.rewards.numbers import RUN

Span = tuple[float, float]
Pair = Sequence[float]

# Possessive and anchored at the start of a run of digits, so that 100 kB of digits stay linear.
_LEFT, _RIGHT = rf"({RUN}\.?+\d*+)", r"(\d++\.?+\d*+)"
_TO = re.compile(rf"{_LEFT} (?:to|and) {_RIGHT}")
_TO_ANY_CASE = re.compile(rf"{_LEFT} (?:to|and) {_RIGHT}", re.IGNORECASE)
_SECONDS = r"\d{1,9}+(?:\.\d{1,9}+)?+"
_ITEM = rf"{_SECONDS}(?: to |-){_SECONDS}"
_ITEMS = re.compile(rf"{_ITEM}(?:(?:,\s*+|\s++){_ITEM})*+")
_ENDS = re.compile(rf"({_SECONDS})(?: to |-)({_SECONDS})")


def parse_to(text: str, *, ignore_case: bool = True) -> Span | None:
    """The last "12.5 to 17" or "12.5 and 17" in the text (Time-R1), None if there is none.

    Signs are not read ("-5 to 3" is 5..3) and reversed spans are kept.
    """
    found = (_TO_ANY_CASE if ignore_case else _TO).findall(text)
    return (float(found[-1][0]), float(found[-1][1])) if found else None


def parse_all(text: str) -> list[Span]:
    """All of "1.0 to 2.0, 5.0 to 6.0" whose ends are in order."""
    found = ((float(a), float(b)) for a, b in _TO_ANY_CASE.findall(text))
    return [(a, b) for a, b in found if a < b < math.inf]


def parse_dashes(text: str) -> list[Span] | None:
    """All of "5.0-10.0 12-14" (MUSEG); None if any item is not number-number.

    Only the first two fields of an item count ("5-10-15" is 5..10).
    """
    spans = []
    for item in text.split():
        fields = item.split("-")
        try:
            spans.append((float(fields[0]), float(fields[1])))
        except (ValueError, IndexError):
            return None
    return spans


def parse_spans(gold: str) -> list[Span]:
    """The one or more segments of a gold, seconds; [] if anything else stands in it.

    Read are "1.0 to 2.0, 5.0 to 6.0", MUSEG's "1.0-2.0 5.0-6.0" and "[[1.0, 2.0], [5.0, 6.0]]".
    """
    text = gold.strip()
    if not text.startswith("["):
        found = _ENDS.findall(text) if _ITEMS.fullmatch(text) else []
        return [(float(start), float(end)) for start, end in found]
    try:
        value = json.loads(text)
        rows = value if isinstance(value[0], list) else [value]
        spans = [(float(start), float(end)) for start, end in rows]
    except (ValueError, TypeError, IndexError, OverflowError, RecursionError):
        return []
    return spans if all(math.isfinite(x) for span in spans for x in span) else []


def clock(text: str) -> float:
    """Seconds from "75", "1:15" or "1:02:03.5"; ValueError for anything else."""
    fields = text.strip().split(":")
    if len(fields) > 3:
        raise ValueError(f"not a time: {text!r}")
    return math.fsum(float(x) * 60.0**i for i, x in enumerate(reversed(fields)))


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
    value = overlap(pred, gold) / hull
    return value if value == value else 0.0


def union_iou(pred: Pair, gold: Pair, *, empty: float = 0.0) -> float:
    """Temporal IoU over the true union: lengths minus intersection."""
    common = overlap(pred, gold)
    union = (pred[1] - pred[0]) + (gold[1] - gold[0]) - common
    return common / union if union > 0 else empty


def iop(pred: Pair, gold: Pair) -> float:
    """Intersection over the prediction's length; 0.0 for an empty prediction."""
    length = pred[1] - pred[0]
    return overlap(pred, gold) / length if length > 0 else 0.0


def boundary_iou(pred: Pair, gold: Pair, duration: float, *, least: float = 0.0) -> float:
    """Timestamp-aware IoU of Time-R1: tIoU x (1 - |ds|/D) x (1 - |de|/D), in [0, 1].

    Args:
        pred: The answer.
        gold: The annotation.
        duration: D, of the video.
        least: Least value of the two factors. With 0 an error of more than D counts as D;
            officially there is none, so that the reward may become negative.
    """
    if not duration > 0:
        return 0.0
    start, end = (max(least, 1 - abs(p - g) / duration) for p, g in zip(pred, gold, strict=False))
    score = tiou(pred, gold) * start * end
    return score if math.isfinite(score) else 0.0


def giou(pred: Pair, gold: Pair) -> float:
    """Generalised IoU in [-1, 1]: IoU minus the share of the hull that neither span covers."""
    hull = max(pred[1], gold[1]) - min(pred[0], gold[0])
    if not hull > 0:
        return 0.0
    common = overlap(pred, gold)
    union = (pred[1] - pred[0]) + (gold[1] - gold[0]) - common
    return (common / union if union > 0 else 0.0) - (hull - union) / hull


def merge(spans: Iterable[Pair]) -> list[Span]:
    """Union of the spans as sorted disjoint ones; touching spans are joined."""
    merged: list[Span] = []
    for start, end in sorted(((float(s[0]), float(s[1])) for s in spans), key=itemgetter(0)):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged


def covered(spans: Iterable[Pair]) -> float:
    """Total length of the spans."""
    return sum((s[1] - s[0] for s in spans), 0.0)


def common_length(a: Sequence[Pair], b: Sequence[Pair]) -> float:
    """Length of the overlap of two lists of disjoint sorted spans (linear)."""
    total, i, j = 0.0, 0, 0
    while i < len(a) and j < len(b):
        total += overlap(a[i], b[j])
        if a[i][1] < b[j][1]:
            i += 1
        else:
            j += 1
    return total


def set_iou(pred: Iterable[Pair], gold: Iterable[Pair], *, empty: float = 0.0) -> float:
    """IoU of two sets of spans: merged intersection over merged union.

    Args:
        pred: Predicted spans.
        gold: True spans.
        empty: The value where the union has no length.
    """
    p, g = merge(pred), merge(gold)
    common = common_length(p, g)
    union = covered(p) + covered(g) - common
    return common / union if union > 0 else empty


def coverage_f1(pred: Iterable[Pair], gold: Sequence[Pair], eps: float = 1e-6) -> float:
    """F1 of the covered length (MUSEG's global matching), in [0, 1].

    Predicted spans are merged, true ones are taken as they are.
    """
    p = merge(pred)
    common = sum(overlap(a, b) for a in p for b in gold)
    precision, recall = common / (covered(p) + eps), common / (covered(gold) + eps)
    return 2 * precision * recall / (precision + recall + eps)


def f1_at(pred: Sequence[Pair], gold: Sequence[Pair], threshold: float) -> float:
    """F1 of spans matched one to one, greedily by IoU, at `threshold`, in [0, 1]."""
    pairs = sorted(
        ((union_iou(p, g), i, j) for i, p in enumerate(pred) for j, g in enumerate(gold)),
        reverse=True,
    )
    used_p: set[int] = set()
    used_g: set[int] = set()
    for value, i, j in pairs:
        if value >= threshold and i not in used_p and j not in used_g:
            used_p.add(i)
            used_g.add(j)
    total = len(pred) + len(gold)
    return 2 * len(used_p) / total if total else 0.0
