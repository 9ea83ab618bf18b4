"""Rewards with TRL's signature. The rule by which an answer counts as right is a parameter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from reproductions.shared.method import RewardFunction
from reproductions.shared.rewards.intervals import parse_to, tiou
from reproductions.shared.rewards.numbers import finite, relative_score, same_number, to_float
from reproductions.shared.rewards.tags import extract_tag, find_tag, is_sequence, text_of
from reproductions.shared.rewards.text import rouge_mean, word_accuracy

Rule = Callable[[str, str, str, bool], float]
"""(completion, gold, problem_type, safe) -> score."""


def _column(columns: dict[str, Any], name: str, n: int, default: str) -> list[Any]:
    value = columns.get(name)
    if value is None:
        return [default] * n
    if isinstance(value, str) or not isinstance(value, Sequence):
        return [value] * n
    return list(value)


def video_r1(completion: str, gold: str, problem_type: str, safe: bool) -> float:
    """Accuracy of Video-R1 by problem type (`grpo.py` @59d65c3, `accuracy_reward`).

    Safe: the gold may come without tags, a missing answer scores 0 (officially "" == "" is
    right), "nan" and "inf" score 0 (officially "nan" earns the full regression reward), and
    "temporal grounding" is scored by tIoU (officially an unknown type, 0).
    """
    pred, want = extract_tag(completion), extract_tag(gold)
    if safe:
        want = gold.strip() if find_tag(gold) is None else want
        if not pred:
            return 0.0
    if problem_type == "multiple choice":
        return float(pred == want)
    if problem_type == "numerical":
        if safe and finite(pred) is None:
            return 0.0
        return float(same_number(pred, want))
    if problem_type == "OCR":
        return word_accuracy(pred, want)
    if problem_type == "free-form":
        return rouge_mean(pred, want)
    if problem_type == "regression":
        p, g = (finite(pred), finite(want)) if safe else (to_float(pred), to_float(want))
        if p is None or g is None:
            return 0.0
        if not safe and p != p:
            return 1.0  # max(0.0, nan) is 0.0: the official reward of the answer "nan"
        return relative_score(p, g)
    if safe and problem_type == "temporal grounding":
        a, b = parse_to(pred), parse_to(want)
        return tiou(a, b) if a and b else 0.0
    return 0.0


ACCURACY: dict[str, Rule] = {"video_r1": video_r1}


def accuracy(
    rule: str = "video_r1", *, safe: bool = True, name: str = "accuracy"
) -> RewardFunction:
    """The accuracy reward under a named rule.

    Args:
        rule: A key of `ACCURACY`.
        safe: Our repaired variant; False gives exactly what the official function gives.
        name: `__name__` of the reward, under which its scores are logged.

    Returns:
        `(prompts, completions, **columns) -> list[float]`; reads the columns `solution` (gold,
        with or without tags) and `problem_type` (default "multiple choice").

    Raises:
        KeyError: For an unknown rule.
    """
    if rule not in ACCURACY:
        raise KeyError(f"unknown accuracy rule {rule!r}; use one of: {', '.join(sorted(ACCURACY))}")
    score = ACCURACY[rule]

    def reward(prompts: list[Any], completions: list[Any], **columns: Any) -> list[float]:
        n = len(completions)
        golds = _column(columns, "solution", n, "")
        kinds = _column(columns, "problem_type", n, "multiple choice")
        return [
            score(text_of(c), str(g), str(k), safe)
            for c, g, k in zip(completions, golds, kinds, strict=True)
        ]

    reward.__name__ = name
    reward.__qualname__ = f"{name}[{rule}]"
    return reward


FORMATS: dict[str, Callable[[str], float]] = {
    "video_r1": lambda text: float(is_sequence(text)),
    "time_r1": lambda text: float(is_sequence(text.strip())),
}


def format_reward(rule: str = "video_r1", *, name: str = "format") -> RewardFunction:
    """The format reward under a named rule: does the completion keep to think and answer tags?

    Args:
        rule: A key of `FORMATS`; "video_r1" rejects any blank before or after.
        name: `__name__` of the reward, under which its scores are logged.

    Returns:
        `(prompts, completions, **columns) -> list[float]`.

    Raises:
        KeyError: For an unknown rule.
    """
    if rule not in FORMATS:
        raise KeyError(f"unknown format rule {rule!r}; use one of: {', '.join(sorted(FORMATS))}")
    score = FORMATS[rule]

    def reward(prompts: list[Any], completions: list[Any], **columns: Any) -> list[float]:
        return [score(text_of(c)) for c in completions]

    reward.__name__ = name
    reward.__qualname__ = f"{name}[{rule}]"
    return reward
