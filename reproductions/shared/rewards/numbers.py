"""Numbers in answers: parsing, equality with a tolerance, relative accuracy."""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Sequence

# Possessive and anchored at the start of a run of digits, so that 100 kB of digits stay linear.
RUN = r"(?<!\d)\d++"
DECIMAL = r"(?:(?<!\d)\d++(?:\.\d++)?+|\.\d++)"


def words(text: str) -> tuple[str, ...]:
    """The words of a text as a tuple."""
    return tuple(text.split())


UNITS = words(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen"
)
TENS = words("twenty thirty forty fifty sixty seventy eighty ninety")
WORDS = {w: i for i, w in enumerate(UNITS)} | {w: 10 * i for i, w in enumerate(TENS, 2)}
"""Number words and their values, zero .. ninety."""
SCALED = {*WORDS, "hundred", "thousand"}


MOST_THRESHOLDS = 10_000


def mra_thresholds(start: float = 0.5, end: float = 0.95, interval: float = 0.05) -> list[float]:
    """Confidence thresholds start, .., end, evenly spaced (10 by default).

    Raises:
        ZeroDivisionError: The interval is 0.
        ValueError: There would be more than `MOST_THRESHOLDS`.
    """
    steps = (end - start) / interval
    if not abs(steps) < MOST_THRESHOLDS:
        raise ValueError(f"{steps:g} thresholds are more than {MOST_THRESHOLDS}")
    n = int(steps + 2)
    step = (end - start) / (n - 1) if n > 1 else 0.0
    return [start + i * step for i in range(n - 1)] + [end]


MRA_THRESHOLDS = tuple(mra_thresholds())


def to_float(text: str) -> float | None:
    """The text as a float after removing commas, None if it is no number ("nan", "inf" are)."""
    try:
        return float(text.replace(",", ""))
    except (ValueError, OverflowError):
        return None


def plain_float(text: str) -> float | None:
    """The text as a float, None if it is no number."""
    try:
        return float(text)
    except ValueError:
        return None


def finite(text: str) -> float | None:
    """As `to_float`, but None for "nan" and "inf", with which a model could buy reward."""
    value = to_float(text)
    return value if value is not None and math.isfinite(value) else None


def first_token_number(text: str) -> float | None:
    """The number before the first blank, without final points (VSI-Bench): "5 chairs" -> 5."""
    return plain_float(text.split(" ")[0].rstrip(".").strip())


def number_word(text: str, table: Sequence[str]) -> str | None:
    """The first word of `table` that stands as a whole word in the text."""
    found = set(re.findall(rf"\b(?:{'|'.join(table)})\b", text))
    return next((w for w in table if w in found), None)


def composed_number(text: str) -> float | None:
    """The number in digits or words that comes first ("twenty-one" -> 21); None without any.

    Number words add up as long as only "and" stands between them, "hundred" and "thousand"
    multiply; "1,000" is 1 (lmms-eval's VSI-Bench).
    """
    text = text.lower()
    tokens = list(re.finditer(r"[a-z]+", text))
    at = next((i for i, t in enumerate(tokens) if t.group() in SCALED), None)
    found = re.search(rf"-?{RUN}(?:\.\d++)?+", text)
    if found and (at is None or found.start() < tokens[at].start()):
        return float(found.group())
    if at is None:
        return None
    total = part = 0
    for word in (t.group() for t in tokens[at:]):
        if word == "thousand":
            total, part = total + max(1, part) * 1000, 0
        elif word == "hundred":
            part = max(1, part) * 100
        elif word in WORDS:
            part += WORDS[word]
        elif word != "and":
            break
    return float(total + part)


def last_number(text: str) -> float | None:
    """Number words replaced by digits, then the last number ("twenty-one" -> -1: "20-1")."""
    text = re.sub(rf"\b(?:{'|'.join(WORDS)})\b", lambda m: str(WORDS[m.group()]), text.lower())
    found = re.findall(rf"-?{DECIMAL}", text)
    return float(found[-1]) if found else None


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


def within(pred: float, gold: float, tolerance: float = 0.01) -> bool:
    """Whether the error is at most `tolerance` of |gold|."""
    return abs(pred - gold) <= tolerance * abs(gold)


def count_score(pred: float, gold: float) -> float:
    """1 - min(1, |p - g| / g), divided by the signed gold; for gold 0 only equality counts.

    In [0, 1] for a non-negative gold; a negative gold gives more than 1 (AV-Reasoner).
    """
    if gold == 0:
        return float(pred == 0)
    return 1 - min(1, abs(pred - gold) / gold)


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
        strict: `<` in place of `<=`.
        signed: Divide by the signed gold (VSI-Bench), so that a negative gold with any larger
            error still passes; False divides by |gold|.
        eps: Added to the denominator.
        thresholds: Confidence thresholds, .50, .55, ..., .95.

    Returns:
        The share; 0.0 where the division is undefined (gold 0 without eps, "nan").
    """
    scale = (gold if signed else abs(gold)) + eps
    if scale == 0 or math.isnan(pred) or math.isnan(scale) or math.isinf(scale):
        return 0.0
    error = abs(pred - gold) / scale
    hits = sum((error < 1 - t) if strict else (error <= 1 - t) for t in thresholds)
    return hits / len(thresholds) if thresholds else 0.0


def float32(value: float) -> float:
    """The nearest float32, as a float."""
    try:
        return float(struct.unpack("f", struct.pack("f", value))[0])
    except OverflowError:
        return math.copysign(math.inf, value)


def mra_float32(pred: float, gold: float) -> float:
    """MRA as Video-R1's evaluation computes it: float32, strict `<`, divided by |gold| + 1e-8.

    Differs from VSI-Bench's on the boundaries: .95 against 1 gives .9, 8.5 against 10 gives .7.
    """
    p, g = float32(pred), float32(gold)
    error = float32(float32(abs(float32(p - g))) / float32(abs(g) + float32(1e-8)))
    hits = sum(error < float32(1 - float32(0.5 + 0.05 * i)) for i in range(10))
    return hits / 10
