"""Accuracy: the share of right answers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence


def accuracy(scores: Sequence[float]) -> float:
    """Mean of per-sample scores in [0, 1]; 0.0 for none."""
    return sum(scores) / len(scores) if scores else 0.0


def macro_accuracy(scores: Sequence[float], tasks: Sequence[str]) -> float:
    """Mean over tasks of the mean within each task, as MVBench and VSI-Bench report."""
    groups: dict[str, list[float]] = defaultdict(list)
    for score, task in zip(scores, tasks, strict=True):
        groups[task].append(score)
    return accuracy([accuracy(g) for g in groups.values()])
