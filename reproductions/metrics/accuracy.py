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


CHAINS = {
    "[1, 2, 3, 4]": (0.0, 1 / 16, 4 / 16, 9 / 16, 1.0),
    "[1, [2, 3], 4]": (0.0, 1 / 12, 4 / 12, 7 / 12, 1.0),
    "[[1, 2], 3, 4]": (0.0, 1 / 10, 2 / 10, 5 / 10, 1.0),
}
"""Video-MME-v2: structure of a group of steps -> its score by the number of steps that hold."""


def nonlinear_group_score(right: Sequence[bool], structure: str = "") -> float:
    """Score of a group of Video-MME-v2's questions, in [0, 1].

    Without a structure (questions on one subject) the square of the share that is right; else what
    the unbroken chain of right steps is worth, where one right of two parallel steps carries on.
    Source: MME-Benchmarks/Video-MME-v2@b24176a evaluation/test_video_mme_v2.py.

    Args:
        right: For each question of the group, in order, whether its answer is right.
        structure: "" or one of `CHAINS`, for four steps.
    """
    if not structure:
        return (sum(right) / len(right)) ** 2 if right else 0.0
    held = next((i for i, r in enumerate(right) if not r), len(right))
    if structure == "[1, [2, 3], 4]" and held == 1 and right[2]:
        held = 2
    if structure == "[[1, 2], 3, 4]" and held == 0 and right[1]:
        held = 1
    return CHAINS[structure][held]
