"""The annotation in the group and the shaping of TempSamp-R1, worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reproductions.methods.tempsamp_r1.method import METHOD, build_group, shape_rewards, shaped
from reproductions.shared.method import Context, Group, Sample
from reproductions.shared.rewards.advantages import group_relative

SAMPLE = Sample(
    id="s",
    question="When?",
    answer="2.0 to 6.0",
    problem_type="temporal grounding",
    video="v.mp4",
    rationale="2.0s red; 6.0s no red",
)


def test_one_of_the_answers_is_the_annotation():
    (part,) = build_group(SAMPLE, Context(num_generations=8))
    assert part.n + len(part.given) == 8 and part.trained
    (given,) = part.given
    assert given == "<think>2.0s red; 6.0s no red</think><answer>2.0 to 6.0</answer>"
    scores = [r([""], [given], solution=[SAMPLE.answer]) for r in METHOD.rewards]
    assert scores == [[1.0], [1.0]]


def test_without_reasoning_the_annotation_is_the_answer_alone():
    (part,) = build_group(replace(SAMPLE, rationale=""), Context(num_generations=2))
    assert part.given == ("<answer>2.0 to 6.0</answer>",)


@pytest.mark.parametrize(
    ("reward", "expected"),
    [
        (1.0, 0.801823),  # 0.8 + 0.01 ln 1.2
        (0.8, 0.8),
        (0.3, 0.422459),  # 0.8 - (e^0.5 - 1) / (e - 1) = 0.8 - 0.648721 / 1.718282
        (0.0, 0.086764),  # 0.8 - 1.225541 / 1.718282
    ],
)
def test_shaping_by_hand(reward, expected):
    assert shaped(reward) == pytest.approx(expected, abs=1e-6)


def test_shaping_keeps_the_order():
    values = [shaped(i / 100) for i in range(101)]
    assert values == sorted(values) and len(set(values)) == 101


def group(overlaps, formats):
    n = len(overlaps)
    scores = {"temporal_iou": overlaps, "format": formats}
    return Group(SAMPLE, [""] * n, ["ordered"] * n, [True] * n, [9] * n, scores)


def test_a_good_sampled_answer_is_no_longer_below_the_mean():
    """0.6, 0.7, 0.75 and the annotation's 1: the mean is 0.7625, so 0.75 gets less than 0."""
    overlaps = [0.6, 0.7, 0.75, 1.0]
    totals = shape_rewards(group(overlaps, [1.0] * 4), Context())
    assert totals == [pytest.approx(1 + shaped(r)) for r in overlaps]
    assert group_relative(overlaps)[2] < 0 < group_relative(totals)[2]
