"""MUSEG's second stage: 7,000 questions in the form of the first.

Record file: THUNLP-MT/MUSEG @ 889565e, data/train/stage_2.jsonl.
"""

from reproductions.datasets.museg_stage_1 import RecordError, load

__all__ = ["RecordError", "load"]
