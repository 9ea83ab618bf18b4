"""Time-R1's graded overlap and its filter, with numbers worked out by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from reproductions.methods.time_r1 import method
from reproductions.methods.time_r1.method import boundary_iou, prepare_data
from reproductions.shared.method import Context, Sample
from vidpost.catalog.preset import load_preset

RL, SFT = Context(stage="rl"), Context(stage="sft")


def reward(answer, gold="2.0 to 6.0", **meta):
    completion = f"<think>x</think><answer>{answer}</answer>"
    return boundary_iou(prompts=[""], completions=[completion], solution=[gold], meta=[meta])[0]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("2.0 to 6.0", 1.0),
        # IoU 2/4; the start is 2 of 10 seconds off: 0.5 x 0.8 x 1.
        ("4.0 to 6.0", 0.4),
        # IoU 3/5; both ends 1 of 10 seconds off: 0.6 x 0.9 x 0.9.
        ("3.0 to 7.0", 0.486),
        ("7.0 to 9.0", 0.0),
        ("6.0 to 2.0", 0.0),
        ("soon", 0.0),
    ],
)
def test_overlap_times_the_nearness_of_both_ends(answer, expected):
    assert reward(answer, seconds=10.0) == pytest.approx(expected)


def test_the_same_overlap_pays_more_in_a_longer_video():
    # IoU 0.5 in 100 seconds: 0.5 x 0.98.
    assert reward("4.0 to 6.0", duration=100.0) == pytest.approx(0.49)


def test_without_a_duration_the_plain_overlap_counts():
    assert reward("4.0 to 6.0") == 0.5


def test_far_ends_never_make_the_reward_negative():
    assert reward("0.0 to 1000.0", seconds=10.0) == 0.0


def sample(name, **meta):
    return Sample(id=name, question="?", answer="1.0 to 2.0", meta=meta)


def test_half_solved_samples_are_kept_easiest_first():
    given = [sample(str(d), difficulty=d) for d in (0, 10, 70, 71, 100, 40)] + [sample("new")]
    assert [s.id for s in prepare_data(given, RL)] == ["70", "40", "10", "new"]
    assert prepare_data(given, SFT) == given


def test_too_many_samples_are_thinned_evenly_over_difficulty(monkeypatch):
    monkeypatch.setattr(method, "MOST", 3)
    given = [sample(str(d), difficulty=d) for d in (10, 20, 30, 40, 50)]
    assert [s.id for s in prepare_data(given, RL)] == ["50", "30", "10"]


def test_the_length_of_a_completion_is_that_of_most_scripts():
    """200 in the scripts; the one for filtered samples has 20, so it cannot be the source."""
    path = Path(method.__file__).with_name("paper.yaml")
    preset = load_preset(path)
    assert preset.stages["rl"].max_completion_length == 200
    assert "run_rl_SF.sh has 20" in preset.sources["stages.rl.max_completion_length"]
