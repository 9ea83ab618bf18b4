"""VideoRFT-RL-310K: the reinforcement-learning records of VideoRFT.

Data set: QiWang98/VideoRFT-Data on Hugging Face. Video-R1's fields (QiWang98/VideoRFT @ bba6099),
but the options stand in `problem`.
"""

from __future__ import annotations

from functools import partial

from reproductions.datasets import _records
from reproductions.datasets._records import RecordError

__all__ = ["RecordError", "load"]

load = partial(_records.load, adapt=_records.numbered, options_inside=True)
"""Reads the record file."""
