"""RRPO's self-alignment set: pairs of a right answer and the model's own wrong one.

Data set: pritamqu/self-alignment on Hugging Face. Fields (pritamqu/RRPO @ a905573, docs/DATA.md):
`question` (after an <image> mark), `answer` (preferred), `pred` (not preferred), the same with the
differing phrases in MASK tags, `src`, `sample_id`, `video`.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from reproductions.datasets import _records
from reproductions.datasets._records import RecordError, pair, tagged

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


load = partial(_records.load, adapt=adapt)
"""Reads the record file."""
