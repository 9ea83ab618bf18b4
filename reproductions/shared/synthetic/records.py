"""Published record formats, written from synthetic samples, so that real readers can be tested.

Each function takes one sample of `dataset.build` and returns one record as JSON-ready data. Video
paths are relative to `root`. Where a field's name or form is recalled rather than seen in a
source, its function's docstring says "assumed".
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from reproductions.shared.method import Sample

Record = dict[str, Any]


def video_r1(sample: Sample, root: str | Path) -> Record:
    """Video-R1-260k / Video-R1-COT-165k record, with our extra keys `task` and `meta`.

    Fields as Video-R1's code reads them (tulerfeng/Video-R1 @ 59d65c3, src/r1-v): `problem_id`,
    `problem`, `data_type`, `problem_type`, `options`, `solution` in answer tags, `path` starting
    with "./", and for the SFT set `process` in think tags.
    """
    record: Record = {
        "problem_id": sample.id,
        "problem": sample.question,
        "data_type": "video",
        "problem_type": sample.problem_type,
        "options": list(sample.options),
        "solution": f"<answer>{sample.answer}</answer>",
        "path": f"./{_relative(sample, root)}",
        "task": sample.task,
        "meta": dict(sample.meta),
    }
    if sample.rationale:
        record["process"] = f"<think>{sample.rationale}</think>"
    return record


def from_video_r1(record: Mapping[str, Any], root: str | Path) -> Sample:
    """The inverse of `video_r1`, for records we wrote; others go through reproductions.datasets."""
    return Sample(
        id=record["problem_id"],
        question=record["problem"],
        answer=record["solution"].removeprefix("<answer>").removesuffix("</answer>"),
        problem_type=record["problem_type"],
        options=tuple(record["options"]),
        video=str(Path(root) / record["path"]),
        rationale=record.get("process", "").removeprefix("<think>").removesuffix("</think>"),
        task=record["task"],
        meta=record["meta"],
    )


def _relative(sample: Sample, root: str | Path) -> str:
    if sample.video is None:
        raise ValueError(f"{sample.id}: has no video. Build it with dataset.build first.")
    return PurePosixPath(Path(sample.video).relative_to(root)).as_posix()
