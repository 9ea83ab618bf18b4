"""VideoRFT-CoT-102K: the cold-start records of VideoRFT, with a chain of thought each.

Data set: QiWang98/VideoRFT-Data on Hugging Face. Video-R1's fields (QiWang98/VideoRFT @ bba6099),
but the options stand in `problem`.
"""

from __future__ import annotations

from functools import partial

from reproductions.datasets import _records
from reproductions.datasets._records import RecordError

__all__ = ["RecordError", "load"]

load = partial(_records.load, require_process=True, adapt=_records.numbered, options_inside=True)
"""Reads the record file; each record has a chain of thought."""
