"""Supervised fine-tuning on question and answer.

Paper: visual instruction tuning, arXiv 2304.08485, Sec. 4.2.
Catalog: sft
Baseline: none; this is a baseline.
Delta: none.
Not reproduced: nothing.
"""

from reproductions.shared.method import Method, Stage
from reproductions.shared.prompts import answer_only, answer_target

METHOD = Method(
    id="sft",
    stages=(Stage("sft", "sft"),),
    prompt=answer_only,
    format_target=answer_target,
)
