"""Order of events."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from itertools import combinations


def order_consistency(pred: Sequence[Hashable], gold: Sequence[Hashable]) -> float:
    """Share of event pairs of the gold that the prediction names in the same order, in [0, 1]."""
    place = {event: i for i, event in reversed(list(enumerate(pred)))}
    pairs = list(combinations(gold, 2))
    hits = [a in place and b in place and place[a] < place[b] for a, b in pairs]
    return sum(hits) / len(hits) if hits else float(list(pred) == list(gold))


def order_and_count(pred: Sequence[Hashable], gold: Sequence[Hashable]) -> float:
    """1.0 if the prediction names the same events in the same order and number."""
    return float(list(pred) == list(gold))
