"""Texts judged by points: which points of the reference they cover, which of their own hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from reproductions.benchmarks._base import Graded, Number, Shape, means
from reproductions.benchmarks._boxes import data_of
from reproductions.benchmarks._open import text_gold
from reproductions.benchmarks._spans import part
from reproductions.metrics.judge import coverage_f1
from reproductions.shared.method import Sample


def _holds(value: Any) -> bool:
    """Whether a point counts: a truth value, or the judge's word "entailment"."""
    if isinstance(value, Mapping):
        value = value.get("judgement", value.get("relationship"))
    if isinstance(value, str):
        return value.strip().lower() in ("entailment", "yes", "true")
    return value is True or value == 1


def _points(sample: Sample, prediction: Any) -> Graded:
    """Precision, recall and F1 of the verdict {"covered": [..], "supported": [..]}.

    "covered" says for each point of the reference whether the text entails it, "supported" for each
    point of the text whether the reference does.
    """
    verdict = data_of(part(prediction, "verdict"))
    lists = [verdict.get(k) for k in ("covered", "supported")] if isinstance(verdict, dict) else []
    if len(lists) != 2 or not all(isinstance(x, list) for x in lists):
        empty = dict.fromkeys(("F1", "precision", "recall"), 0.0)
        return Graded(None, {**empty, **_COUNTS}, "there is no verdict of a judge")
    covered, supported = ([_holds(v) for v in x or ()] for x in lists)
    precision, recall, f1 = coverage_f1(supported, covered)
    counts = (sum(supported), len(supported), sum(covered), len(covered))
    values = {"F1": f1, "precision": precision, "recall": recall}
    values |= dict(zip(_COUNTS, map(float, counts), strict=True))
    return Graded([sum(covered), len(covered)], values)


_COUNTS = {"supported": 0.0, "said": 0.0, "covered": 0.0, "asked": 0.0}


def _pooled(samples: Sequence[Sample], graded: Sequence[Graded]) -> dict[str, Number]:
    """Over all points at once; F1 is that of the pooled precision and recall."""
    total = {k: int(sum(g.values[k] for g in graded)) for k in _COUNTS}
    precision = total["supported"] / total["said"] if total["said"] else 0.0
    recall = total["covered"] / total["asked"] if total["asked"] else 0.0
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    return {
        "F1": Number(f1, len(graded), unit="texts"),
        "precision": Number(precision, total["said"], unit="points"),
        "recall": Number(recall, total["asked"], unit="points"),
    }


def _shape(numbers: Callable[[Sequence[Sample], Sequence[Graded]], dict[str, Number]]) -> Shape:
    return Shape(
        "open", {"points": _points}, "points", numbers, text_gold, parts=("verdict",),
        judged=("points",),
    )  # fmt: skip


POINTS = _shape(lambda _, graded: means(graded, names=("F1", "precision", "recall")))
POOLED = _shape(_pooled)
