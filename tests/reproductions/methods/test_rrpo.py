"""RRPO's loss and pairs, with numbers worked out by hand."""

from __future__ import annotations

import math
from random import Random

import pytest

torch = pytest.importorskip("torch")

from reproductions.methods.rrpo import method  # noqa: E402
from reproductions.shared.method import Context, Sample  # noqa: E402
from reproductions.shared.training.preference import Pair, PairTokens  # noqa: E402

SAMPLE = Sample(
    id="s", question="Which first?", answer="A", options=("A. red", "B. blue"), rationale="red"
)


def tokens(ids, mask, margins, kl, beta=0.1):
    ids, mask = torch.tensor(ids), torch.tensor(mask)
    margin = torch.tensor(margins, requires_grad=True)
    pairs = [Pair(SAMPLE, "a", "b")] * (len(ids) // 2)
    made = PairTokens(margin, torch.zeros(ids.shape), mask, ids, pairs, beta, Context(), lambda: kl)
    return made, margin


def test_only_differing_phrases_are_scored():
    # One pair. 9 is the prompt, 1 and 2 agree, 5 against 6 7 differs.
    ids = [[9, 1, 5, 2, 0], [9, 1, 6, 7, 2]]
    mask = [[0, 1, 1, 1, 0], [0, 1, 1, 1, 1]]
    margins = [[8.0, 4.0, 3.0, 4.0, 8.0], [8.0, 4.0, -1.0, -2.0, 4.0]]
    kl = torch.tensor([[0.0, 1.0, 2.0, 3.0, 0.0]])
    made, margin = tokens(ids, mask, margins, kl)
    assert method.phrases(made).tolist() == [[0, 0, 1, 0, 0], [0, 0, 1, 1, 0]]
    # u = 0.1 (3 - (-1 - 2)) = 0.6; -log sigmoid(0.6) = log(1 + e^-0.6); KL 0.01 x 6.
    loss = method.loss(made)
    assert loss.item() == pytest.approx(math.log1p(math.exp(-0.6)) + 0.06, abs=1e-6)
    loss.backward()
    # d/du = -(1 - sigmoid(0.6)) = -1 / (1 + e^0.6), times beta; nothing elsewhere.
    slope = 0.1 / (1 + math.exp(0.6))
    wanted = [[0, 0, -slope, 0, 0], [0, 0, slope, slope, 0]]
    torch.testing.assert_close(margin.grad, torch.tensor(wanted), atol=1e-6, rtol=0)


def test_the_loss_is_the_mean_over_pairs():
    # The second pair differs in its only token: u = 1 x (2 - 0) = 2, no KL.
    ids = [[1, 5], [3, 0], [1, 6], [4, 0]]
    mask = [[1, 1], [1, 0], [1, 1], [1, 0]]
    margins = [[9.0, 1.0], [2.0, 9.0], [9.0, 1.0], [0.0, 9.0]]
    made, _ = tokens(ids, mask, margins, torch.tensor([[0.0, 1.0], [0.0, 0.0]]), beta=1.0)
    wanted = ((math.log(2) + 0.01) + math.log1p(math.exp(-2))) / 2
    assert method.loss(made).item() == pytest.approx(wanted, abs=1e-6)


def test_the_right_answer_meets_an_answer_on_a_disturbed_video():
    right, wrong = method.build_group(SAMPLE, Context(rng=Random(0)))
    assert right.given == ("<think>red</think><answer>A</answer>",)
    assert (right.n, right.trained, wrong.n, wrong.trained) == (0, True, 1, False)
    for _ in range(20):
        kept = list(wrong.frames(16))
        # 25 % to 50 % of 16 frames are hidden: 8 to 12 stay, an even number, in mixed order.
        assert 8 <= len(kept) <= 12 and len(kept) % 2 == 0
        assert len(set(kept)) == len(kept) and kept != sorted(kept)
    assert sorted(wrong.frames(1)) == [0]
