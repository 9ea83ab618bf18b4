"""Plain decoding: one greedy answer to one prompt over evenly spaced frames.

Paper: none; what the test-time methods of the survey (arXiv 2510.05034, Sec. 4) are compared with.
Catalog: decode
Baseline: none; this is a baseline.
Delta: none.
Not reproduced: nothing. A published model is not trained, so paper.yaml has no stage; the stage
    below is for a small model that starts from random weights.
"""

from reproductions.shared.decoding.skills import target
from reproductions.shared.method import Method, Stage
from reproductions.shared.prompts import think_then_answer

METHOD = Method(
    id="decode",
    stages=(Stage("sft", "sft"),),
    prompt=think_then_answer,
    format_target=target,
)
