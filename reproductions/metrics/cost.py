"""What answers cost, from the records of an evaluation: tokens, frames, calls, seconds, budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import mean, median
from typing import Any

__all__ = [
    "accuracy_per_kilotoken",
    "budget_reward",
    "format_rate",
    "gpu_hours",
    "latency",
    "per_question",
    "throughput",
]


def per_question(records: Sequence[Mapping[str, Any]], name: str) -> dict[str, float]:
    """Mean and median of a cost over questions: frames, visual_tokens, tokens_out, paths, tools.

    Raises:
        KeyError: A record does not say it; the message names the record's id.
    """
    for record in records:
        if record.get(name) is None:
            raise KeyError(f"record {record.get('id')!r} has no {name}; all turns must log it")
    values = [float(r[name]) for r in records]
    return {"mean": mean(values), "median": median(values)} if values else {"mean": 0, "median": 0}


def latency(seconds: Sequence[float]) -> float:
    """Mean seconds a question; only comparable on one named device."""
    return sum(seconds) / len(seconds) if seconds else 0.0


def throughput(questions: int, seconds: float) -> float:
    """Questions per second of wall-clock time."""
    return questions / seconds if seconds > 0 else 0.0


def accuracy_per_kilotoken(accuracy: float, tokens: float) -> float:
    """Accuracy (a fraction) over thousands of tokens a question."""
    return 1000 * accuracy / tokens if tokens > 0 else 0.0


def gpu_hours(devices: int, hours: float) -> float:
    """Devices times hours."""
    return devices * hours


def format_rate(valid: Sequence[bool]) -> float:
    """Share of answers in the required form (IFA of CG-AV-Counting), in [0, 1]."""
    return sum(valid) / len(valid) if valid else 0.0


def budget_reward(
    right: bool,
    used: float,
    budget: float,
    repeats: float = 0.0,
    weights: tuple[float, float] = (1.0, 1.0),
) -> float:
    """eta1 1[right] (1 - used/B) - eta2 repeats/used (arXiv 2510.05034v6 Sec. 3.3)."""
    gained = weights[0] * right * (1 - used / budget) if budget > 0 else 0.0
    return gained - (weights[1] * repeats / used if used > 0 else 0.0)
