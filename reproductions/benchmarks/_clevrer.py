"""Questions with several right options: CLEVRER's per-question and per-option accuracy."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from reproductions.benchmarks._base import Graded, Number, Rule, Shape
from reproductions.benchmarks._choice import LETTERS, lettered
from reproductions.benchmarks._open import final
from reproductions.metrics.token_f1 import exact_match
from reproductions.shared.method import Sample
from reproductions.shared.rewards import choice
from reproductions.shared.rewards.tags import extract_tag

Entry = Mapping[str, Any]


def choices(entries: Sequence[Entry]) -> tuple[str, ...]:
    """Options of a question, by their ids."""
    return lettered([e["choice"] for e in sorted(entries, key=lambda e: e["choice_id"])])


def set_gold(entries: Sequence[Entry]) -> str:
    """Letters of the right options: "A,C"; "none" if no option is right, "" if not published."""
    ordered = sorted(entries, key=lambda e: e["choice_id"])
    if not all("answer" in e for e in ordered):
        return ""
    right = [x for x, e in zip(LETTERS, ordered, strict=False) if e["answer"] == "correct"]
    return ",".join(right) or "none"


def _letters(text: str, count: int) -> set[str] | None:
    """Letters of an answer like "A, C" or "A and C"; an answer of "none" is the empty set."""
    if re.fullmatch(r"(?i)\W*none\W*", text):
        return set()
    found = set(re.findall(rf"\b[A-{LETTERS[count - 1]}]\b", text))
    return found or None


def _sets(sample: Sample, prediction: Any) -> Graded:
    text = final(prediction)
    if text is None:
        return Graded(None, {"accuracy": 0.0}, "no answer")
    if not sample.options:
        return Graded(text[:80] or None, {"accuracy": exact_match(text, sample.answer)})
    count = len(sample.options)
    gold = set() if sample.answer == "none" else set(sample.answer.split(","))
    found = _letters(text, count)
    if found is None:
        return Graded(None, {"accuracy": 0.0, "options": 0.0, "of": float(count)})
    same = sum((x in found) == (x in gold) for x in LETTERS[:count])
    values = {"accuracy": float(found == gold), "options": float(same), "of": float(count)}
    return Graded(",".join(sorted(found)) or "none", values)


def _tw_grpo(sample: Sample, prediction: Any) -> Graded:
    """TW-GRPO's soft reward: the share of the right options that were named, 0 with a wrong one."""
    if prediction is None:
        return Graded(None, {"accuracy": 0.0}, "no answer")
    text = extract_tag(str(prediction), default=str(prediction).strip())
    value = choice.subset_score(choice.letter_set(text), choice.letter_set(sample.answer))
    return Graded(text[:80] or None, {"accuracy": value})


def _numbers(samples: Sequence[Sample], graded: Sequence[Graded]) -> dict[str, Number]:
    n = len(graded)
    found = {"accuracy": Number(sum(g.values["accuracy"] for g in graded) / n if n else 0.0, n)}
    of = sum(g.values.get("of", 0.0) for g in graded)
    if of:
        right = sum(g.values.get("options", 0.0) for g in graded)
        found["per option"] = Number(right / of, int(of), unit="options")
    return found


def _gold(value: Any, options: Sequence[str]) -> str:
    text = extract_tag(str(value), default=str(value)).strip()
    if not options:
        return text
    letters = choice.letter_set(text)
    if not letters <= set(LETTERS[: len(options)]):
        raise ValueError(f"the gold {text[:40]!r} is no list of letters")
    return ",".join(sorted(letters))


RULES: dict[str, Rule] = {"sets": _sets, "tw_grpo": _tw_grpo}
SETS = Shape("sets", RULES, "sets", _numbers, _gold)
