"""Video-R1-260k: the reinforcement-learning records of Video-R1 as samples.

Data set: Video-R1/Video-R1-data on Hugging Face. Fields as Video-R1's code reads them
(tulerfeng/Video-R1 @ 59d65c3, src/r1-v/src/open_r1/grpo.py): `problem_id`, `problem`, `data_type`
(image or video), `problem_type`, `options`, `solution` in answer tags, `path` below the folder.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Literal

from reproductions.datasets._records import Read, RecordError, read_video_r1
from reproductions.shared.method import Sample

__all__ = ["RecordError", "load"]

_log = logging.getLogger(__name__)


def load(
    path: str | Path,
    video_root: str | Path,
    *,
    images: Literal["keep", "skip"] = "keep",
    on_problem: Literal["raise", "skip"] = "raise",
) -> list[Sample]:
    """Read Video-R1-260k.json (or the same records as JSON lines).

    Args:
        path: The record file.
        video_root: Folder to which the records' `path` is relative.
        images: "keep" gives image records as samples with `video` None and the file in
            `meta["image"]`; "skip" leaves them out. What is left out is counted in the log.
        on_problem: "skip" leaves bad records out (a partial download), instead of raising.

    Raises:
        RecordError: Lists the first 20 problems, each with file, line, field and remedy.
    """
    read = read_video_r1(
        path, video_root, require_process=False, images=images, on_problem=on_problem
    )
    log_skipped(path, read)
    return read.samples


def log_skipped(path: str | Path, read: Read) -> None:
    """Say how many records were left out and why."""
    for reason, count in read.skipped.items():
        _log.warning("%s: %d record(s) left out: %s", path, count, reason)
