"""Verdicts of judge models: reading them, and the scores made of them.

The judge is part of the protocol; here its text becomes numbers. A verdict that cannot be read is
None and is counted by the caller, never guessed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import NamedTuple

from reproductions.shared.rewards.boxes import literal

__all__ = [
    "Verdict",
    "coverage_f1",
    "judge_accuracy",
    "judge_score",
    "parse_grade",
    "parse_verdict",
    "question_mean",
]


class Verdict(NamedTuple):
    """What a judge said: whether the answer is right, and its score; None where it said nothing.

    A score that is no number, or not of the scale, is NaN.
    """

    right: bool | None
    score: float | None


_RIGHT = r"(?:correct|right|true)\b"
_WRONG = r"(?:incorrect|wrong|false)\b"
_NOT = r"(?:n['\u2019]t|\b(?:not|never|cannot|neither|nor|hardly|far\s+from))"
_FEW = r"\s+(?:[\w,]+\s+){0,3}?"
_YES = re.compile(rf"(?i)\b(?:yes\b|{_RIGHT})")
_NO = re.compile(r"(?i)\b(?:no|incorrect|wrong|false|not_attempted)\b")
_NOT_RIGHT = re.compile(rf"(?i){_NOT}{_FEW}{_RIGHT}|\brather\s+than\s+{_RIGHT}")
_NOT_WRONG = re.compile(
    rf"(?i){_NOT}{_FEW}{_WRONG}|\brather\s+than\s+{_WRONG}|\b(?:no|without)\s+(?:errors?|mistakes?)\b"
)
# "partially correct" is neither; "the correct colour" says nothing of the answer.
_NEITHER = re.compile(
    rf"(?i)\b(?:partially|partly|half|semi)[\s-]{_RIGHT}|\b(?:the|an?|any|some)\s+(?:{_RIGHT}|{_WRONG})\s+\w"
)
_PRED = re.compile(r"""(?i)["']?pred["']?\s*[:=]\s*["']?(yes|no|correct|incorrect|true|false)\b""")
_SCORE = re.compile(
    r"""(?i)["']?(?:score|rating)["']?\s*[:=]\s*["']?(-?\d{1,3}(?:\.\d{1,6})?(?:\s*(?:/|out\s+of)\s*\d{1,3})?)(?![\w%])"""
)
_NUMBER = re.compile(
    r"(?i)(-?\d{1,3}(?:\.\d{1,6})?)(?:\s*(?:/|out\s+of)\s*(\d{1,3}))?(?:\s*(?:points?|marks?))?"
)
LONGEST = 4000


def parse_verdict(text: object, highest: float = math.inf) -> Verdict:
    """A verdict as judges write it.

    Of a sentence, "not correct" is a no; "not wrong", "partially correct" and a yes beside a no are
    no verdict.

    Read are: {"pred": "yes", "score": 4} as JSON, Python or in a sentence (Video-ChatGPT,
    ActivityNet-QA); "yes", "Correct", "INCORRECT", "A" of VideoEval-Pro's three grades is left to
    `parse_grade`; a lone number is a score, as are "4/5" and "4 points"; truth values.

    Args:
        text: What the judge wrote.
        highest: End of the scale from 0; a score beyond it, or out of another number, is NaN.
    """
    if isinstance(text, bool):
        return Verdict(text, None)
    if isinstance(text, int | float):
        return Verdict(None, _score(text, highest) if text == text else None)
    if isinstance(text, dict):
        return _fields(text, highest)
    raw = str(text or "")[:LONGEST].strip()
    if "{" in raw:
        found = literal(raw[raw.index("{") : raw.rfind("}") + 1])
        if isinstance(found, dict):
            return _fields(found, highest)
    pred, score = _PRED.search(raw), _SCORE.search(raw)
    if pred or score:
        right = pred.group(1).lower() in ("yes", "correct", "true") if pred else None
        return Verdict(right, _score(score.group(1), highest) if score else None)
    if _NUMBER.fullmatch(raw):
        return Verdict(None, _score(raw, highest))
    return Verdict(_said(raw), None)


def _said(text: str) -> bool | None:
    """Whether a sentence says yes or no; None if it says both or neither."""
    rest, twice = _NOT_WRONG.subn(" ", text)
    rest, denied = _NOT_RIGHT.subn(" ", rest)
    rest = _NEITHER.sub(" ", rest)
    yes, no = bool(_YES.search(rest)), bool(denied or _NO.search(rest))
    return yes if yes != no and not (twice and no) else None


def _score(value: object, highest: float) -> float:
    number = _NUMBER.fullmatch(str(value).strip())
    if number is None or not 0 <= float(number.group(1)) <= highest:
        return math.nan
    whole = number.group(2)
    return float(number.group(1)) if not whole or highest in (math.inf, float(whole)) else math.nan


def _fields(record: dict[object, object], highest: float) -> Verdict:
    right: bool | None = None
    score: float | None = None
    for key, value in record.items():
        name = str(key).lower()
        if name in ("pred", "correct", "verdict", "judgement", "judgment", "answer", "is_correct"):
            inner = parse_verdict(value, 1.0)
            right = inner.right if inner.right is not None else right
            if inner.score in (0.0, 1.0):
                right = bool(inner.score)
        elif name in ("score", "rating") and value is not None:
            score = _score(value, highest)
    return Verdict(right, score)


def parse_grade(text: object) -> bool | None:
    """VideoEval-Pro's and SimpleQA's grades: A or CORRECT is right; B, C and the others are not."""
    raw = str(text or "").strip()[:LONGEST]
    lone = re.fullmatch(r"\(?([ABC])\)?\.?", raw)
    if lone:
        return lone.group(1) == "A"
    rest = _NEITHER.sub(" ", _NOT_RIGHT.sub(" INCORRECT ", _NOT_WRONG.sub(" ", raw)))
    words = re.findall(r"\b(NOT_ATTEMPTED|INCORRECT|CORRECT)\b", rest.upper())
    return words[-1] == "CORRECT" if words else None


def judge_accuracy(verdicts: Sequence[bool | None]) -> float:
    """Share of answers judged right, in [0, 1]; an unread verdict counts as wrong."""
    return sum(v is True for v in verdicts) / len(verdicts) if verdicts else 0.0


def judge_score(scores: Sequence[float | None], highest: float = 5.0) -> float:
    """Mean score on the judge's scale; an unread one counts 0 and the others are cut to the scale.

    Args:
        scores: Scores from 0 on.
        highest: 5 of Video-ChatGPT, 3 of MMBench-Video.
    """
    kept = [min(highest, max(0.0, s)) if s is not None else 0.0 for s in scores]
    return sum(kept) / len(kept) if kept else 0.0


def coverage_f1(
    pred_supported: Sequence[bool], gold_covered: Sequence[bool]
) -> tuple[float, float, float]:
    """(precision, recall, F1) of judged parts: AutoDQ's events, VCR-Bench's steps, key points.

    Args:
        pred_supported: For each predicted part, whether the reference entails it.
        gold_covered: For each reference part, whether the prediction covers it (event recall).
    """
    precision = judge_accuracy(list(pred_supported))
    recall = judge_accuracy(list(gold_covered))
    both = precision + recall
    return precision, recall, 2 * precision * recall / both if both else 0.0


def question_mean(items: Sequence[Sequence[float]]) -> float:
    """VDCscore: mean over captions of the mean verdict on the questions of each, in [0, 1]."""
    means = [sum(i) / len(i) for i in items if i]
    return sum(means) / len(means) if means else 0.0
