"""Texts: how alike they are, which are found by a query, how many fit."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from reproductions.shared.method import Sample

_WORD = re.compile(r"\w+")
MAX_SUBTITLES = 4_000_000
"""Bytes of a subtitle file that are read."""


def words(text: str) -> Counter[str]:
    """Word counts, case ignored."""
    return Counter(_WORD.findall(text.casefold()))


def similarity(a: str, b: str) -> float:
    """Cosine of the word counts, 0 to 1; 0 if one has no word."""
    x, y = words(a), words(b)
    dot = sum(n * y[word] for word, n in x.items())
    size = math.sqrt(sum(n * n for n in x.values()) * sum(n * n for n in y.values()))
    return dot / size if size else 0.0


def retrieve(query: str, texts: Sequence[str], k: int) -> list[int]:
    """Indices of the `k` texts most similar to the query, best first; a tie keeps the order."""
    scores = [similarity(query, text) for text in texts]
    return sorted(range(len(texts)), key=lambda i: -scores[i])[:k]


def fits(texts: Sequence[str], tokens: int) -> bool:
    """Whether texts hold at most this many tokens, by the rule of four characters a token."""
    return sum(len(t) for t in texts) <= 4 * tokens


def speech(sample: Sample, span: tuple[float, float] | None = None) -> list[str]:
    """What is said or subtitled, a line each with its start; () where the sample has nothing.

    Read from `meta["subtitle_cues"]` ({start, end [s], text}), else from the SubRip file
    `meta["subtitles"]`.

    Args:
        sample: The question.
        span: Only what is said between these seconds.
    """
    cues = sample.meta.get("subtitle_cues")
    if cues is None:
        path = sample.meta.get("subtitles")
        cues = read_srt(Path(path)) if path and Path(path).is_file() else []
    low, high = span or (0.0, math.inf)
    return [
        f"{float(c['start']):.1f}s: {c['text']}"
        for c in cues
        if c["start"] < high and c["end"] > low
    ]


_CUE = re.compile(
    r"(\d+):(\d\d):(\d\d)[,.](\d{1,3})\s*-->\s*(\d+):(\d\d):(\d\d)[,.](\d{1,3})[^\n]*\n"
)


def read_srt(path: Path) -> list[Mapping[str, float | str]]:
    """The cues of a SubRip file: start and end in seconds, and the text in one line."""
    with path.open(encoding="utf-8", errors="replace") as file:
        text = file.read(MAX_SUBTITLES).replace("\r\n", "\n")
    marks = list(_CUE.finditer(text))
    cues: list[Mapping[str, float | str]] = []
    for i, mark in enumerate(marks):
        end = marks[i + 1].start() if i + 1 < len(marks) else len(text)
        lines = text[mark.end() : end].strip().split("\n")
        if i + 1 < len(marks) and lines and lines[-1].strip().isdigit():
            lines = lines[:-1]  # the number of the next cue
        h, m, s, ms, h2, m2, s2, ms2 = (int(g) for g in mark.groups())
        start = 3600 * h + 60 * m + s + ms / 1000
        cues.append(
            {
                "start": start,
                "end": 3600 * h2 + 60 * m2 + s2 + ms2 / 1000,
                "text": " ".join(" ".join(lines).split()),
            }
        )
    return cues


def first_json(text: str) -> object:
    """The first JSON object in a text.

    Raises:
        ValueError: There is none; the message is for the model to read.
    """
    start = text.find("{")
    if start < 0:
        raise ValueError("no JSON object was found")
    try:
        value, _ = json.JSONDecoder().raw_decode(text[start:])
    except (ValueError, RecursionError) as error:
        raise ValueError(f"not JSON: {error}") from None
    return value
