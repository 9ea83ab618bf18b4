"""CLEVRER, counterfactual questions with one or several right options, as TW-GRPO trains on them.

Data set: longmalongma/TW-GRPO @ aa529ff. Fields: `problem` (options inside), `solution`
(<answer>A,B</answer>), `video`.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from reproductions.datasets import _records
from reproductions.datasets._records import RecordError, tagged

__all__ = ["RecordError", "load"]


def adapt(record: dict[str, Any], line: int) -> dict[str, Any]:
    """A record in Video-R1's form, named by its line."""
    return {
        "problem_id": line,
        "problem": record.get("problem"),
        "data_type": "video",
        "problem_type": "multiple choice",
        "solution": tagged(record.get("solution")),
        "path": record.get("video"),
    }


load = partial(_records.load, adapt=adapt, options_inside=True)
"""Reads the record file."""
