"""Numbers: VSI-Bench's mix of letters and quantities, and counts."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from typing import Any

from reproductions.benchmarks import _harness
from reproductions.benchmarks._base import Graded, Number, Rule, Shape
from reproductions.benchmarks._choice import READERS, by_letter, letter_of
from reproductions.metrics.mra import video_r1_mra, vsi_bench_mra
from reproductions.shared.method import Sample
from reproductions.shared.rewards import numbers
from reproductions.shared.rewards.official import evaluation as official
from reproductions.shared.rewards.tags import extract_tag, find_tag

NUMERAL = re.compile(r"[-+]?(?:\d{1,3}(?:,\d{3})+|\d{1,15})(?:\.\d{1,15})?")


def number_gold(value: Any, options: Sequence[str] = ()) -> str:
    """A logged gold as a number in text, or as a letter if there are options.

    Raises:
        ValueError: It is neither.
    """
    if options:
        return letter_of(value, options)
    text = extract_tag(str(value), default=str(value)).strip()
    if not isinstance(value, bool) and numbers.finite(text) is not None:
        return text
    if re.fullmatch(r"[A-F]", text):
        return text
    raise ValueError(f"the gold {text[:60]!r} is neither a finite number nor a letter")


def careful_number(text: str) -> float | None:
    """The number of the tagged answer, of what follows "answer", or the last one in the text."""
    part = find_tag(text, which="last")
    if part is None:
        part = text.rsplit("</think>", 1)[-1]
        part = re.split(r"(?i)\banswer\b", part)[-1]
    found = NUMERAL.findall(part[-2000:])
    if found:
        return float(found[-1].replace(",", ""))
    return numbers.composed_number(part[-200:])


def by_number(
    letter: str, read: Callable[[str], float | None], score: Callable[[float, float], float]
) -> Rule:
    """A rule for both kinds: the letter of a choice, the relative accuracy of a quantity."""
    choose = by_letter(READERS[letter])

    def rule(sample: Sample, prediction: Any) -> Graded:
        gold = numbers.finite(sample.answer)
        if sample.options or gold is None:
            graded = choose(sample, prediction)
            return Graded(graded.read, {"score": graded.values["accuracy"]}, graded.note)
        if prediction is None:
            return Graded(None, {"score": 0.0}, "no answer")
        found = read(str(prediction))
        if found is None or not math.isfinite(found):
            return Graded(None, {"score": 0.0})
        return Graded(found, {"score": min(1.0, max(0.0, score(found, gold)))})

    return rule


def _first_token(text: str, letters: Any, contents: Any) -> str:
    found = text.split(" ")[0].rstrip(".").strip().upper()
    return found if found in letters else ""


READERS["vsi_bench"] = _first_token


def family(task: str) -> str:
    """Task of VSI-Bench; the three levels of relative direction are one."""
    return re.sub(r"_(easy|medium|hard)$", "", task)


def vsi_numbers(samples: Sequence[Sample], graded: Sequence[Graded]) -> dict[str, Number]:
    """Mean over tasks (relative direction: mean of its three levels), and over all questions."""
    values = [g.values["score"] for g in graded]
    n = len(values)
    found = {"mean score": Number(sum(values) / n if n else 0.0, n)}
    tasks: dict[str, list[float]] = {}
    for sample, value in zip(samples, values, strict=True):
        tasks.setdefault(sample.task, []).append(value)
    if "" in tasks:
        return found
    levels: dict[str, list[float]] = {}
    for task, scores in tasks.items():
        levels.setdefault(family(task), []).append(sum(scores) / len(scores))
    means = {f: sum(v) / len(v) for f, v in levels.items()}
    overall = sum(means.values()) / len(means) if means else 0.0
    return {"overall": Number(overall, len(means), unit="tasks"), **found}


QUANTITY = Shape(
    name="quantity",
    rules={
        "thinking_in_space": by_number("vsi_bench", numbers.first_token_number, vsi_bench_mra),
        "lmms_eval_vsi": by_number("vsi_bench", numbers.composed_number, vsi_bench_mra),
        "vlmevalkit_spatial": by_number(
            "vlmevalkit_spatial",
            official.spatial_number,
            lambda p, g: official.absolute_mra(p, g, 0.5, 0.95, 0.05),
        ),
        "video_r1": by_number(
            "tagged",
            lambda t: numbers.finite(extract_tag(t, default=t)),
            video_r1_mra,
        ),
        "careful": by_number("careful", careful_number, vsi_bench_mra),
    },
    better="careful",
    numbers=vsi_numbers,
    gold=number_gold,
)


# -- counts ----------------------------------------------------------------------------------------


def by_count(read: Callable[[str], float | None]) -> Rule:
    """A rule for counts: right, off by at most one, and the error (only where one was read)."""

    def rule(sample: Sample, prediction: Any) -> Graded:
        gold = float(sample.answer)
        found = None if prediction is None else read(str(prediction))
        if found is None or not math.isfinite(found):
            return Graded(None, {"accuracy": 0.0, "OBO": 0.0}, "no number")
        error = abs(found - gold)
        values = {"accuracy": float(error == 0), "OBO": float(error <= 1), "error": error}
        return Graded(found, values)

    return rule


def count_numbers(samples: Sequence[Sample], graded: Sequence[Graded]) -> dict[str, Number]:
    """Accuracy and off-by-one accuracy of all; MAE and RMSE of the answers with a number."""
    n = len(graded)
    found = {
        name: Number(sum(g.values[name] for g in graded) / n if n else 0.0, n)
        for name in ("accuracy", "OBO")
    }
    errors = [g.values["error"] for g in graded if "error" in g.values]
    if errors:
        mean, square = sum(errors) / len(errors), sum(e * e for e in errors) / len(errors)
        found["MAE"] = Number(mean, len(errors), percent=False, unit="answers with a number")
        found["RMSE"] = Number(
            math.sqrt(square), len(errors), percent=False, unit="answers with a number"
        )
    return found


def count_gold(value: Any, options: Sequence[str] = ()) -> str:
    """A logged count as text; ValueError if it is no number."""
    text = extract_tag(str(value), default=str(value)).strip()
    if isinstance(value, bool) or numbers.finite(text) is None:
        raise ValueError(f"the gold {text[:40]!r} is no number")
    return text


COUNT = Shape(
    name="count",
    rules={
        "count": by_count(careful_number),
        "exact": by_count(lambda t: numbers.finite(t.strip())),
        "last_number": by_count(numbers.last_number),
        "lmms_eval_count": by_count(_harness.count),
    },
    better="count",
    numbers=count_numbers,
    gold=count_gold,
)
