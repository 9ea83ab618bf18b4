"""TPO's views of a video and the pairs made from them, with indices worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from reproductions.methods.tpo.method import METHOD, build_group, segments, thinned, without
from reproductions.shared.method import Context, Sample

META = {
    "seconds": 8.0,
    "events": [
        {"start": 2.0, "end": 4.0, "distractor": False},
        {"start": 0.0, "end": 8.0, "distractor": True},
        {"start": 5.0, "end": 6.0, "distractor": False},
    ],
}
SAMPLE = Sample(id="s", question="?", answer="A", options=("A. x", "B. y"), video="v", meta=META)


def test_the_segment_is_what_the_question_is_about():
    assert segments(SAMPLE) == [(0.25, 0.5), (0.625, 0.75)]
    interval = Sample(id="i", question="?", answer="A", meta={**META, "interval": [1.0, 2.0]})
    assert segments(interval) == [(0.125, 0.25)]
    assert segments(Sample(id="n", question="?", answer="A")) == []


def test_frames_of_the_segment_go():
    # 8 frames of one second: frames 2, 3 and 5 show an event; 0, 1, 4, 6, 7 stay, cut to an even 4.
    assert without(segments(SAMPLE), 8) == [0, 1, 4, 6]
    # Frame 1 of 4 covers 2 s to 4 s, frame 2 covers 4 s to 6 s: both touch an event.
    assert without(segments(SAMPLE), 4) == [0, 3]
    assert without([(0.0, 1.0)], 8) == []


@pytest.mark.parametrize(("frames", "kept"), [(8, [0, 4]), (16, [0, 4, 8, 12]), (4, [0, 2])])
def test_thinning_keeps_every_fourth_frame(frames, kept):
    assert thinned(frames) == kept


def test_the_intact_answer_alone_may_be_chosen():
    views = set()
    for seed in range(20):
        intact, left = build_group(SAMPLE, Context(rng=Random(seed)))
        assert (intact.n, intact.frames, intact.trained) == (1, None, True)
        assert (left.n, left.trained) == (1, False)
        wanted = {"segment_missing": [0, 1, 4, 6], "thinned": [0, 4]}[left.view]
        assert left.frames(8) == wanted
        views.add(left.view)
    assert views == {"segment_missing", "thinned"}
    assert len(build_group(replace(SAMPLE, video=None), Context(rng=Random(0)))) == 1


def test_a_segment_that_is_the_whole_video_is_thinned_instead():
    meta = {"seconds": 8.0, "events": [{"start": 0.0, "end": 8.0, "distractor": False}]}
    sample = Sample(id="w", question="?", answer="A", video="v", meta=meta)
    for seed in range(6):
        assert build_group(sample, Context(rng=Random(seed)))[1].frames(8) == [0, 4]


def test_a_pair_stays_where_the_missing_part_cost_the_answer():
    pytest.importorskip("torch")
    from reproductions.shared.inference.engine import Completion, Sampling
    from reproductions.shared.rewards.rules import accuracy
    from reproductions.shared.training.preference import Pair, sample_pairs

    class Scripted:
        def __init__(self, *answers):
            self.answers = answers

        def encoder(self, sample):
            return type("Prompt", (), {"times": tuple(range(8))})

        def generate(self, requests, sampling):
            texts = [f"<think></think><answer>{a}</answer>" for a in self.answers]
            return [[Completion(t, (), (), True)] for t in texts]

    method = type(METHOD)(id="t", build_group=build_group, rewards=(accuracy("video_r1"),))
    made = [
        sample_pairs([SAMPLE], Scripted(*two), method, Sampling(temperature=1.0))
        for two in (("A", "B"), ("A", "A"), ("B", "A"), ("B", "B"))
    ]
    right, wrong = (f"<think></think><answer>{a}</answer>" for a in "AB")
    assert made == [[Pair(SAMPLE, right, wrong)], [], [], []]
