"""Token weights, soft rewards and inversion of TW-GRPO, with numbers worked out by hand."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from reproductions.methods.tw_grpo import method
from reproductions.methods.tw_grpo.method import METHOD, invert, prepare_data, token_weights
from reproductions.shared.method import Context, Sample
from reproductions.shared.rewards.advantages import token_importance

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


def tokens(probabilities, mask, variant="paper"):
    """What a group's answers would write: probabilities [G, T, V]."""
    torch = pytest.importorskip("torch")
    from reproductions.shared.training.tokens import Vocabulary

    logits = torch.as_tensor(probabilities).log().requires_grad_()
    head = torch.nn.Linear(logits.shape[-1], logits.shape[-1], bias=False)
    torch.nn.init.eye_(head.weight)
    return SimpleNamespace(
        mask=torch.tensor(mask),
        context=Context(variant=variant),
        vocabulary=Vocabulary(logits, head, 1.0),
    )


EVEN, UP, DOWN = [0.5, 0.5], [0.8, 0.2], [0.2, 0.8]


def test_weights_by_hand():
    """Two answers over two words, in three places.

    1: both even, so nothing to tell apart. 2: mean of the logs log 0.4 for both words; k3 of
    log(0.4 / 0.8) is 0.193147, of log(0.4 / 0.2) 0.306853, so 0.5 for either answer: the largest.
    3: the second answer is over and counts as even; means log 0.632456 and log 0.316228; the first
    answer 0.025571 + 0.122994, the other 0.029909 + 0.090601; mean 0.134537, so 0.7 x 0.269075.
    """
    given = tokens([[EVEN, UP, UP], [EVEN, DOWN, DOWN]], [[1, 1, 1], [1, 1, 0]])
    assert token_weights(given).tolist() == [
        pytest.approx([1.0, 1.7, 1.188352], abs=1e-5),
        pytest.approx([1.0, 1.7, 0.0], abs=1e-5),
    ]


def test_the_weights_are_those_of_the_golden_files(monkeypatch):
    """On a random group, in one go and in pieces: as `token_importance`, which they hold to."""
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    group = torch.randn(4, 9, 5).softmax(-1)
    mask = (torch.arange(9) < torch.tensor([[9], [4], [6], [1]])).long().tolist()
    wanted = token_importance(group.log().tolist(), mask, 4, 1.7)
    for places in (64, 2):
        monkeypatch.setattr(method, "PLACES", places)
        found = token_weights(tokens(group, mask))
        torch.testing.assert_close(found, torch.tensor(wanted), atol=1e-5, rtol=0)


def test_the_gradient_flows_through_the_weights_in_the_official_code_alone():
    """With variant official_code the loss also pulls the answers' distributions themselves."""
    for variant, expected in (("paper", False), ("official_code", True)):
        given = tokens([[EVEN, UP, UP], [EVEN, DOWN, EVEN]], [[1] * 3] * 2, variant)
        weights = token_weights(given)
        assert weights.requires_grad is expected
        if expected:
            weights[0, 2].backward()  # between the least and the most divisive place
            assert given.vocabulary.states.grad[:, 2].abs().min() > 0


def test_log_ratios_are_bounded():
    torch = pytest.importorskip("torch")
    tiny = [1 - 1e-30, 1e-30]
    weights = token_weights(tokens([[EVEN, tiny], [EVEN, tiny[::-1]]], [[1, 1], [1, 1]]))
    assert torch.isfinite(weights).all() and weights.max().item() == pytest.approx(1.7)
