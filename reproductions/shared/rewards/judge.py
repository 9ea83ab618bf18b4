"""LLM judges behind one small interface, so that judged rewards run and test without a model."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from reproductions.shared.method import RewardFunction
from reproductions.shared.rewards.tags import extract_tag, text_of

Judge = Callable[[str, str, str], float]
"""(question, answer, reference) -> score in [0, 1]. Any function is a scripted judge."""


def key(question: str, answer: str, reference: str) -> str:
    """Stable name of one question to a judge (sha256 of the three texts)."""
    return hashlib.sha256(json.dumps([question, answer, reference]).encode()).hexdigest()


class Recorded:
    """Replays a judge's scores from a JSON-lines file, and records new ones if given a judge.

    Args:
        path: One `{"key": .., "score": ..}` a line; created when first written.
        judge: Asked for what is not recorded yet; None makes the record read-only.

    Raises:
        KeyError: When something unrecorded is asked without a judge.
    """

    def __init__(self, path: Path, judge: Judge | None = None) -> None:
        self.path, self.judge = path, judge
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        self.scores: dict[str, float] = {
            row["key"]: float(row["score"]) for row in map(json.loads, lines)
        }

    def __call__(self, question: str, answer: str, reference: str) -> float:
        """The recorded score, or the judge's, which is then recorded."""
        name = key(question, answer, reference)
        if name not in self.scores:
            if self.judge is None:
                raise KeyError(
                    f"{self.path}: no recorded score for the answer {answer[:60]!r}; "
                    "record it by running once with a judge"
                )
            self.scores[name] = float(self.judge(question, answer, reference))
            row: Mapping[str, Any] = {"key": name, "score": self.scores[name]}
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
        return self.scores[name]


def by_words(question: str, answer: str, reference: str, *, lenient: bool = False) -> float:
    """A scripted judge that compares words, whatever their order and case.

    Args:
        question: Not looked at.
        answer: What is judged.
        reference: The right answer.
        lenient: Further words do no harm.

    Returns:
        1 for all words of the reference, 0.5 for some of them, 0 for none or with a further word.
    """
    said, wanted = set(answer.casefold().split()), set(reference.casefold().split())
    if not said or not (said & wanted if lenient else said <= wanted):
        return 0.0
    return 1.0 if wanted <= said else 0.5


def events_named(answer: str, reference: str) -> tuple[float, float]:
    """Recall and precision of the events of a caption, in which semicolons part them."""
    said, wanted = (
        {event.strip().casefold() for event in text.split(";")} for text in (answer, reference)
    )
    hits = len(said & wanted)
    return hits / len(wanted), hits / len(said)


def judged(judge: Judge, *, name: str = "judge", fallback: float = 0.0) -> RewardFunction:
    """A reward from a judge: the answer tag (or the whole text) against the gold.

    Args:
        judge: Any `Judge`; its score is cut to [0, 1].
        name: `__name__` of the reward.
        fallback: The score where the judge raises or returns no finite number.

    Raises:
        KeyError: From a `Recorded` judge that lacks a score.
    """

    def reward(prompts: list[Any], completions: list[Any], **columns: Any) -> list[float]:
        golds: Sequence[str] = columns.get("solution") or [""] * len(completions)
        questions: Sequence[str] = columns.get("problem") or [""] * len(completions)
        scores = []
        for completion, gold, question in zip(completions, golds, questions, strict=True):
            text = text_of(completion)
            answer = extract_tag(text, default=text.strip())
            try:
                score = float(judge(question, answer, extract_tag(gold, default=gold)))
            except LookupError:
                raise  # a gap in a record is the user's mistake, not the model's
            except Exception:  # a judge is another program: whatever it does, training goes on
                score = fallback
            scores.append(min(1.0, max(0.0, score)) if score == score else fallback)
        return scores

    reward.__name__ = name
    return reward
