"""The semantic reward's stand-in and its gate in VideoRFT, worked out by hand."""

from __future__ import annotations

import pytest

from reproductions.methods.videorft.method import frame_words, semantic, shape_rewards
from reproductions.shared.method import Context, Group, Sample

OFFICIAL = Context(variant="official_code")
META = {
    "seconds": 4.0,
    "events": [
        {"object": "red", "start": 0.0, "end": 2.0},
        {"object": "blue square", "start": 1.0, "end": 3.0},
    ],
}


def score(thought, meta=META, context=OFFICIAL):
    completion = f"<think>{thought}</think><answer>A</answer>"
    return semantic([""], [completion], meta=[meta], context=[context])[0]


def test_words_of_each_second():
    assert frame_words(META) == [["red"], ["red", "blue", "square"], ["blue", "square"], []]


def test_similarity_to_each_frame_by_hand():
    """The thought "red". Frames: cos 1 -> 1; 1 / sqrt 3, doubled -> 1; 0; nothing to see -> 0."""
    assert score("red") == pytest.approx(0.5)


def test_weak_similarity_is_doubled_and_not_cut():
    """ "red one two three four": cos with "red" is 1 / sqrt 5 = 0.447214, doubled 0.894427.

    With three words in the frame 1 / sqrt 15 = 0.258199, doubled 0.516398; mean over 4 frames.
    """
    found = score("red one two three four")
    assert found == pytest.approx((0.894427 + 0.516398) / 4, abs=1e-6)


def test_similarity_to_the_mean_of_the_frames_by_hand():
    """Eq. 5, "red one two three four four". Frames of length 1: red | red, blue, square: 1 / sqrt 3
    each | blue, square: 1 / sqrt 2 each | nothing. Four times their mean: red 1.577350, blue and
    square 1.284457, length 2.405768. The thought's red is 1 / sqrt 8 = 0.353553, so the cosine is
    0.353553 x 1.577350 / 2.405768 = 0.231809, doubled 0.463618."""
    assert score("red one two three four four", context=Context()) == pytest.approx(
        0.463618, abs=1e-6
    )
    # The mean over frames: (2 x 0.353553 + 2 x 0.204124) / 4.
    assert score("red one two three four four") == pytest.approx(0.278839, abs=1e-6)
    assert score("red", context=Context()) == 1.0  # cosine 0.655653, doubled and cut


def test_the_paper_is_the_default():
    (found,) = semantic([""], ["<think>red one two three four four</think>"], meta=[META])
    assert found == pytest.approx(0.463618, abs=1e-6)


@pytest.mark.parametrize("context", [OFFICIAL, Context()])
def test_which_text_counts(context):
    """What follows the first full stop, 64 words of it, as SigLIP cuts it."""
    assert score("red. green", context=context) == 0.0
    assert score("green. red", context=context) == score("red", context=context) > 0
    assert score("green " * 63 + "red", context=context) > 0
    assert score("green " * 64 + "red", context=context) == 0.0


@pytest.mark.parametrize("context", [OFFICIAL, Context()])
def test_records_that_do_not_say_what_is_shown_score_nothing(context):
    assert score("red", {}, context) == 0.0


def test_only_right_answers_gain():
    scores = {"accuracy": [1.0, 0.0, 0.4], "format": [1.0, 1.0, 0.0], "semantic": [0.5, 0.9, 0.25]}
    sample = Sample(id="s", question="?", answer="A")
    group = Group(sample, [""] * 3, ["ordered"] * 3, [True] * 3, [400, 400, 100], scores)
    assert shape_rewards(group, Context()) == pytest.approx([2.5, 1.0, 0.65])
    # In the official code: the first is right and of 320 to 512 tokens: 1 + 1 + 0.5 + 0.2.
    assert shape_rewards(group, OFFICIAL) == pytest.approx([2.7, 1.0, 0.65])
