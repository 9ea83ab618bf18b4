"""Accuracy of answers, over items, tasks, and groups of related questions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence


def accuracy(scores: Sequence[float]) -> float:
    """Mean of per-item scores in [0, 1]; 0.0 for none."""
    return sum(scores) / len(scores) if scores else 0.0


def macro_accuracy(scores: Sequence[float], tasks: Sequence[str]) -> float:
    """Mean over tasks of the mean within each task, as MVBench and VSI-Bench report."""
    groups: dict[str, list[float]] = defaultdict(list)
    for score, task in zip(scores, tasks, strict=True):
        groups[task].append(score)
    return accuracy([accuracy(g) for g in groups.values()])


def all_right(scores: Sequence[float], groups: Sequence[str]) -> float:
    """Share of groups in which every item is right.

    Circular accuracy (rotated options), multi-binary accuracy (binary parts of one question), pair
    and group scores (counterfactual twins) are this with different groups.
    """
    whole: dict[str, bool] = {}
    for score, group in zip(scores, groups, strict=True):
        whole[group] = whole.get(group, True) and score >= 1
    return sum(whole.values()) / len(whole) if whole else 0.0


def robustness(primary: Sequence[float], variants: Sequence[Sequence[float]]) -> float:
    """Of the primary questions answered right, the share whose variants are all right too."""
    kept = [all(v >= 1 for v in vs) for p, vs in zip(primary, variants, strict=True) if p >= 1]
    return sum(kept) / len(kept) if kept else 0.0


def knowledge_gain(before: float, after: float) -> float:
    """(after - before) / (1 - before) of accuracies in [0, 1]; 0.0 if nothing was left to gain."""
    return (after - before) / (1 - before) if before < 1 else 0.0


def gap(with_cue: float, without: float) -> float:
    """Accuracy with a cue minus accuracy without: shuffle gap, blind gap, subtitle gap."""
    return with_cue - without
