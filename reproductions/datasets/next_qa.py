"""NExT-QA, multiple choice on videos of at most 30 s, as TinyLLaVA-Video-R1 trains on it.

Data set: Zhang199/TinyLLaVA-Video-R1-training-data on Hugging Face, nextqa_0-30s.jsonl (5,496
samples); the fields are those of `clevrer` (ZhangXJ199/TinyLLaVA-Video-R1 @ efe76a1).
"""

from reproductions.datasets.clevrer import RecordError, load

__all__ = ["RecordError", "load"]
