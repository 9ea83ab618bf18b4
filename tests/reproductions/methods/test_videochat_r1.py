"""The rules of VideoChat-R1 for each task, worked out by hand."""

from __future__ import annotations

import pytest

from reproductions.methods.videochat_r1.method import METHOD, format_target, prompt
from reproductions.shared.method import Sample

SPAN = Sample(id="t", question="When?", answer="2.0 to 6.0", problem_type="temporal grounding")
TRACK = Sample(
    id="b", question="Where?", answer="[[0, 0, 2, 2], [0, 0, 2, 4]]", problem_type="tracking"
)
ASK = Sample(
    id="q",
    question="Which?",
    answer="B",
    options=("A. red", "B. blue"),
    rationale="x",
    meta={"interval": [4.0, 6.0]},
)


def scores(completion, sample):
    return [r(prompts=[""], completions=[completion], sample=[sample])[0] for r in METHOD.rewards]


def answer(text, glue=""):
    tail = f"<glue>{glue}</glue>" if glue else ""
    return f"<think>x</think><answer>{text}</answer>{tail}"


@pytest.mark.parametrize(
    ("completion", "sample", "expected"),
    [
        (answer("4.0 to 6.0"), SPAN, [0.5, 0.0, 1.0]),
        (answer("6.0 to 4.0"), SPAN, [0.0, 0.0, 1.0]),
        ("4.0 to 6.0", SPAN, [0.0, 0.0, 0.0]),
        # IoU 1 and 2/4, mean 0.75.
        (answer("[[0, 0, 2, 2], [0, 0, 2, 2]]"), TRACK, [0.75, 0.0, 1.0]),
        (answer("[[0, 0, 2, 2]]"), TRACK, [0.0, 0.0, 0.0]),
        # Evidence 4..6 of 5..6: IoU 0.5.
        (answer("B. blue", "[(5.0, 6.0)]"), ASK, [0.5, 1.0, 1.0]),
        (answer("A", "[(4.0, 5.0), (5.0, 6.0)]"), ASK, [1.0, 0.0, 1.0]),
        (answer("B"), ASK, [0.0, 1.0, 0.0]),
        (answer("B", "4.0 to 6.0"), ASK, [0.0, 1.0, 0.0]),
    ],
)
def test_rewards_by_task(completion, sample, expected):
    assert scores(completion, sample) == pytest.approx(expected)


def test_the_target_of_a_grounded_question_earns_everything():
    assert format_target(ASK).endswith("<glue>[(4.0, 6.0)]</glue>")
    assert scores(format_target(ASK), ASK) == [1.0, 1.0, 1.0]
    assert "<glue>" in prompt(ASK) and "<glue>" not in prompt(SPAN) + format_target(SPAN)
