"""Video-R1-COT-165k: the cold-start records of Video-R1, with a chain of thought each.

Data set: Video-R1/Video-R1-data on Hugging Face. The records of `video_r1_260k` plus `process`, a
chain of thought in think tags (written by Qwen2.5-VL-72B, then filtered by rules).
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from reproductions.datasets._records import RecordError, read_video_r1
from reproductions.datasets.video_r1_260k import log_skipped
from reproductions.shared.method import Sample

__all__ = ["RecordError", "load"]


def load(
    path: str | Path,
    video_root: str | Path,
    *,
    images: Literal["keep", "skip"] = "keep",
    on_problem: Literal["raise", "skip"] = "raise",
) -> list[Sample]:
    """Read Video-R1-COT-165k.json; `rationale` is the chain of thought without its tags.

    Arguments and errors are those of `video_r1_260k.load`.
    """
    read = read_video_r1(
        path, video_root, require_process=True, images=images, on_problem=on_problem
    )
    log_skipped(path, read)
    return read.samples
