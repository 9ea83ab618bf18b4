"""TempCompass' nested question files, and its matching of captions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from reproductions.benchmarks._base import Graded, Shape
from reproductions.benchmarks._choice import CHOICE
from reproductions.benchmarks._open import text_gold
from reproductions.shared.method import Sample
from reproductions.shared.rewards.official import evaluation as official


def entries(record: Mapping[str, Any]) -> Iterator[tuple[str, str, str, Mapping[str, Any]]]:
    """(id, video, aspect, question) of a row, or of a video with its aspects."""
    if "dim" in record:
        name = f"{record['video_id']}/{record['dim']}/{record['_place']}"
        yield name, str(record["video_id"]), record["dim"], record
        return
    for dim, questions in record.items():
        if isinstance(questions, list):
            for i, entry in enumerate(questions):
                yield f"{record['key']}/{dim}/{i}", str(record["key"]), dim, entry


def caption_options(text: str) -> tuple[str, tuple[str, ...]]:
    """(question, options "Option 1: ..") of a caption-matching question."""
    lines = text.strip().split("\n")
    return lines[0], tuple(lines[1:])


def _match(sample: Sample, prediction: Any) -> Graded:
    """Rules of the authors before their judge; what they leave to it counts as unread."""
    if prediction is None:
        return Graded(None, {"accuracy": 0.0}, "no answer")
    text = str(prediction)
    found = official.caption_match(text, list(sample.options), sample.answer)
    if found == "fail":
        return Graded(None, {"accuracy": 0.0}, "the published code asks a judge here")
    return Graded(text[:80], {"accuracy": float(found)})


def _careful(sample: Sample, prediction: Any) -> Graded:
    """The one option whose mark the answer starts with, or whose name or sentence it holds."""
    if prediction is None:
        return Graded(None, {"accuracy": 0.0}, "no answer")
    text = str(prediction).strip().lower()
    marks = {o: o.partition(":")[0].split()[-1].lower() for o in sample.options}
    named = [o for o, m in marks.items() if re.match(rf"\(?{re.escape(m)}(?![a-z0-9])", text)]
    if len(named) != 1:
        named = [
            o
            for o in sample.options
            if o.partition(":")[0].lower() in text
            or o.partition(": ")[2].lower().rstrip(".") in text
        ]
    if len(named) != 1:
        return Graded(None, {"accuracy": 0.0})
    gold = {sample.answer, sample.answer.partition(":")[0], sample.answer.partition(": ")[2]}
    right = named[0] == sample.answer or named[0].partition(":")[0] in gold
    return Graded(named[0][:80], {"accuracy": float(right)})


def _gold(value: Any, options: Sequence[str]) -> str:
    return text_gold(value)


MATCHING = Shape(
    "matching",
    {"tempcompass": _match, "careful": _careful},
    "careful",
    CHOICE.numbers,
    _gold,
    inline=caption_options,
)
