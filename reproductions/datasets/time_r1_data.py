"""TimeRFT: 2,500 sentences and the spans that they describe, which Time-R1 is trained on.

Record file: xiaomi-research/time-r1 @ 7f2b594, train_2k5.json. Fields: `video` (from the folder of
their code: ./dataset/timer1/videos/..), `duration`, `timestamp` [s, e], `sentence`, `qid`,
`video_start` and `video_end` (of the part of a longer video), `difficulty` (IoU of the model before
training, percent) and `pred` (its span). The sentence is put into lower case and loses one full
stop, as their code does.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from reproductions.datasets import _records
from reproductions.datasets._records import RecordError, spans, tagged

__all__ = ["RecordError", "load"]


def adapt(record: dict[str, Any], line: int) -> dict[str, Any]:
    """A record in Video-R1's form; `duration` and `difficulty` go into `meta`."""
    sentence = str(record.get("sentence") or "").strip().lower().removesuffix(".")
    return {
        "problem_id": record.get("qid"),
        "problem": sentence and f'When does this happen in the video: "{sentence}"?',
        "data_type": "video",
        "problem_type": "temporal grounding",
        "solution": tagged(spans(record.get("timestamp"), "timestamp")),
        "path": record.get("video"),
        "duration": record.get("duration"),
        "difficulty": record.get("difficulty"),
    }


load = partial(_records.load, adapt=adapt)
"""Reads train_2k5.json."""
