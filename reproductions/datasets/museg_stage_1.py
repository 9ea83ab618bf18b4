"""MUSEG's first stage: 5,600 questions on one or several segments of a video.

Record file: THUNLP-MT/MUSEG @ 889565e, data/train/stage_1.jsonl. Fields: `idx`, `problem`,
`solution` (spans in seconds), `video` below the folder (videos/charades, videos/et_instruct_164k),
`duration` (not in all), `task` (tal: an action's segments; tvg: a sentence's one).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from reproductions.datasets._records import RecordError, read_video_r1, spans, tagged
from reproductions.datasets.video_r1_260k import log_skipped
from reproductions.shared.method import Sample

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


def load(
    path: str | Path,
    video_root: str | Path,
    *,
    images: Literal["keep", "skip"] = "keep",
    on_problem: Literal["raise", "skip"] = "raise",
) -> list[Sample]:
    """Read stage_1.jsonl; arguments and errors are those of `video_r1_260k.load`."""
    read = read_video_r1(
        path, video_root, require_process=False, images=images, on_problem=on_problem,
        adapt=adapt,
    )  # fmt: skip
    log_skipped(path, read)
    return read.samples
