"""T-GRPO and the length reward, with numbers worked out by hand; and where the bonus vanishes."""

from __future__ import annotations

import random
from dataclasses import replace
from statistics import mean, stdev

import pytest

from reproductions.baselines.grpo.method import METHOD as GRPO
from reproductions.methods.video_r1.method import (
    METHOD,
    build_group,
    order_helped,
    shape_rewards,
)
from reproductions.shared.method import Context, Group, Sample

VIDEO = Sample(id="v", question="Which way?", answer="A", video="v.mp4")
TEXT = replace(VIDEO, video=None)
IMAGE = replace(TEXT, meta={"image": "v.png"})
PAPER, OFFICIAL = Context(num_generations=4), Context(num_generations=4, variant="official_code")
EPS = 1e-4  # TRL adds it to the standard deviation


def group(ordered, shuffled=(), formats=None, lengths=None):
    """A group of right (1.0), wrong (0.0) or partly right answers."""
    accuracy = [*ordered, *shuffled]
    n, m = len(ordered), len(shuffled)
    return Group(
        sample=VIDEO if m else TEXT,
        completions=[""] * (n + m),
        views=["ordered"] * n + ["shuffled"] * m,
        trained=[True] * n + [False] * m,
        lengths=lengths or [100] * (n + m),
        scores={"accuracy": accuracy, "format": [*(formats or [1.0] * n), *[1.0] * m]},
    )


def by_group(rewards):
    return [(r - mean(rewards)) / (stdev(rewards) + EPS) for r in rewards]


# --- what the paper changed -------------------------------------------------------------------


def test_the_group_has_half_as_many_answers_on_shuffled_frames():
    context = replace(PAPER, num_generations=8, rng=random.Random(3))
    ordered, shuffled = build_group(VIDEO, context)
    assert (ordered.n, ordered.view, ordered.frames, ordered.trained) == (8, "ordered", None, True)
    assert (shuffled.n, shuffled.view, shuffled.trained) == (4, "shuffled", False)
    order = shuffled.frames(16)
    assert sorted(order) == list(range(16)) and order != list(range(16))
    again = build_group(VIDEO, replace(context, rng=random.Random(3)))[1].frames(16)
    assert again == order
    other = build_group(VIDEO, replace(context, rng=random.Random(4)))[1].frames(16)
    assert other != order


@pytest.mark.parametrize("sample", [TEXT, IMAGE], ids=["text", "image"])
def test_without_a_video_it_is_plain_grpo(sample):
    (only,) = build_group(sample, PAPER)
    assert (only.n, only.view, only.trained) == (4, "ordered", True)
    # Accuracy plus format; no temporal bonus without a twin, however many are right.
    assert shape_rewards(group([1, 1, 1, 0], formats=[1, 0, 1, 1]), PAPER) == [2, 1, 2, 1]


@pytest.mark.parametrize(
    ("ordered", "shuffled", "paper", "official"),
    [
        # shares of right answers: .5 against .5. Eq. 1 asks for as much, the code for 0.8 of it
        ([1, 1, 0, 0], [1, 0], True, True),
        # .75 against .5
        ([1, 1, 1, 0], [1, 0], True, True),
        # .75 against 1: below, and below 0.8 x 1
        ([1, 1, 1, 0], [1, 1], False, False),
        # 1 against 1
        ([1, 1, 1, 1], [1, 1], True, True),
        # .8 against 1: below, but exactly 0.8 of it
        ([1, 1, 1, 1, 0], [1], False, True),
        # .25 against .5: 0.25 < 0.4
        ([1, 0, 0, 0], [1, 0], False, False),
        # partial credit: no answer above 0.5 against one of two; means .4 against .5
        ([0.4, 0.4, 0.4, 0.4], [0.6, 0.4], False, True),
        # two of four above 0.5 against one of two; means .3 against .5
        ([0.6, 0.6, 0.0, 0.0], [1, 0], True, False),
        # all wrong on both: either pays here, if there were anyone to pay
        ([0, 0, 0, 0], [0, 0], True, True),
    ],
)
def test_when_order_helped(ordered, shuffled, paper, official):
    assert order_helped(ordered, shuffled, PAPER) is paper
    assert order_helped(ordered, shuffled, OFFICIAL) is official


