"""Segment matching and the two phases of MUSEG, worked out by hand."""

from __future__ import annotations

import pytest

from reproductions.methods.museg.method import (
    cited_form,
    form,
    prepare_data,
    prompt,
    segments,
    shape_rewards,
)
from reproductions.shared.method import Context, Group, Sample

FIRST = Context(stage="cited")
SECOND = Context(stage="rl")
STAGES = ("sft", "cited", "rl")


def answer(text, thought="1.0s red"):
    return f"<think>{thought}</think><answer>{text}</answer>"


def match(text, gold):
    return segments(prompts=[""], completions=[answer(text)], solution=[gold])[0]


@pytest.mark.parametrize(
    ("text", "gold", "expected"),
    [
        ("1.0 to 2.0, 5.0 to 6.0", "1.0 to 2.0, 5.0 to 6.0", 2.0),
        ("1.0-2.0 5.0-6.0", "1.0 to 2.0, 5.0 to 6.0", 2.0),
        # Half of the gold: precision 1, recall 0.5, F1 0.6667. IoU 0.5 in a hull of 2 without
        # gaps, so GIoU 0.5 and local (1 + 0.5) / 2.
        ("2.0 to 3.0", "1.0 to 3.0", 2 / 3 + 0.75),
        # Disjoint: F1 0, GIoU 0 - (3 - 2) / 3, local 1/3.
        ("1.0 to 2.0", "3.0 to 4.0", 1 / 3),
        ("3.0 to 1.0", "1.0 to 3.0", 0.0),
        ("inf-inf", "1.0 to 3.0", 0.0),
        ("red", "1.0 to 3.0", 0.0),
        ("2", "2", 0.0),
    ],
)
def test_matching(text, gold, expected):
    assert match(text, gold) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    "gold",
    [[[1.0, 2.0], [5.0, 6.0]], "[[1.0, 2.0], [5.0, 6.0]]", "<answer>1.0-2.0 5.0-6.0</answer>"],
)
def test_golds_as_they_are_published(gold):
    assert match("1.0-2.0 5.0-6.0", gold) == pytest.approx(2.0, abs=1e-5)


def test_an_empty_answer_is_paid_for_in_the_official_code_alone():
    for reward in (form, cited_form):
        for text, paid in ((answer(""), [0.0, 1.0]), (answer("1.0 to 2.0", "1.0 2.0"), [1.0] * 2)):
            found = [
                reward(prompts=[""], completions=[text], context=[Context(variant=v)])[0]
                for v in ("paper", "official_code")
            ]
            assert found == paid


def test_the_first_phase_asks_for_the_times_that_it_pays_for():
    sample = Sample(
        id="g", question="When?", answer="1.0 to 2.0", problem_type="temporal grounding"
    )
    asks = {s: [prompt(x) for x in prepare_data([sample] * 2, Context(stage=s))] for s in STAGES}
    ask = "Name its times in the thought."
    assert {s: [ask in p for p in prompts] for s, prompts in asks.items()} == {
        "sft": [False, True],
        "cited": [True, True],
        "rl": [False, False],
    }


def test_a_missing_segment_is_padded_far_away():
    """F1: precision 1, recall 1/2; local: (1 + 1) / 2 and about 0, mean 0.5."""
    assert match("1.0 to 2.0", "1.0 to 2.0, 5.0 to 6.0") == pytest.approx(2 / 3 + 0.5, abs=1e-5)


def test_the_first_phase_asks_for_times_in_the_thought():
    texts = [answer("1.0 to 2.0", "red 1.0 2.0"), answer("1.0 to 2.0", "red"), answer("red"), "no"]
    scores = {
        r.__name__: r(prompts=[""] * 4, completions=texts, solution=["1.0 to 2.0"] * 4)
        for r in (segments, form, cited_form)
    }
    assert scores["form"] == [1.0, 1.0, 0.2, 0.0]
    assert scores["cited_form"] == [1.0, 0.6, 0.2, 0.0]
    sample = Sample(id="s", question="When?", answer="1.0 to 2.0")
    group = Group(sample, texts, ["ordered"] * 4, [True] * 4, [9] * 4, scores)
    assert shape_rewards(group, FIRST) == pytest.approx([3.0, 2.6, 0.2, 0.0], abs=1e-5)
    assert shape_rewards(group, SECOND) == pytest.approx([3.0, 3.0, 0.2, 0.0], abs=1e-5)


def test_counted_objects_become_questions_with_several_segments():
    events = [
        {"object": "red", "distractor": False, "start": 1.0, "end": 2.0},
        {"object": "blue", "distractor": True, "start": 0.0, "end": 8.0},
        {"object": "red", "distractor": False, "start": 5.0, "end": 6.0},
    ]
    count = Sample(
        id="c",
        question="How many times does red appear?",
        answer="2",
        task="counting",
        rationale="1.0s red; 5.0s red: 2",
        meta={"events": events},
    )
    ground = Sample(id="g", question="When?", answer="1.0 to 2.0", task="temporal_grounding")
    first, second = prepare_data([count, ground], FIRST)
    assert first.meta["cited"] and second.meta["cited"]
    assert (first.question, first.answer) == ("When does red appear?", "1.0 to 2.0, 5.0 to 6.0")
    assert first.rationale == "1.0s red; 5.0s red: 1.0 to 2.0, 5.0 to 6.0"
    assert second.id == "g"
    learnt = prepare_data([count, ground], Context(stage="sft"))
    assert [s.answer for s in learnt] == ["1.0 to 2.0, 5.0 to 6.0", "2", "1.0 to 2.0"]
