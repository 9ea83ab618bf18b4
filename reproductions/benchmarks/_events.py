"""Dense captions: events with their spans, as data or as written by a model.

The gold of a video is a JSON list of reference annotations, each a list of [start, end, caption].
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from reproductions.benchmarks._base import Graded, Number, Shape, means
from reproductions.benchmarks._boxes import data_of
from reproductions.benchmarks._spans import seconds
from reproductions.metrics.soda_c import Event, dense_caption_score, localisation, soda_video
from reproductions.shared.method import Sample
from reproductions.shared.rewards.intervals import clock

_TIME = r"(\d{1,3}(?::\d{2}){1,2}(?:\.\d{1,6})?|\d{1,7}(?:\.\d{1,6})?)"
_LINE = re.compile(
    rf"(?:from\s+)?[\[(<]?\s*{_TIME}\s*(?:s|sec|seconds?)?\s*(?:-|\u2013|to|,|and)\s*{_TIME}"
    r"\s*(?:s\b|sec\b|seconds?\b)?\s*[\])>]?\s*[,:.-]?\s*(.+)",
    re.IGNORECASE,
)
MAX_EVENTS = 300


def events_of(value: Any) -> list[Event]:
    """Events of a logged answer: records, {"timestamps", "sentences"}, or lines of text.

    A record has timestamp, segment or start and end; and sentence, caption, text or description.
    """
    data = data_of(value)
    if isinstance(data, Mapping):
        folded = {str(k).lower(): v for k, v in data.items()}
        if isinstance(folded.get("timestamps"), list):
            texts = folded.get("sentences") or folded.get("captions") or []
            if not isinstance(texts, list):
                return []
            pairs = zip(folded["timestamps"], texts, strict=False)
            data = [{"timestamp": t, "caption": c} for t, c in pairs]
            return events_of(data)
        for name in ("events", "annotations", "results", "captions"):
            if isinstance(folded.get(name), list):
                return events_of(folded[name])
        data = [data]
    entries = data if isinstance(data, list) else []
    found = [event for entry in entries if (event := _event(entry)) is not None]
    if not found and isinstance(value, str):
        for line in value.splitlines():
            match = _LINE.search(line[:2000])
            if match:
                start, end = clock(match.group(1)), clock(match.group(2))
                found.append((min(start, end), max(start, end), match.group(3).strip()))
    return found[:MAX_EVENTS]


def _event(entry: Any) -> Event | None:
    if isinstance(entry, list | tuple) and len(entry) == 3 and isinstance(entry[2], str):
        start, end, text = entry
    elif isinstance(entry, Mapping):
        folded = {str(k).lower(): v for k, v in entry.items()}
        span = next(
            (folded[k] for k in ("timestamp", "segment", "span", "time") if k in folded), None
        )
        if span is None and "start" in folded and "end" in folded:
            span = [folded["start"], folded["end"]]
        text = next(
            (folded[k] for k in ("sentence", "caption", "text", "description") if k in folded), None
        )
        if not isinstance(span, list | tuple) or len(span) < 2 or text is None:
            return None
        start, end = span[0], span[1]
    else:
        return None
    times = seconds(start), seconds(end)
    if times[0] is None or times[1] is None:
        return None
    return times[0], times[1], str(text).strip()


def events_gold(value: Any, options: Sequence[str] = ()) -> str:
    """Logged gold events as JSON; ValueError if there are none."""
    events = events_of(value)
    if not events:
        raise ValueError(f"the gold {str(value)[:60]!r} holds no event with span and caption")
    return json.dumps([events])


def golds_of(sample: Sample) -> list[list[Event]]:
    """The reference annotations of a sample."""
    return [[(e[0], e[1], e[2]) for e in ref] for ref in json.loads(sample.answer)]


def _dense(sample: Sample, prediction: Any) -> Graded:
    golds = golds_of(sample)
    events = [] if prediction is None else events_of(prediction)
    best = max((soda_video(events, g) for g in golds), key=lambda r: r[2], default=(0.0, 0.0, 0.0))
    precision, recall, f1 = localisation(events, golds)
    values = {
        "SODA_c": best[2],
        "CIDEr": dense_caption_score(events, golds, "cider"),
        "METEOR": dense_caption_score(events, golds, "meteor"),
        "F1": f1,
        "precision": precision,
        "recall": recall,
    }
    return Graded(f"{len(events)} events" if events else None, values, "" if events else "no event")


def _numbers(samples: Sequence[Sample], graded: Sequence[Graded]) -> dict[str, Number]:
    return means(graded, "videos")


DENSE = Shape("dense", {"dense": _dense}, "dense", _numbers, events_gold)
"""Captions with spans; several records of one video in a log are one answer."""
