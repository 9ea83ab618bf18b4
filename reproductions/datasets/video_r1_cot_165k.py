"""Video-R1-COT-165k: the cold-start records of Video-R1, with a chain of thought each.

Data set: Video-R1/Video-R1-data on Hugging Face. The records of `video_r1_260k` plus `process`, a
chain of thought in think tags (written by Qwen2.5-VL-72B, then filtered by rules).
"""

from __future__ import annotations

from functools import partial

from reproductions.datasets import _records
from reproductions.datasets._records import RecordError

__all__ = ["RecordError", "load"]

load = partial(_records.load, require_process=True)
"""Reads Video-R1-COT-165k.json; `rationale` is the chain of thought without its tags."""
