"""The Reg-GRPO loss with numbers worked out by hand, and what its gradient does."""

from __future__ import annotations

import math
import random
from types import SimpleNamespace

import pytest

from reproductions.methods.deepvideo_r1.method import (
    EPS,
    build_group,
    difficulty,
    loss,
    prepare_data,
)
from reproductions.shared.method import Context, Sample

torch = pytest.importorskip("torch")


def tokens(logps, advantages, old=None, ref=None, mask=None, beta=0.0, groups=None):
    logps = torch.as_tensor(logps)
    return SimpleNamespace(
        logps=logps,
        old_logps=torch.zeros_like(logps) if old is None else torch.tensor(old),
        ref_logps=None if ref is None else torch.tensor(ref),
        mask=torch.ones(logps.shape, dtype=torch.long) if mask is None else torch.tensor(mask),
        advantages=torch.tensor(advantages),
        groups=groups or [(0, len(logps))],
        context=Context(settings={"beta": beta}),
    )


def test_the_loss_by_hand():
    """Log-ratios 0.1 + 0.2 = 0.3 and -0.1; mean 0.1, deviation 0.2 sqrt 2 = 0.282843.

    Predicted: +-0.2 / 0.282943 = +-0.706857. Against advantages of 1 and -1 each gap is 0.293143.
    """
    found = loss(tokens([[0.1, 0.2], [-0.1, 9.0]], [1.0, -1.0], mask=[[1, 1], [1, 0]]))
    assert found.item() == pytest.approx(0.293143**2, abs=1e-6)
    assert (0.2 / (0.2 * math.sqrt(2) + EPS)) == pytest.approx(0.706857, abs=1e-6)


def test_each_group_is_normalised_by_itself():
    """Groups of log-ratios (0, 2) and (10, 30): both become -+0.7071, so perfect predictions."""
    half = math.sqrt(0.5)
    batch = tokens(
        [[0.0], [2.0], [10.0], [30.0]], [-half, half, -half, half], groups=[(0, 2), (2, 4)]
    )
    assert loss(batch).item() == pytest.approx(0.0, abs=1e-7)


def test_the_kl_term_by_hand():
    """Only answer 1 left its reference, by 0.5 at one of two tokens: k3(-0.5) = 0.106531.

    Mean over its tokens 0.053265, over answers 0.026633, times beta 0.1.
    """
    logps = [[0.0, 0.5], [0.0, 0.0]]
    plain = loss(tokens(logps, [1.0, -1.0]))
    with_kl = loss(tokens(logps, [1.0, -1.0], ref=[[0.0, 0.0], [0.0, 0.0]], beta=0.1))
    assert (with_kl - plain).item() == pytest.approx(0.1 * 0.106531 / 4, abs=1e-6)


def test_the_first_update_on_a_batch_follows_the_advantages():
    """All log-ratios are 0, so no deviation: the gradient is finite and GRPO's own direction."""
    logps = torch.zeros(4, 1, requires_grad=True)
    advantages = [1.5, -0.5, -0.5, -0.5]
    loss(tokens(logps, advantages)).backward()
    # d loss / d rho_i = -2 A_i / (4 EPS), as the mean of the advantages is 0.
    assert logps.grad.flatten().tolist() == pytest.approx([-a / (2 * EPS) for a in advantages])


def test_a_group_of_equal_rewards_teaches_nothing():
    logps = torch.tensor([[0.3], [-0.2], [0.1]], requires_grad=True)
    loss(tokens(logps, [0.0, 0.0, 0.0])).backward()
    assert logps.grad.abs().max().item() < 2e-3  # the square of a normalised group is constant


def test_difficulty_is_measured_against_the_recent_past():
    """0.5 has no past; 1 against 0.5; 0 against their mean 0.75."""
    assert difficulty([0.5, 1.0, 0.0]) == [0.0, -0.5, 0.75]
    # Only the last 100: after 100 ones the first 0 is forgotten.
    assert difficulty([0.0] + [1.0] * 100 + [1.0])[-1] == 0.0


def test_hard_samples_get_a_hint_and_easy_ones_lose_frames():
    def sample(name, **meta):
        return Sample(
            id=name, question="?", answer="A", video="v.mp4", rationale="a b c d", meta=meta
        )

    given = [sample(str(r), mean_reward=r) for r in (0.5, 1.0, 0.0)] + [sample("new")]
    middle, easy, hard, new = prepare_data(given, Context(stage="rl"))
    assert (middle.question, new) == ("?", given[3])
    assert hard.question == "?\nHint: a b c"  # 0.75 of four words
    assert easy.meta["hidden"] == 0.5
    assert prepare_data(given, Context(stage="sft")) == given
    (part,) = build_group(easy, Context(num_generations=8, rng=random.Random(0)))
    frames = part.frames(8)
    assert len(frames) == 4 and frames == sorted(set(frames)) and part.n == 8
    assert build_group(hard, Context(num_generations=8))[0].frames is None
