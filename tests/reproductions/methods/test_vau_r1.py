"""The rewards of VAU-R1 for questions, spans and classes, worked out by hand."""

from __future__ import annotations

import pytest

from reproductions.methods.vau_r1.method import METHOD, NORMAL, format_target, prompt, when
from reproductions.shared.method import Context, Sample

OPTIONS = ("A. theft", "B. fire", "C. traffic", "D. never")
FIRE = Sample(id="f", question="What?", answer="B", options=OPTIONS, meta={"interval": [2.0, 6.0]})
QUIET = Sample(id="n", question="What?", answer="D", options=OPTIONS, rationale="no fire")
PLAIN = Sample(id="q", question="Where?", answer="A", options=("A. street", "B. shop"))
CLASS = Sample(id="c", question="Class?", answer="Water_incident", problem_type="free-form")


def answer(text, glue=None):
    tail = "" if glue is None else f"<glue>{glue}</glue>"
    return f"<think>x</think><answer>{text}</answer>{tail}"


def scores(completion, sample, variant="paper"):
    columns = {"sample": [sample], "context": [Context(variant=variant)]}
    return [r(prompts=[""], completions=[completion], **columns)[0] for r in METHOD.rewards]


@pytest.mark.parametrize(
    ("completion", "sample", "expected"),
    [
        # R_TAG = accuracy + overlap + format. 4..6 of 2..6: 2 s of 4 s.
        (answer("B", "[4.0, 6.0]"), FIRE, [1.0, 0.5, 1.0]),
        # 3..7 against 2..6: 3 s of 5 s.
        (answer("A", "[3.0, 7.0]"), FIRE, [0.0, 0.6, 1.0]),
        (answer("B. fire", "[6.0, 8.0]"), FIRE, [1.0, 0.0, 1.0]),
        (answer("D", "[-1.0, -1.0]"), FIRE, [0.0, 0.0, 1.0]),
        (answer("D", "[-1.0, -1.0]"), QUIET, [1.0, 1.0, 1.0]),
        (answer("B", "[0.0, 2.0]"), QUIET, [0.0, 0.0, 1.0]),
        # No valid span: reversed, two of them, words, none.
        (answer("B", "[6.0, 2.0]"), FIRE, [1.0, 0.0, 0.0]),
        (answer("B", "[(2.0, 3.0), (3.0, 6.0)]"), FIRE, [1.0, 0.0, 0.0]),
        (answer("B", "soon"), FIRE, [1.0, 0.0, 0.0]),
        (answer("B"), FIRE, [1.0, 0.0, 0.0]),
        # R_QA and R_CLS = accuracy + format.
        (answer("A"), PLAIN, [1.0, 0.0, 1.0]),
        (answer("B", "[0.0, 1.0]"), PLAIN, [0.0, 0.0, 0.0]),
        (answer("water_INCIDENT "), CLASS, [1.0, 0.0, 1.0]),
        (answer("water"), CLASS, [0.0, 0.0, 1.0]),
        ("water_incident", CLASS, [0.0, 0.0, 0.0]),
        (answer(""), CLASS, [0.0, 0.0, 1.0]),
    ],
)
def test_rewards_by_task(completion, sample, expected):
    assert scores(completion, sample) == pytest.approx(expected)


def test_moments_without_length_are_paid_for_in_the_official_code_alone():
    moment = Sample(id="m", question="?", answer="B", options=OPTIONS, meta={"interval": [3, 3]})
    for text, paid in ((answer("B", "[3.0, 3.0]"), 1.0), (answer("B", "[8.0, 8.0]"), 1.0)):
        assert [scores(text, moment, v)[1] for v in ("paper", "official_code")] == [0.0, paid]
    assert scores(answer("B", "[3.0, 5.0]"), moment, "official_code")[1] == 0.0


def test_no_letter_equals_no_letter_in_the_official_code_alone():
    odd = Sample(id="o", question="?", answer="?", options=("A. x", "B. y"))
    assert [scores(answer("the dog"), odd, v)[0] for v in ("paper", "official_code")] == [0.0, 1.0]


def test_the_target_of_a_grounded_question_earns_everything():
    assert (when(FIRE), when(QUIET), when(PLAIN), when(CLASS)) == ((2.0, 6.0), NORMAL, None, None)
    assert format_target(QUIET).endswith("<answer>D</answer><glue>[-1.0, -1.0]</glue>")
    for sample in (FIRE, QUIET):
        assert scores(format_target(sample), sample) == [1.0, 1.0, 1.0]
        assert "<glue>" in prompt(sample)
    assert "<glue>" not in prompt(PLAIN) + format_target(PLAIN) + prompt(CLASS)
