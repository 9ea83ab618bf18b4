"""Video-R1-260k: the reinforcement-learning records of Video-R1 as samples.

Data set: Video-R1/Video-R1-data on Hugging Face. Fields as Video-R1's code reads them
(tulerfeng/Video-R1 @ 59d65c3, src/r1-v/src/open_r1/grpo.py): `problem_id`, `problem`, `data_type`
(image or video), `problem_type`, `options`, `solution` in answer tags, `path` below the folder.
"""

from __future__ import annotations

from reproductions.datasets import _records
from reproductions.datasets._records import RecordError

__all__ = ["RecordError", "load"]

load = _records.load
"""Reads Video-R1-260k.json, or the same records as JSON lines."""
