"""Token weights, soft rewards and inversion of TW-GRPO, with numbers worked out by hand."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest

from reproductions.methods.tw_grpo.method import METHOD, invert, prepare_data, token_weights
from reproductions.shared.method import Context, Sample

QUESTION = Sample(
    id="q",
    question="Which colour?",
    answer="B",
    options=("A. red", "B. blue", "C. green"),
    meta={"teacher_answer": "C"},
)


def test_inversion_asks_for_the_other_options():
    inverted = invert(QUESTION)
    assert inverted.answer == "A,C"
    assert inverted.meta["teacher_answer"] == "A,B"
    assert METHOD.prompt(inverted).startswith("Which options are wrong? Which colour?\nOptions:\nA")
    assert QUESTION.answer == "B"


def test_every_second_single_choice_question_is_inverted():
    several = Sample(id="m", question="?", answer="A,B", options=QUESTION.options)
    free = Sample(id="f", question="?", answer="red")
    given = [QUESTION, QUESTION, several, several, free, free]
    answers = [s.answer for s in prepare_data(given, Context())]
    assert answers == ["B", "A,C", "A,B", "A,B", "red", "red"]


@pytest.mark.parametrize(
    ("answer", "score"), [("A,C", 1.0), ("C", 0.5), ("A,B", 0.0), ("A, C", 1.0), ("", 0.0)]
)
def test_a_part_of_the_right_options_earns_its_share(answer, score):
    accuracy = METHOD.rewards[0]
    completion = f"<think>x</think><answer>{answer}</answer>"
    assert accuracy(prompts=[""], completions=[completion], solution=["A,C"]) == [score]


def tokens(logps, mask, variant="paper"):
    return SimpleNamespace(logps=logps, mask=mask, context=Context(variant=variant))


def test_weights_by_hand():
    """Places: agreement; -1 and -3 (mean -2); one answer over, the other alone, so no divergence.

    k3 at place 2: (e^-1 + 1 - 1 + e^1 - 1 - 1) / 2 = (0.367879 + 0.718282) / 2 = 0.543081, the
    largest, so its weight is 1.7; the other places score 0 and weigh 1.
    """
    torch = pytest.importorskip("torch")
    logps = torch.tensor([[-0.5, -1.0, -2.0], [-0.5, -3.0, 0.0]])
    mask = torch.tensor([[1, 1, 1], [1, 1, 0]])
    assert token_weights(tokens(logps, mask)).tolist() == [
        pytest.approx([1.0, 1.7, 1.0], abs=1e-6),
        pytest.approx([1.0, 1.7, 0.0], abs=1e-6),
    ]
    # A third place with half the spread: k3 is cosh(0.5) - 1 of cosh(1) - 1 there.
    logps = torch.tensor([[-0.5, -1.0, -1.0], [-0.5, -3.0, -2.0]])
    weight = 1 + 0.7 * (math.cosh(0.5) - 1) / (math.cosh(1.0) - 1)
    found = token_weights(tokens(logps, torch.ones(2, 3, dtype=torch.long)))
    assert found[0, 2].item() == pytest.approx(weight, abs=1e-6)
    assert found[1].tolist() == found[0].tolist()


def test_the_gradient_flows_through_the_weights_in_the_official_code_alone():
    torch = pytest.importorskip("torch")
    mask = torch.ones(2, 2, dtype=torch.long)
    for variant, expected in (("paper", False), ("official_code", True)):
        logps = torch.tensor([[-0.5, -1.0], [-0.7, -3.0]], requires_grad=True)
        assert token_weights(tokens(logps, mask, variant)).requires_grad is expected


def test_log_ratios_are_bounded():
    torch = pytest.importorskip("torch")
    logps = torch.tensor([[-1.0, 0.0], [-1.0, -500.0]])
    weights = token_weights(tokens(logps, torch.ones(2, 2, dtype=torch.long)))
    assert torch.isfinite(weights).all() and weights.max().item() == pytest.approx(1.7)
