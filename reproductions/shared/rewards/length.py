"""Rewards for the length of an answer."""

from __future__ import annotations

from collections.abc import Sequence


def length_window(
    lengths: Sequence[int],
    accuracies: Sequence[float],
    *,
    low: int = 320,
    high: int = 512,
    bonus: float = 0.2,
    floor: float = 0.1,
    min_correct: int = 2,
) -> list[float]:
    """The length reward of Video-R1: `bonus` for right answers of `low`..`high` tokens.

    Args:
        lengths: Tokens of each answer of one group.
        accuracies: Accuracy of each answer; over `floor` counts as right.
        low: Fewest tokens.
        high: Most tokens.
        bonus: What a right answer inside the window gains.
        floor: Accuracy above which an answer is right.
        min_correct: Right answers the group needs before any gains.

    Returns:
        One bonus an answer, 0.0 or `bonus`.
    """
    right = [a > floor for a in accuracies]
    if sum(right) < min_correct:
        return [0.0] * len(right)
    return [bonus if ok and low <= n <= high else 0.0 for ok, n in zip(right, lengths, strict=True)]


def soft_overlong(length: int, longest: int, buffer: int) -> float:
    """DAPO's penalty in [-1, 0]: 0 up to `longest - buffer`, then linear, -1 from `longest`."""
    over = length - (longest - buffer)
    if over <= 0:
        return 0.0
    return -1.0 if buffer <= 0 else max(-1.0, -over / buffer)


def longer_is_better(length: int, full: int, low: float = 0.0, high: float = 1.0) -> float:
    """From `low` for length 0 linearly to `high` at `full` characters or tokens and above."""
    return low + (high - low) * min(length / full, 1.0)
