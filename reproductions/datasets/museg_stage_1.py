"""MUSEG's first stage: 5,600 questions on one or several segments of a video.

Record file: THUNLP-MT/MUSEG @ 889565e, data/train/stage_1.jsonl. Fields: `idx`, `problem`,
`solution` (spans in seconds), `video` below the folder (videos/charades, videos/et_instruct_164k),
`duration` (not in all), `task` (tal: an action's segments; tvg: a sentence's one).
"""

from __future__ import annotations

from functools import partial
from typing import Any

from reproductions.datasets import _records
from reproductions.datasets._records import RecordError, spans, tagged

__all__ = ["RecordError", "load"]


def adapt(record: dict[str, Any], line: int) -> dict[str, Any]:
    """A record in Video-R1's form; `duration` goes into `meta`."""
    return {
        "problem_id": record.get("idx"),
        "problem": record.get("problem"),
        "data_type": "video",
        "problem_type": "temporal grounding",
        "solution": tagged(spans(record.get("solution"), "solution")),
        "path": record.get("video"),
        "task": record.get("task"),
        "duration": record.get("duration"),
    }


load = partial(_records.load, adapt=adapt)
"""Reads stage_1.jsonl."""
