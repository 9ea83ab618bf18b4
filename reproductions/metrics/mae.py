"""Errors of counts: mean absolute, root mean squared, off by one."""

from __future__ import annotations

import math
from collections.abc import Sequence


def mae(preds: Sequence[float], golds: Sequence[float], cap: float = math.inf) -> float:
    """Mean absolute error; single errors are cut at `cap`."""
    errors = [min(cap, abs(p - g)) for p, g in zip(preds, golds, strict=True)]
    return sum(errors) / len(errors) if errors else 0.0


def rmse(preds: Sequence[float], golds: Sequence[float]) -> float:
    """Root mean squared error."""
    squares = [(p - g) ** 2 for p, g in zip(preds, golds, strict=True)]
    return math.sqrt(sum(squares) / len(squares)) if squares else 0.0


def off_by_one_accuracy(preds: Sequence[float], golds: Sequence[float]) -> float:
    """Share of counts that miss by at most one."""
    hits = [abs(p - g) <= 1 for p, g in zip(preds, golds, strict=True)]
    return sum(hits) / len(hits) if hits else 0.0
