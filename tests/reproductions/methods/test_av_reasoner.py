"""The graded count and the weights of AV-Reasoner, worked out by hand."""

from __future__ import annotations

import pytest

from reproductions.methods.av_reasoner.method import METHOD
from reproductions.shared.method import Sample

COUNT = Sample(id="c", question="How many?", answer="4", problem_type="numerical")
SPAN = Sample(id="t", question="When?", answer="2.0 to 6.0", problem_type="temporal grounding")
ASK = Sample(id="q", question="Which?", answer="B", options=("A. red", "B. blue"))


def total(text, sample):
    completion = f"<think>x</think><answer>{text}</answer>"
    values = [r(prompts=[""], completions=[completion], sample=[sample])[0] for r in METHOD.rewards]
    return sum(w * v for w, v in zip(METHOD.reward_weights, values, strict=True))


@pytest.mark.parametrize(
    ("text", "sample", "expected"),
    [
        ("4", COUNT, 11.0),
        ("3", COUNT, 8.5),  # 10 x (1 - 1/4) + 1
        ("5", COUNT, 8.5),
        ("9", COUNT, 1.0),
        ("three", COUNT, 1.0),
        ("4.0", COUNT, 1.0),
        ("9" * 2000, COUNT, 1.0),
        ("4.0 to 6.0", SPAN, 6.0),
        ("B", ASK, 11.0),
        ("B. blue", ASK, 1.0),
    ],
)
def test_totals(text, sample, expected):
    assert total(text, sample) == pytest.approx(expected)
