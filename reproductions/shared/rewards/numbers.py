"""Numbers in answers: parsing, equality with a tolerance, relative accuracy."""

from __future__ import annotations

import math
from collections.abc import Sequence

MRA_THRESHOLDS = tuple(0.5 + 0.05 * i for i in range(10))


def to_float(text: str) -> float | None:
    """The text as a float after removing commas, None if it is no number ("nan", "inf" are)."""
    try:
        return float(text.replace(",", ""))
    except (ValueError, OverflowError):
        return None


def finite(text: str) -> float | None:
    """As `to_float`, but None for "nan" and "inf", with which a model could buy reward."""
    value = to_float(text)
    return value if value is not None and math.isfinite(value) else None


def decimal_style(text: str) -> bool:
    """Whether the number is written with a point or a comma."""
    return "." in text or "," in text


def same_number(pred: str, gold: str, digits: int = 2) -> bool:
    """Numerical equality of Video-R1 (`grpo.py` @59d65c3).

    Both or neither written with a point or comma, and equal after rounding to `digits`; so "42"
    is not "42.0" and "1,000" is not "1000".
    """
    if decimal_style(pred) != decimal_style(gold):
        return False
    p, g = to_float(pred), to_float(gold)
    return p is not None and g is not None and round(p, digits) == round(g, digits)


def relative_score(pred: float, gold: float, eps: float = 1e-9) -> float:
    """1 - clamp((|p - g| + eps) / (|g| + eps), 0, 1), in [0, 1]; a "nan" scores 0."""
    error = (abs(pred - gold) + eps) / (abs(gold) + eps)
    return 1.0 - min(1.0, error) if error == error else 0.0


def mra(
    pred: float,
    gold: float,
    *,
    strict: bool = False,
    signed: bool = True,
    eps: float = 0.0,
    thresholds: Sequence[float] = MRA_THRESHOLDS,
) -> float:
    """Mean relative accuracy: the share of thresholds t with |p - g| / g <= 1 - t, in [0, 1].

    Args:
        pred: The predicted number.
        gold: The true number.
        strict: `<` in place of `<=` (Video-R1's evaluation).
        signed: Divide by the signed gold (VSI-Bench), so that a negative gold with any larger
            error still passes; False divides by |gold|.
        eps: Added to the denominator.
        thresholds: Confidence thresholds, .50, .55, ..., .95.

    Returns:
        The share; 0.0 where the division is undefined (gold 0 without eps, "nan").
    """
    scale = (gold if signed else abs(gold)) + eps
    if scale == 0 or math.isnan(pred) or math.isnan(scale):
        return 0.0
    error = abs(pred - gold) / scale
    hits = sum((error < 1 - t) if strict else (error <= 1 - t) for t in thresholds)
    return hits / len(thresholds)
