"""VerIPO's verifier and rewards, with numbers worked out by hand."""

from __future__ import annotations

import pytest

from reproductions.methods.veripo.method import METHOD, agrees, repeats, shape_rewards, verified
from reproductions.shared.method import Context, Group, Sample

SAMPLE = Sample(
    id="s", question="Which way?", answer="B", options=("A. left", "B. up left", "C. right")
)
LOOP = "left right up down " * 4


def answer(thought, final):
    return f"<think>{thought}</think><answer>{final}</answer>"


def group(*texts, lengths=None, accuracy=None):
    n = len(texts)
    made = Group(SAMPLE, list(texts), ["ordered"] * n, [True] * n, lengths or [10] * n)
    made.scores = {"accuracy": accuracy or [1.0] * n, "format": [1.0] * n}
    return made


@pytest.mark.parametrize(
    ("thought", "final", "wanted"),
    [
        ("first right, then up left", "B", True),
        ("first right, then up left", "A", False),  # "left" is part of "up left"
        ("up left, no, right", "B", False),
        ("it moves", "C", True),  # nothing is concluded, so nothing is contradicted
        ("so LEFT", "A.", True),
        ("not right, so the answer is B.", "B", True),  # as in the authors' prompt
        ("up left; the answer is $C$", "B", False),
        ("the answer is a bit up left", "B", True),
    ],
)
def test_the_thought_must_end_where_the_answer_does(thought, final, wanted):
    assert agrees(SAMPLE, answer(thought, final)) is wanted


def test_without_options_the_thought_names_the_value():
    number = Sample(id="n", question="How many?", answer="3", problem_type="numerical")
    assert agrees(number, answer("1.0s, 2.0s, 4.0s: 3", "3"))
    assert not agrees(number, answer("two", "3"))


def test_repetition_is_counted_in_runs_of_four_words():
    # 16 words have 13 runs of four, of which 4 are distinct: 9 / 13 were there before.
    assert repeats(answer(LOOP, "B"))
    # 10 words, period 4: 7 runs, 4 distinct: 3 / 7 < 0.5.
    assert not repeats(answer("a b c d a b c d a b", "B"))
    assert not repeats(answer("a b", "B"))


def test_the_verifier_prefers_long_sound_thoughts():
    made = group(
        answer("up left", "B"),
        answer("right", "B"),
        answer(f"{LOOP} up left", "B"),
        answer("up left", "C"),
        answer("I see up left", "B"),
        lengths=[10, 40, 40, 20, 30],
        accuracy=[1.0, 1.0, 1.0, 0.0, 1.0],
    )
    # Sound: the first and the last; 1 + 0.1 x 10 / 40 and 1 + 0.1 x 30 / 40.
    assert verified(made) == pytest.approx([1.025, 0.0, 0.0, 0.0, 1.075])
    preference = Context(settings={"kind": "preference"})
    assert shape_rewards(made, preference) == verified(made)


def test_grpo_pays_accuracy_and_half_for_format():
    made = group("a", "b", "c", accuracy=[1.0, 0.4, 0.0])
    made.scores["format"] = [1.0, 0.0, 1.0]
    rl = Context(settings={"kind": "grpo"})
    assert shape_rewards(made, rl) == pytest.approx([1.5, 0.4, 0.5])


def test_the_loop_is_search_verify_align_search():
    assert [s.kind for s in METHOD.stages] == ["sft", "grpo", "grpo", "preference", "grpo"]
