"""RRPO's self-alignment set: pairs of a right answer and the model's own wrong one.

Data set: pritamqu/self-alignment on Hugging Face. Fields (pritamqu/RRPO @ a905573, docs/DATA.md):
`question` (after an <image> mark), `answer` (preferred), `pred` (not preferred), the same with the
differing phrases in MASK tags, `src`, `sample_id`, `video`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from reproductions.datasets._records import RecordError, pair, read_video_r1, tagged
from reproductions.datasets.video_r1_260k import log_skipped
from reproductions.shared.method import Sample

__all__ = ["RecordError", "load"]


def adapt(record: dict[str, Any], line: int) -> dict[str, Any]:
    """A record in Video-R1's form, with the pair in `meta`; named by its line: ids may repeat."""
    answer = record.get("answer")
    return {
        "problem_id": line,
        "problem": str(record.get("question") or "").removeprefix("<image>").strip(),
        "data_type": "video",
        "problem_type": "free-form",
        "solution": tagged(answer),
        "path": record.get("video"),
        "meta": pair(answer, record.get("pred")),
        **{k: record.get(k) for k in ("answer_masked", "pred_masked", "src", "sample_id")},
    }


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
        adapt=adapt,
    )  # fmt: skip
    log_skipped(path, read)
    return read.samples
