"""VideoMind's roles and Algorithm 1: plans, moments, confidence and crops, worked out by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from reproductions.methods.videomind.method import (
    METHOD,
    PLANS,
    confidence,
    decode,
    inside,
    moments,
    prepare_data,
)
from reproductions.shared.inference.engine import Shown
from reproductions.shared.inference.scripted import ScriptedGenerator
from reproductions.shared.method import Context, Sample
from reproductions.shared.prompts import answer_only
from reproductions.shared.rewards.intervals import union_iou

SAMPLE = Sample(
    id="s",
    question="Which colour flashes?",
    answer="B",
    options=("A. red", "B. blue"),
    video="v.mp4",
    meta={"seconds": 64.0, "interval": [20.0, 30.0]},
)
WHEN = replace(
    SAMPLE,
    id="w",
    question="When does red appear?",
    options=(),
    answer="20.0 to 30.0",
    problem_type="temporal grounding",
)
WHOLE = replace(SAMPLE, id="o", question="Which colour comes first?", meta={"seconds": 64.0})
CONTEXT = Context(duration=64.0, settings={"answers": 5, "temperature": 1.0, "answer_tokens": 32})


def said(request):
    return request.messages[-1].text


def shown(request):
    return request.messages[-1].shows


@pytest.mark.parametrize(
    ("span", "margin", "expected"),
    [
        ((20.0, 30.0), 0.0, (20.0, 30.0)),
        ((30.0, 20.0), 0.5, (15.0, 35.0)),  # half of ten seconds on both sides
        ((60.0, 64.0), 0.5, (58.0, 64.0)),  # inside the video
        ((12.0, 12.0), 0.0, (11.5, 12.5)),  # at least a second
        ((70.0, 90.0), 0.0, (63.0, 64.0)),
        ((0.0, 0.2), 0.5, (0.0, 1.0)),
    ],
)
def test_moments_lie_inside_the_video(span, margin, expected):
    assert inside(span, 64.0, margin) == expected


def test_what_each_question_teaches():
    roles = prepare_data([SAMPLE, WHEN, WHOLE, replace(SAMPLE, video=None)], CONTEXT)
    taught = [(r.meta["messages"][0].text, r.meta["target"]) for r in roles]
    views = [r.meta["messages"][0].shows for r in roles]
    low, crop = {"scale": 0.25}, Shown(frames=32, span=(20.0, 30.0))
    # A question on a known moment: plan, moment, check, and the answer from the moment.
    assert taught[0] == (f"Which colour flashes?\nWhich roles: {'; '.join(PLANS)}?", PLANS[0])
    assert taught[1] == ("Which colour flashes?\nWhich seconds show it?", "20.0 to 30.0")
    assert taught[2][0].startswith("Which colour flashes?\nIs it at ")
    assert taught[2][1] in ("yes", "no")
    crop_asked = f"Seconds 20.0 to 30.0 of the video. {answer_only(SAMPLE)}"
    assert taught[3] == (crop_asked, "<answer>B</answer>")
    assert views[:2] == [Shown(frames=100, **low), Shown(frames=150, **low)] and views[3] == crop
    # A moment to find is not answered; what has no moment is answered at once.
    assert [t[1] for t in taught[4:6]] == [PLANS[1], "20.0 to 30.0"] and len(taught) == 9
    assert taught[7][1] == PLANS[2] and taught[8] == (answer_only(WHOLE), "<answer>B</answer>")
    assert views[8] == Shown(frames=32) and len({r.id for r in roles}) == 9
    assert [METHOD.format_target(r) for r in roles] == [t[1] for t in taught]


def test_the_verifier_learns_from_moved_moments_by_their_iou():
    samples = [replace(SAMPLE, id=str(i)) for i in range(300)]
    checks = [r for r in prepare_data(samples, CONTEXT) if r.id.endswith("/2")]
    right = 0
    for check in checks:
        (message,) = check.meta["messages"]
        text = message.text.split("Is it at ")[1].split("?")[0]
        moved = tuple(float(x) for x in text.split(" to "))
        is_right = union_iou(moved, (20.0, 30.0)) >= 0.5
        assert check.meta["target"] == ("yes" if is_right else "no")
        assert message.shows == Shown(frames=64, span=inside(moved, 64.0, 0.5), scale=0.25)
        right += is_right
    assert 60 <= right <= 200  # neither answer is a safe guess
    assert prepare_data(samples, CONTEXT) == prepare_data(samples, CONTEXT)


def test_doubles_of_an_earlier_moment_are_left_out():
    """10 to 20 and 11 to 20 share 9 of 10 seconds, over 0.75; 13 to 20 only 7 of 10."""
    answers = ["10.0 to 20.0", "11.0 to 20.0", "no idea", "13.0 to 20.0", "20.0 to 10.0"]
    generator = ScriptedGenerator(lambda request, i: answers[i])
    assert moments(SAMPLE, generator, CONTEXT) == [(10.0, 20.0), (13.0, 20.0)]
    assert generator.requests[0].n == 5 and generator.samplings[0].temperature == 1.0


def verifying(likely):
    """A generator whose yes and no have these probabilities, by the moment that is asked about."""
    generator = ScriptedGenerator(lambda request, i: script(request))

    def script(request):
        (word,) = generator.samplings[-1].choices
        p = next(pair for span, pair in likely.items() if span in said(request))[word == "no"]
        return word, math.log(p) / len(word)  # of each token, which are letters here

    return generator


def test_confidence_by_hand():
    """sigmoid(ln 0.6 - ln 0.2) = 0.6 / 0.8; what the two words do not get does not matter."""
    generator = verifying({"10.0 to 20.0": (0.6, 0.2), "0.0 to 4.0": (0.01, 0.03)})
    scores = confidence(SAMPLE, generator, CONTEXT, [(10.0, 20.0), (0.0, 4.0)])
    assert scores == pytest.approx([0.75, 0.25])
    # Each moment is shown with half of its length on both sides, inside the video.
    spans = [shown(r).span for r in generator.calls[0]]
    assert spans == [(5.0, 25.0), (0.0, 6.0)] and shown(generator.requests[0]).frames == 64
    assert [s.choices for s in generator.samplings] == [("yes",), ("no",)]


def agent(plan, found=("10.0 to 20.0", "20.0 to 30.0", "x", "x", "x")):
    """Prefers the moment at 20 to 30."""

    def script(request, i):
        text, choices = said(request), generator.samplings[-1].choices
        if "Which roles" in text:
            return plan
        if "Which seconds" in text:
            return found[i]
        if "Is it at" in text:
            good = "20.0 to 30.0" in text
            return choices[0], -0.1 if good == (choices[0] == "yes") else -2.0
        return "<answer>B</answer>"

    generator = ScriptedGenerator(script)
    return generator


def test_the_first_plan_answers_from_the_likeliest_moment():
    generator = agent(PLANS[0])
    result = decode(SAMPLE, generator, CONTEXT)
    assert result.text == "<answer>B</answer>" and result.evidence == ((20.0, 30.0),)
    last = generator.requests[-1]
    assert shown(last) == Shown(frames=32, span=(20.0, 30.0))
    assert said(last).startswith("Seconds 20.0 to 30.0 of the video.")
    assert len(generator.calls) == 5 and generator.samplings[0].choices == PLANS
    plan, checked = result.trace
    assert plan["roles"] == PLANS[0] and checked["moments"] == [(10.0, 20.0), (20.0, 30.0)]


def test_the_second_plan_answers_with_the_moment():
    generator = agent(PLANS[1])
    result = decode(WHEN, generator, CONTEXT)
    assert result.text.endswith("<answer>20.0 to 30.0</answer>") and len(generator.calls) == 4


@pytest.mark.parametrize(
    ("plan", "found", "duration"),
    [(2, "10.0 to 20.0", 64.0), (0, "none", 64.0), (1, "none", 64.0), (0, "0.0 to 0.2", 0.2)],
)
def test_without_a_moment_the_whole_video_is_answered(plan, found, duration):
    """By plan, because none is read, or because the video is too short to have one."""
    generator = agent(PLANS[plan], (found,) * 5)
    result = decode(WHOLE, generator, replace(CONTEXT, duration=duration))
    assert result.text == "<answer>B</answer>" and result.evidence == ()
    assert shown(generator.requests[-1]) == Shown(frames=32)
    assert said(generator.requests[-1]) == answer_only(WHOLE)