def test_rewards_by_hand():
    # Four of five right, one answer without format; the twin's one answer is right: .8 against 1.
    case = group([1, 1, 1, 1, 0], [1], formats=[1, 1, 1, 1, 0])
    assert shape_rewards(case, PAPER) == [2, 2, 2, 2, 0]
    # The official rule pays 0.3 to the right answers.
    assert shape_rewards(case, OFFICIAL) == pytest.approx([2.3, 2.3, 2.3, 2.3, 0])
    # .5 against .5: both rules pay.
    case = group([1, 1, 0, 0], [1, 0], formats=[1, 1, 1, 0])
    assert shape_rewards(case, PAPER) == pytest.approx([2.3, 2.3, 1, 0])
    assert shape_rewards(case, OFFICIAL) == pytest.approx([2.3, 2.3, 1, 0])
    # .5 against 0: both rules pay.
    case = group([1, 1, 0, 0], [0, 0])
    assert shape_rewards(case, PAPER) == pytest.approx([2.3, 2.3, 1, 1])


def test_who_counts_as_right():
    """Partial credit above 0.5 is right, in the code above 0.1: neither bound itself."""
    case = group([0.6, 0.5, 0.11, 0.1], [0.0, 0.0])
    assert shape_rewards(case, PAPER) == pytest.approx([1.9, 1.5, 1.11, 1.1])
    assert shape_rewards(case, OFFICIAL) == pytest.approx([1.9, 1.8, 1.41, 1.1])


def test_the_length_bonus_has_a_window():
    """0.2 for right answers of 320 to 512 tokens; in the code if at least two are right."""
    lengths = [319, 320, 512, 513]
    case = group([1, 1, 1, 1], lengths=lengths)
    assert shape_rewards(case, PAPER) == pytest.approx([2.0, 2.2, 2.2, 2.0])
    wrong = group([1, 0, 1, 1], lengths=lengths)
    assert shape_rewards(wrong, PAPER) == pytest.approx([2.0, 1.0, 2.2, 2.0])
    single = group([0, 1, 0, 0], lengths=lengths)
    assert shape_rewards(single, PAPER) == pytest.approx([1, 2.2, 1, 1])
    assert shape_rewards(single, OFFICIAL) == [1, 2, 1, 1]


def test_both_bonuses_add_up_and_the_twin_is_left_out():
    case = group([1, 1, 0, 0], [0, 0], lengths=[400, 100, 400, 400, 400, 400])
    assert shape_rewards(case, PAPER) == pytest.approx([2.5, 2.3, 1, 1])


@pytest.mark.parametrize("context", [PAPER, OFFICIAL])
def test_all_wrong_groups_get_nothing(context):
    case = group([0, 0, 0, 0], [0, 0], lengths=[400] * 6)
    assert shape_rewards(case, context) == [1, 1, 1, 1]
    assert by_group(shape_rewards(case, context)) == [0, 0, 0, 0]


# --- where the bonus vanishes -----------------------------------------------------------------


def without_bonus(case):
    """The same group without its twin: nobody can earn the temporal bonus."""
    return shape_rewards(
        group(case.scores["accuracy"][:4], formats=case.scores["format"][:4]), PAPER
    )


@pytest.mark.parametrize("right", [1, 2, 3])
def test_binary_accuracy_and_group_scaling_cancel_the_bonus(right):
    """Every right answer of the group gets the bonus, so the rewards are still two values, and
    (r - mean) / std of two values does not depend on their distance."""
    case = group([1.0] * right + [0.0] * (4 - right), [0, 0])
    paid, unpaid = shape_rewards(case, PAPER), without_bonus(case)
    assert max(paid) == pytest.approx(max(unpaid) + 0.3)
    difference = [a - b for a, b in zip(by_group(paid), by_group(unpaid), strict=True)]
    # What is left comes from the 1e-4 beside the standard deviation.
    assert max(map(abs, difference)) < 1e-3
    exact = [(r - mean(x)) / stdev(x) for x in (paid, unpaid) for r in x]
    assert exact[:4] == pytest.approx(exact[4:], abs=1e-12)


def test_it_acts_where_format_differs_among_the_answers():
    """A third value of the reward breaks the tie."""
    case = group([1, 1, 0, 0], [0, 0], formats=[1, 1, 1, 0])
    paid, unpaid = shape_rewards(case, PAPER), without_bonus(case)
    assert abs(by_group(paid)[0] - by_group(unpaid)[0]) > 0.01


