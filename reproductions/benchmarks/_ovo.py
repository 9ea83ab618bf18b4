"""OVO-Bench's three ways of answering, and its mean over tasks and modes."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from reproductions.benchmarks._base import Graded, Number, Shape
from reproductions.benchmarks._choice import CHOICE, letter_of
from reproductions.metrics.accuracy import macro_accuracy
from reproductions.shared.method import Sample


def _ovo(sample: Sample, prediction: Any) -> Graded:
    """OVO-Bench: the gold letter or word in the answer, all digits of a count joined together."""
    if prediction is None:
        return Graded(None, {"accuracy": 0.0}, "no answer")
    text = str(prediction)
    if sample.problem_type == "numerical":
        found = "".join(re.findall(r"\d", text))
        return Graded(found or None, {"accuracy": float(found == sample.answer)})
    if sample.problem_type == "yes or no":
        short = {"Y": "Yes", "N": "No"}.get(text, text)
        return Graded(short[:80] or None, {"accuracy": float(sample.answer in short)})
    return Graded(text[:80] or None, {"accuracy": float(sample.answer in text)})


def _careful(sample: Sample, prediction: Any) -> Graded:
    """The letter, the only yes or no, or the last number of the answer."""
    if prediction is None:
        return Graded(None, {"accuracy": 0.0}, "no answer")
    text = str(prediction)
    if sample.problem_type == "multiple choice":
        return CHOICE.rules["careful"](sample, prediction)
    pattern = r"\d+" if sample.problem_type == "numerical" else r"(?i)\b(?:yes|no)\b"
    found = [x.capitalize() for x in re.findall(pattern, text)]
    if not found or (sample.problem_type == "yes or no" and len(set(found)) > 1):
        return Graded(None, {"accuracy": 0.0})
    return Graded(found[-1], {"accuracy": float(found[-1] == sample.answer)})


def mode_mean(
    mode: Callable[[str], str],
) -> Callable[[Sequence[Sample], Sequence[Graded]], dict[str, Number]]:
    """Totals: for each mode the mean over its tasks, and the mean of the modes."""

    def totals(samples: Sequence[Sample], graded: Sequence[Graded]) -> dict[str, Number]:
        modes: dict[str, list[tuple[float, str]]] = {}
        for sample, answer in zip(samples, graded, strict=True):
            if not sample.task:
                return {}
            modes.setdefault(mode(sample.task), []).append((answer.values["accuracy"], sample.task))
        means = {
            m: macro_accuracy([v for v, _ in rows], [t for _, t in rows])
            for m, rows in modes.items()
        }
        if not means:
            return {}
        return {
            "mean over modes": Number(sum(means.values()) / len(means), len(means), unit="modes")
        }

    return totals


def _gold(value: Any, options: Sequence[str]) -> str:
    return letter_of(value, options) if options else str(value).strip()


OVO = Shape("ovo", {"ovo": _ovo, "careful": _careful}, "careful", CHOICE.numbers, _gold)
