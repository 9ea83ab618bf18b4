"""VideoRFT-RL-310K: the reinforcement-learning records of VideoRFT.

Data set: QiWang98/VideoRFT-Data on Hugging Face. Video-R1's fields (QiWang98/VideoRFT @ bba6099),
but the options stand in `problem`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from reproductions.datasets._records import RecordError, read_video_r1
from reproductions.datasets.video_r1_260k import log_skipped
from reproductions.shared.method import Sample

__all__ = ["RecordError", "load"]


def adapt(record: dict[str, Any], line: int) -> dict[str, Any]:
    """A record in Video-R1's form, named by its line where it has no id."""
    return {"problem_id": line} | record


def load(
    path: str | Path,
    video_root: str | Path,
    *,
    images: Literal["keep", "skip"] = "keep",
    on_problem: Literal["raise", "skip"] = "raise",
) -> list[Sample]:
    """Read the record file; arguments and errors are those of `video_r1_260k.load`."""
    read = read_video_r1(
        path, video_root, require_process=False, images=images, on_problem=on_problem,
        adapt=adapt, options_inside=True,
    )  # fmt: skip
    log_skipped(path, read)
    return read.samples
