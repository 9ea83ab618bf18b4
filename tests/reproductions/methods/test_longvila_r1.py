"""The rewards of LongVILA-R1, weighted and in DAPO's form, worked out by hand."""

from __future__ import annotations

import pytest

from reproductions.methods.longvila_r1.method import METHOD, shape_rewards
from reproductions.shared.method import Context, Group, Sample

DAPO = Context(settings={"loss_type": "dapo", "max_completion_length": 100})


def group(texts, gold="B", lengths=None):
    n = len(texts)
    completions = [t if "<" in t else f"<think>x</think><answer>{t}</answer>" for t in texts]
    scores = {
        r.__name__: r(prompts=[""] * n, completions=completions, solution=[gold] * n)
        for r in METHOD.rewards
    }
    sample = Sample(id="s", question="?", answer=gold)
    return Group(sample, completions, ["ordered"] * n, [True] * n, lengths or [9] * n, scores)


def test_weighted_totals():
    texts = ["B", "b", "A", "<answer>B</answer>", "<answer>A</answer>"]
    assert shape_rewards(group(texts), Context()) == pytest.approx([1.0, 1.0, 0.1, 0.9, 0.0])


def test_blanks_do_not_count_and_numbers_are_graded_by_value():
    assert shape_rewards(group(["1 / 2", "0.5"], gold="0.5"), Context()) == pytest.approx([1.0] * 2)


def test_dapo_by_hand():
    """Buffer 20 of 100 tokens: 80 free, 90 half, 100 and more all of the penalty."""
    texts, lengths = ["B", "B", "B", "A", "A"], [80, 90, 100, 9, 95]
    totals = shape_rewards(group(texts, lengths=lengths), DAPO)
    assert totals == pytest.approx([1.0, 0.5, 0.0, -1.0, -1.75])
