"""Vad-R1's verification: what is cut from a video, and what the second answer is worth."""

from __future__ import annotations

import random
from types import SimpleNamespace

import pytest

from reproductions.methods.vad_r1.method import (
    METHOD,
    format_target,
    kept,
    length,
    prompt,
    verdict,
    verification,
)
from reproductions.shared.method import Context, Sample

OPTIONS = ("A. start", "B. middle", "C. end", "D. never")
SAMPLE = Sample(
    id="s",
    question="When?",
    answer="A",
    options=OPTIONS,
    video="v.mp4",
    rationale="0.0s red; 8.0s end: start",
    meta={"interval": [0.0, 3.0]},
)
TIMES = tuple(float(t) for t in range(8))


class Verifier:
    """Answers every request with one text, and keeps what it was asked."""

    def __init__(self, text):
        self.text, self.asked = text, []

    def generate(self, requests, sampling):
        self.asked += [r.messages[-1].shows.times for r in requests]
        self.limit = sampling.max_new_tokens
        return [[SimpleNamespace(text=self.text)] for _ in requests]


def said(letter, thought="0.0s red; 0.0 to 3.0: start"):
    return f"<think>{thought}</think><answer>{letter}</answer>"


def verified(texts, second, sample=SAMPLE):
    verifier = Verifier(said(second))
    known = Context(
        rng=random.Random(0), times=TIMES, frozen=verifier, settings={"max_completion_length": 9}
    )
    columns = {"sample": [sample] * len(texts), "context": [known] * len(texts)}
    return verification(prompts=[""] * len(texts), completions=texts, **columns), verifier


@pytest.mark.parametrize(
    ("first", "second", "paid"),
    [
        ("A", "D", 0.5),  # called unusual; normal without the span
        ("B", "D", 0.5),  # which class does not matter
        ("A", "C", 0.0),  # still unusual
        ("D", "A", -0.2),  # called normal; unusual without an end
        ("D", "D", 0.0),
        ("A", "?", 0.0),
        ("?", "D", 0.0),
    ],
)
def test_what_the_second_answer_is_worth(first, second, paid):
    assert verified([said(first)], second)[0] == [paid]


def test_the_named_span_is_cut_out_and_each_cut_is_asked_for_once():
    texts = [said("A"), said("B"), said("A", "1.0 to 2.0"), said("A", "0.0 to 8.0"), said("A", "x")]
    scores, verifier = verified(texts, "D")
    # Nothing is left of the fourth; the fifth names no span.
    assert scores == [0.5, 0.5, 0.5, 0.0, 0.0]
    assert verifier.asked == [TIMES[3:], (0.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0)]
    assert verifier.limit == 9


def test_a_quarter_of_a_normal_video_is_cut_at_either_end():
    cuts = {kept(said("D"), True, Context(times=TIMES, rng=random.Random(i))) for i in range(20)}
    assert cuts == {TIMES[2:], TIMES[:-2]}
    assert kept(said("A", "20.0 to 30.0"), False, Context(times=TIMES)) == ()


def test_verdicts_of_options_and_of_classes():
    free = Sample(id="f", question="?", answer="Normal", problem_type="free-form")
    assert [verdict(said(x), SAMPLE) for x in "ABCD?"] == [False, False, False, True, None]
    assert [verdict(said(x), free) for x in ("normal", "Fire", "")] == [True, False, None]


@pytest.mark.parametrize(
    ("answer", "words", "paid"),
    [("D", 139, 0.0), ("D", 140, 0.2), ("D", 262, 0.0), ("A", 232, 0.0), ("A", 456, 0.2)],
)
def test_the_bonus_for_length_depends_on_the_label(answer, words, paid):
    sample = Sample(id="l", question="?", answer=answer, options=OPTIONS)
    text = said("B", " ".join(["so"] * words))
    assert length(prompts=[""], completions=[text], sample=[sample]) == [paid]


def test_the_chain_perceives_names_the_span_and_judges():
    assert format_target(SAMPLE) == said("A", "0.0s red; 8.0s end; 0.0 to 3.0: start")
    scores, _ = verified([format_target(SAMPLE)], "D")
    assert scores == [0.5]
    assert prompt(SAMPLE).index("seen") < prompt(SAMPLE).index("unusual")
    assert [r.__name__ for r in METHOD.rewards or ()] == [
        *("accuracy", "format", "verification", "length"),
    ]
