"""Frame choice, rewards and REINFORCE++ of ViaRL, with numbers worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from reproductions.methods.viarl.method import (
    METHOD,
    chosen,
    decode,
    form,
    index,
    loss,
    prepare_data,
    shape_rewards,
)
from reproductions.shared.inference.engine import Shown
from reproductions.shared.inference.scripted import ScriptedGenerator
from reproductions.shared.method import Context, Group, Sample
from reproductions.shared.rewards.official.answers import viarl_index

TIMES = tuple(float(t) for t in range(32))  # so two frames are chosen
PAPER = Context(times=TIMES)
OFFICIAL = replace(PAPER, variant="official_code")
SAMPLE = Sample(
    id="s",
    question="Which colour flashes?",
    answer="B",
    options=("A. red", "B. blue"),
    video="v.mp4",
    meta={
        "seconds": 32.0,
        "fps": 1.0,
        "answer_text": "blue",
        "events": [{"object": "blue", "distractor": False, "start": 7.0, "end": 9.0}],
    },
)


def named(frames, thought="t"):
    return f"<think>{thought}</think><index>{frames}</index>"


@pytest.mark.parametrize(
    ("frames", "paper", "official"),
    [
        ("4, 31", (4, 31), (4, 31)),
        ("31 4", (4, 31), (4, 31)),
        ("4, 4", (), ()),
        ("4", (), ()),
        ("4, 5, 6", (), ()),
        ("4, 32", (), ()),
        ("3.5, 4", (), (3, 4)),
        ("-3, 4", (), (3, 4)),
        ("frames 4 and 5", (), (4, 5)),
        ("", (), ()),
        ("4, " + "9" * 500, (), ()),
    ],
)
def test_which_numbers_are_valid(frames, paper, official):
    text = named(frames)
    assert chosen(text, 32, PAPER) == paper
    assert chosen(text, 32, OFFICIAL) == official
    # The variant's validity is that of the function in the golden files.
    assert bool(official) == bool(viarl_index(text, 2, 32))


def test_frames_behind_a_long_thought_are_read():
    assert chosen(f"<think>{'I look. ' * 1000}</think><index>3, 1</index>", 32, PAPER) == (1, 3)


def rewards(completions, context, engine):
    n = len(completions)
    columns = {"sample": [SAMPLE] * n, "solution": ["B"] * n}
    columns["context"] = [replace(context, frozen=engine)] * n
    return [r(prompts=[""] * n, completions=completions, **columns) for r in METHOD.rewards]


def test_the_frozen_checkpoint_answers_from_the_chosen_frames_alone():
    """It is right where it sees second 7; equal choices are asked once, invalid ones never."""
    frozen = ScriptedGenerator(
        lambda request, i: f"<answer>{'B.' if 7.0 in seen(request).times else 'A'}</answer>"
    )
    texts = [named("7, 20"), named("20, 7"), named("1, 2"), named("7"), "no tags"]
    found = rewards(texts, PAPER, frozen)
    assert found == [[1.0, 1.0, 0.0, 0.0, 0.0], [1.0, 1.0, 1.0, 0.0, 0.0], [1.0] * 4 + [0.0]]
    assert [seen(r) for r in frozen.requests] == [
        Shown(times=(7.0, 20.0), scale=64.0),
        Shown(times=(1.0, 2.0), scale=64.0),
    ]
    assert frozen.samplings[0].temperature == 0 and frozen.samplings[0].max_new_tokens == 128


def test_the_answerer_has_room_to_think():
    """It is asked to think before it answers: the 128 tokens of a bare letter would cut it off."""
    frozen = ScriptedGenerator(lambda request, i: "<answer>B</answer>")
    rewards([named("7, 20")], replace(PAPER, settings={"max_completion_length": 512}), frozen)
    assert frozen.samplings[0].max_new_tokens == 512


def seen(request):
    return request.messages[-1].shows


def test_the_variants_pay_the_same_answer_differently():
    """ "3.5, 7" is no list of frames: 0 + 0 + 1 in the paper; 2 + 1 + 1 in the official code."""
    frozen = ScriptedGenerator(lambda request, i: "<answer>B</answer>")
    totals = []
    for context in (PAPER, OFFICIAL):
        scores = rewards([named("3.5, 7")], context, frozen)
        totals += shape_rewards(group(*scores, lengths=[9]), context)
    assert totals == [1.0, 4.0]


def test_the_answerers_tag_completes_the_form():
    assert form([], [named("1, 2"), f" {named('1')}", "<index>1</index>"]) == [1.0, 0.0, 0.0]
    assert index([], [named("1, 2")], context=[PAPER]) == [1.0]


def group(right, valid, formed, lengths):
    scores = {"accuracy": right, "index": valid, "form": formed}
    n = len(right)
    return Group(SAMPLE, [""] * n, ["ordered"] * n, [True] * n, lengths, scores)


def test_totals_by_hand():
    """2 x 1 x 1 + 1 + 1; right without valid numbers is worth nothing but the form."""
    case = group([1.0, 0.0, 1.0, 0.0], [1.0, 1.0, 0.0, 0.0], [1.0, 1.0, 1.0, 0.0], [9] * 4)
    assert shape_rewards(case, PAPER) == [4.0, 2.0, 1.0, 0.0]


@pytest.mark.parametrize(("frames", "paid"), [(256, [0, 0, 1, 1, 0]), (128, [0, 1, 1, 1, 0])])
def test_the_length_bonus(frames, paid):
    """From 110 tokens with 16 chosen frames and from 80 with 8, up to 512."""
    lengths = [79, 80, 110, 512, 513]
    case = group([0.0] * 5, [0.0] * 5, [0.0] * 5, lengths)
    context = replace(PAPER, times=tuple(range(frames)))
    assert shape_rewards(case, context) == pytest.approx([0.2 * p for p in paid])


def tokens(totals, mask, old=None, new=None, ref=None, beta=0.5):
    torch = pytest.importorskip("torch")
    mask = torch.tensor(mask)
    old = torch.zeros(mask.shape) if old is None else torch.tensor(old)
    logps = (old.clone() if new is None else torch.tensor(new)).requires_grad_()
    return SimpleNamespace(
        logps=logps,
        old_logps=old,
        ref_logps=None if ref is None else torch.tensor(ref),
        mask=mask,
        rewards=torch.tensor(totals),
        context=Context(settings={"beta": beta, "epsilon": 0.2}),
    )


def slopes(given):
    loss(given).backward()
    return (given.logps.grad * -given.mask.sum()).tolist()  # at ratio 1: the advantages


def test_returns_are_whitened_over_the_tokens_of_the_batch():
    """Totals 3 (two tokens) and 1 (one): returns 3, 3, 1; mean 7/3, variance 8/9 of the three (the
    official `masked_whiten` divides by their number), deviation 0.942809."""
    found = slopes(tokens([3.0, 1.0], [[1, 1], [1, 0]]))
    assert found[0] == pytest.approx([0.707107, 0.707107], abs=1e-5)
    assert found[1] == pytest.approx([-1.414214, 0.0], abs=1e-5)


def test_the_kl_is_part_of_each_tokens_reward():
    """Log-ratios 0.4, -0.2 and 0.2 at beta 0.5: rewards -0.2 | 0.1 + 3 and -0.1 + 1, so returns
    2.9, 3.1 and 0.9; mean 2.3, deviation sqrt(2.96 / 3) = 0.993311."""
    given = tokens([3.0, 1.0], [[1, 1], [1, 0]], ref=[[-0.4, 0.2], [-0.2, -9.0]])
    found = slopes(given)
    assert found[0] == pytest.approx([0.604040, 0.805387], abs=1e-5)
    assert found[1] == pytest.approx([-1.409427, 0.0], abs=1e-5)


def test_there_is_no_group_baseline():
    """Two questions, all answers to each worth the same: GRPO would learn nothing from them."""
    found = slopes(tokens([4.0, 4.0, 1.0, 1.0], [[1]] * 4))
    assert [row[0] for row in found] == pytest.approx([1.0, 1.0, -1.0, -1.0], abs=1e-5)


def test_the_surrogate_is_clipped_on_both_sides():
    """Ratios 1.5 and 0.5: the good answer gained enough, the bad one lost enough."""
    given = tokens([1.0, 0.0], [[1], [1]], new=[[0.405465], [-0.693147]])
    # Returns 1 and 0: mean 0.5, deviation 0.5, advantages 1 and -1; -(1.2 x 1 - 0.8 x 1) / 2.
    value = loss(given)
    assert value.item() == pytest.approx(-0.2, abs=1e-5)
    value.backward()
    assert given.logps.grad.flatten().tolist() == [0.0, 0.0]


def test_the_cold_start_teaches_both_roles():
    many = [replace(SAMPLE, id=str(i)) for i in range(200)]
    roles = prepare_data([*many, replace(SAMPLE, video=None)], Context(stage="sft", seed=0))
    assert len(roles) == 200
    informed = 0
    for i, role in enumerate(roles):
        (message,), said = role.meta["messages"], METHOD.format_target(role)
        if i % 4 == 0:
            # The answerer sees the two frames of the evidence, large, and is told nothing else.
            assert message.shows == Shown(times=(7.0, 8.0), scale=64.0)
            assert said == "<think>blue</think><answer>B</answer>"
        else:
            frames = chosen(said, 32, PAPER)
            assert message.shows == Shown() and "2 of the frames 0 to 31" in message.text
            assert len(frames) == 2 and said.startswith(f"<think>{frames[0]}.0s; ")
            informed += frames == (7, 8)
    assert 55 <= informed <= 95  # half of 150
    assert roles == prepare_data(many, Context(stage="sft", seed=0))


def test_rl_asks_for_frames_alone():
    (role,) = prepare_data([SAMPLE], Context(stage="rl"))
    assert "2 of the frames 0 to 31" in role.meta["messages"][0].text and role.answer == "B"
    long = replace(SAMPLE, meta={})  # unknown length: the paper's 8 of 128
    (role,) = prepare_data([long], Context(stage="rl"))
    assert "8 of the frames 0 to 127" in role.meta["messages"][0].text


@pytest.mark.parametrize(
    ("said", "times"), [(named("30, 7"), (7.0, 30.0)), (named("99"), (8.0, 24.0))]
)
def test_decoding_selects_and_then_asks_the_frozen_checkpoint(said, times):
    selector = ScriptedGenerator(lambda request, i: said)
    frozen = ScriptedGenerator(lambda request, i: "<answer>A</answer>")
    settings = {"answer_tokens": 48}
    result = decode(SAMPLE, selector, replace(PAPER, frozen=frozen, settings=settings))
    assert result.text == "<answer>A</answer>" and result.trace[0]["text"] == said
    assert seen(frozen.requests[0]) == Shown(times=times, scale=64.0)
    assert len(selector.requests) == len(frozen.requests) == 1
    # Alone, the selector answers as well.
    assert decode(SAMPLE, selector, replace(PAPER, settings=settings)).text == said
