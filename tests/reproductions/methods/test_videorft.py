"""The semantic reward's stand-in and its gate in VideoRFT, worked out by hand."""

from __future__ import annotations

import pytest

from reproductions.methods.videorft.method import frame_words, semantic, shape_rewards
from reproductions.shared.method import Context, Group, Sample

META = {
    "seconds": 4.0,
    "events": [
        {"object": "red", "start": 0.0, "end": 2.0},
        {"object": "blue square", "start": 1.0, "end": 3.0},
    ],
}


def score(thought, meta=META):
    completion = f"<think>{thought}</think><answer>A</answer>"
    return semantic(prompts=[""], completions=[completion], meta=[meta])[0]


def test_words_of_each_second():
    assert frame_words(META) == [["red"], ["red", "blue", "square"], ["blue", "square"], []]


def test_similarity_by_hand():
    """The thought "red". Frames: cos 1 -> 1; 1 / sqrt 3, doubled -> 1; 0; nothing to see -> 0."""
    assert score("red") == pytest.approx(0.5)


def test_weak_similarity_is_doubled_and_not_cut():
    """ "red one two three four": cos with "red" is 1 / sqrt 5 = 0.447214, doubled 0.894427.

    With three words in the frame 1 / sqrt 15 = 0.258199, doubled 0.516398; mean over 4 frames.
    """
    found = score("red one two three four")
    assert found == pytest.approx((0.894427 + 0.516398) / 4, abs=1e-6)


def test_text_before_the_first_full_stop_does_not_count():
    assert score("red. green") == 0.0
    assert score("green. red") == pytest.approx(0.5)


def test_records_that_do_not_say_what_is_shown_score_nothing():
    assert score("red", {}) == 0.0


def test_only_right_answers_gain():
    scores = {"accuracy": [1.0, 0.0, 0.4], "format": [1.0, 1.0, 0.0], "semantic": [0.5, 0.9, 0.25]}
    sample = Sample(id="s", question="?", answer="A")
    group = Group(sample, [""] * 3, ["ordered"] * 3, [True] * 3, [400, 400, 100], scores)
    # The first is right and of 320 to 512 tokens: 1 + 1 + 0.5 + 0.2.
    assert shape_rewards(group, Context()) == pytest.approx([2.7, 1.0, 0.65])
