"""The map reward of SpaceR and its gate, worked out by hand."""

from __future__ import annotations

import json
import math
import random

import pytest

from reproductions.methods.spacer.method import (
    METHOD,
    build_group,
    cognitive_map,
    format_target,
    gold_map,
    prompt,
    shape_rewards,
)
from reproductions.shared.method import Context, Group, Sample

SAMPLE = Sample(
    id="s",
    question="Where is red?",
    answer="A",
    options=("A. left", "B. right"),
    video="v.mp4",
    rationale="red left",
    meta={
        "events": [
            {"object": "red", "distractor": False, "boxes": [[0.0, 0.1, 0.5, 0.3, 0.7]]},
            {"object": "blue", "distractor": False, "boxes": [[0.0, 0.8, 0.8, 1.0, 1.0]]},
            {"object": "grey", "distractor": True, "boxes": [[0.0, 0.0, 0.0, 1.0, 1.0]]},
        ]
    },
)


def drawn(text):
    completion = f"<think><map>{text}</map>x</think><answer>A</answer>"
    return cognitive_map(prompts=[""], completions=[completion], sample=[SAMPLE])[0]


def test_the_map_of_a_clip():
    assert gold_map(SAMPLE) == {"red": [[2, 6]], "blue": [[9, 9]]}
    assert "of: blue, red." in prompt(SAMPLE)
    scores = [
        r(prompts=[""], completions=[format_target(SAMPLE)], sample=[SAMPLE])[0]
        for r in METHOD.rewards
    ]
    assert scores == [1.0, 1.0, 1.0]


@pytest.mark.parametrize("cells", [{"red": [[2, 6]], "blue": [[9, 9]]}, {"green": [[1, 1]]}])
def test_a_map_behind_a_long_thought_counts_no_less(cells):
    """Else a worthless map would be no map at all, which costs nothing."""
    text = f"<think>{'I look. ' * 1000}<map>{json.dumps(cells)}</map></think><answer>A</answer>"
    found = cognitive_map(prompts=[""], completions=[text], sample=[SAMPLE])
    assert found == [drawn(json.dumps(cells))] and found != [-1.0]


def test_map_scores_by_hand():
    """Red 5 cells off (3, 4): 1 - 5 / (10 sqrt 2) = 0.646447; blue missing; mean of both."""
    near = 1 - 5 / (10 * math.sqrt(2))
    assert drawn('{"red": [[5, 2]]}') == pytest.approx(near / 2)
    assert drawn('{"red": [[5, 2]], "blue": [[9, 9]]}') == pytest.approx((near + 1) / 2)
    assert drawn('{"green": [[1, 1]]}') == 0.0
    assert drawn('{"red": [[1e400, 2]]}') == 0.0
    nothing = cognitive_map(prompts=[""], completions=["<answer>A</answer>"], sample=[SAMPLE])
    assert nothing == [-1.0]


def group(accuracy, maps, shuffled=(), kind="multiple choice", lengths=None, drawn=-1.0):
    n, m = len(accuracy), len(shuffled)
    sample = Sample(id="s", question="?", answer="A", problem_type=kind)
    scores = {
        "accuracy": [*accuracy, *shuffled],
        "cognitive_map": [*maps, *[drawn] * m],
        "format": [1.0] * (n + m),
    }
    views = ["ordered"] * n + ["shuffled"] * m
    trained = [True] * n + [False] * m
    return Group(sample, [""] * (n + m), views, trained, lengths or [9] * (n + m), scores)


def test_a_right_answer_gains_its_map_and_a_worthless_map_costs_it():
    totals = shape_rewards(group([1.0, 1.0, 1.0, 0.0], [0.6, -1.0, 0.0, 0.9]), Context())
    assert totals == pytest.approx([2.6, 2.0, 1.0, 1.0])


def test_numbers_count_as_right_above_half():
    totals = shape_rewards(group([0.8, 0.5, 0.8], [0.5, 0.5, 0.0], kind="numerical"), Context())
    assert totals == pytest.approx([2.3, 1.5, 1.0])


def test_shuffled_answers_in_the_official_code_alone():
    assert [p.n for p in build_group(SAMPLE, Context(num_generations=8))] == [8]
    official = Context(num_generations=8, variant="official_code", rng=random.Random(0))
    ordered, shuffled = build_group(SAMPLE, official)
    assert (ordered.n, shuffled.n, shuffled.trained) == (8, 4, False)
    assert sorted(shuffled.frames(5)) == [0, 1, 2, 3, 4]
    # 1/2 right ordered, 0/1 shuffled: +0.3 for the right one.
    totals = shape_rewards(group([1.0, 0.0], [-1.0, -1.0], shuffled=[0.0]), official)
    assert totals == pytest.approx([2.3, 1.0])


def test_shuffled_answers_are_compared_with_their_maps():
    """1 and 1 ordered; a shuffled 1 with a map of 0.6 is worth 1.6, and 1 < 0.8 x 1.6."""
    official = Context(num_generations=8, variant="official_code")
    for score, bonus in ((-1.0, 0.3), (0.6, 0.0), (0.0, 0.3)):
        totals = shape_rewards(group([1.0, 1.0], [-1.0] * 2, [1.0], drawn=score), official)
        assert totals == pytest.approx([2.0 + bonus] * 2)


def test_right_answers_of_a_good_length_gain():
    totals = shape_rewards(group([1.0, 1.0], [-1.0, -1.0], lengths=[400, 100]), Context())
    assert totals == pytest.approx([2.2, 2.0])
