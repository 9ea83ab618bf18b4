"""The signed format reward and the noise of TinyLLaVA-Video-R1, worked out by hand."""

from __future__ import annotations

import random
from statistics import fmean, stdev

import pytest

from reproductions.methods.tinyllava_video_r1.method import METHOD, advantages, shape_rewards
from reproductions.shared.method import Context, Group, Sample

SAMPLE = Sample(id="s", question="Which?", answer="B")


def group(*completions):
    n = len(completions)
    scores = {
        r.__name__: r(prompts=[""] * n, completions=list(completions), solution=["B"] * n)
        for r in METHOD.rewards
    }
    return Group(SAMPLE, list(completions), ["ordered"] * n, [True] * n, [9] * n, scores)


def test_totals_by_hand():
    """Thoughts of 600 characters: format 0.5 + 0.5 x 600 / 1200 = 0.75; of 1,200 and more: 1."""
    half, full = "x" * 600, "x" * 1300
    case = group(
        f"<think>{half}</think><answer>B</answer>",
        f"<think>{full}</think><answer>B</answer>",
        f"<think>{half}</think><answer>A</answer>",
        f"<think>{full}</think><answer>A</answer>",
        "<answer>B</answer>",
        "<answer>A</answer>",
    )
    # Eq. 4: malformed is worst, right or wrong; in the code the right one keeps its 1.
    for variant, malformed in (("paper", -2.0), ("official_code", 1.0)):
        totals = shape_rewards(case, Context(variant=variant))
        assert totals == pytest.approx([1.75, 2.0, -0.75, -1.0, malformed, -2.0])


def of(totals):
    return Group(SAMPLE, [], [], [], [], totals=totals)


def test_equal_rewards_leave_the_noise_alone():
    found = advantages(of([1.5] * 4000), Context(rng=random.Random(0)))
    assert fmean(found) == pytest.approx(0.0, abs=2e-3)
    assert stdev(found) == pytest.approx(0.02, rel=0.05)
    assert found[:5] == advantages(of([1.5] * 5), Context(rng=random.Random(0)))


def test_noise_is_added_to_the_advantages_of_grpo():
    class Still:
        def gauss(self, mean, deviation):
            return deviation

    # 2 and 0: +-1 / (1.414214 + 1e-4) = +-0.707057, then + 0.02.
    found = advantages(of([2.0, 0.0]), Context(rng=Still()))
    assert found == pytest.approx([0.727057, -0.687057], abs=1e-6)
