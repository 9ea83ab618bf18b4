"""Orders: of events in time, and of captions by how much they invent."""

from __future__ import annotations

import math
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


def _gain(ranks: Sequence[int]) -> float:
    """DCG of ranks from 0: of n items the first is worth n, the last 1."""
    return sum((len(ranks) - r) / math.log2(i + 2) for i, r in enumerate(ranks))


def ndcg(pred: Sequence[Hashable], gold: Sequence[Hashable]) -> float:
    """VidHal's NDCG of an order, in [0, 1]: 1.0 for the true one, 0.0 for its reverse.

    An order that leaves an item out, repeats one or names another earns 0.0.
    Source: Lookuz/VidHal@e394ae3 pipelines/evaluation.py.
    """
    if len(pred) != len(gold) or set(pred) != set(gold):
        return 0.0
    best, worst = _gain(range(len(gold))), _gain(range(len(gold))[::-1])
    if best == worst:  # a single item has one order only
        return 1.0
    return (_gain([list(gold).index(x) for x in pred]) - worst) / (best - worst)
