"""SpaceR-151k: spatial questions on scans of rooms, and general ones.

Data set: RUBBISHLIKE/SpaceR-151k on Hugging Face. Video-R1's fields (OuyangKun10/SpaceR @ b623af5,
SG-RLVR.py), but the options stand in `problem`; `data_source` is SR_dataset for the spatial part.
Their maps of objects are a file of their own and are not read.
"""

from __future__ import annotations

from functools import partial

from reproductions.datasets import _records
from reproductions.datasets._records import RecordError

__all__ = ["RecordError", "load"]

load = partial(_records.load, adapt=_records.numbered, options_inside=True)
"""Reads the record file."""