def test_it_acts_without_scaling():
    case = group([1, 1, 0, 0], [0, 0])
    paid, unpaid = shape_rewards(case, PAPER), without_bonus(case)
    assert [r - mean(paid) for r in paid] == pytest.approx([0.65, 0.65, -0.65, -0.65])
    assert [r - mean(unpaid) for r in unpaid] == pytest.approx([0.5, 0.5, -0.5, -0.5])


def test_it_acts_under_batch_scaling():
    """A group that earned the bonus weighs more against one that did not."""
    helped, not_helped = group([1, 1, 0, 0], [0, 0]), group([1, 1, 0, 0], [1, 1])
    first, second = shape_rewards(helped, PAPER), shape_rewards(not_helped, PAPER)
    spread = stdev(first + second) + EPS
    a, b = ([(r - mean(x)) / spread for r in x] for x in (first, second))
    assert a[0] / b[0] == pytest.approx(0.65 / 0.5)
    assert by_group(first) == pytest.approx(by_group(second), abs=1e-3)


def test_it_acts_on_partial_credit():
    """With three values of accuracy the bonus lifts the right ones above the nearly wrong one."""
    case = group([1.0, 0.6, 0.05, 0.0], [0, 0])
    paid, unpaid = shape_rewards(case, PAPER), without_bonus(case)
    assert paid == pytest.approx([2.3, 1.9, 1.05, 1.0])
    change = by_group(paid)[1] - by_group(unpaid)[1]
    assert change > 0.05


# --- the method as a whole --------------------------------------------------------------------


def test_the_method_is_a_delta_to_grpo():
    assert set(METHOD.hooks()) == {"build_group", "shape_rewards"}
    whole = METHOD.over(GRPO)
    assert [s.name for s in whole.stages] == ["sft", "rl"]
    assert [f.__name__ for f in whole.rewards] == ["accuracy", "format"]


@pytest.mark.train
@pytest.mark.parametrize(("scale", "same"), [("group", True), ("batch", False), ("none", False)])
def test_the_bonus_in_the_trainer(qwen, tmp_path, monkeypatch, scale, same):
    """The cancellation seen in the gradient: answers from a script, T-GRPO against GRPO."""
    torch = pytest.importorskip("torch")
    from engine_fixtures import grpo_trainer

    from reproductions.shared.inference.engine import Completion
    from reproductions.shared.training import grpo

    right_of = {qwen.samples[0].id: 2, qwen.samples[2].id: 3}

    class Scripted:
        def __init__(self, model, encoder):
            self.tokenizer = encoder.tokenizer

        def generate(self, requests, sampling):
            return [[self.one(r, i) for i in range(r.n)] for r in requests]

        def one(self, request, i):
            # The twin never answers right, except in the second group, whose order is no help.
            shuffled = request.order is not None
            share = right_of[request.sample.id]
            right = i < share if not shuffled else share == 3
            text = f"<think></think><answer>{request.sample.answer if right else 'zz'}</answer>"
            ids = [*self.tokenizer(text, add_special_tokens=False)["input_ids"]]
            ids.append(self.tokenizer.eos_token_id)
            return Completion(text, tuple(ids), (0.0,) * len(ids), True)

    monkeypatch.setattr(grpo, "HFGenerator", Scripted)
    gradients, advantages = [], []
    for method in (METHOD, replace(METHOD, build_group=None)):
        trainer = grpo_trainer(
            qwen,
            tmp_path,
            method.over(GRPO),
            samples=[qwen.samples[0], qwen.samples[2]],
            scale_rewards=scale,
            max_completion_length=64,
        )
        trainer.model.train()
        trainer.current_gradient_accumulation_steps = 1
        batch = trainer._prepare_inputs([{"sample": i} for i in (0, 1) for _ in range(4)])
        advantages.append(batch["advantages"])
        trainer.model.zero_grad(set_to_none=True)
        trainer._compute_loss(trainer.model, batch).backward()
        gradients.append(torch.cat([p.grad.flatten() for p in trainer.model.parameters()]))
    close = bool((advantages[0] - advantages[1]).abs().max() < 1e-3)
    assert close is same
    error = (gradients[0] - gradients[1]).norm() / gradients[1].norm()
    assert bool(error < 1e-3) is same
