"""Pixel Reasoner: the operation, its two turns, warm start and curiosity, worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reproductions.methods.pixel_reasoner.method import (
    CALL,
    METHOD,
    accuracy,
    after,
    calls,
    decode,
    prepare_data,
    prompt,
    shape_rewards,
)
from reproductions.shared.inference.engine import Shown
from reproductions.shared.inference.scripted import ScriptedGenerator
from reproductions.shared.method import Context, Group, Sample
from reproductions.shared.rewards.advantages import group_relative

TIMES = tuple(0.5 * i for i in range(16))  # a clip of 8 seconds
PAPER = Context(times=TIMES, settings={"max_completion_length": 72, "answer_tokens": 48})
OFFICIAL = replace(PAPER, variant="official_code")
SAMPLE = Sample(
    id="s",
    question="Which colour flashes?",
    answer="B",
    options=("A. red", "B. blue"),
    video="v.mp4",
    rationale="3.5s blue: blue",
    meta={
        "seconds": 8.0,
        "events": [
            {"object": "blue", "distractor": False, "start": 3.5, "end": 6.0},
            {"object": "grey", "distractor": True, "start": 0.0, "end": 8.0},
        ],
    },
)
DIRECT = "<think>t</think><answer>B</answer>"
WRONG = "<think>t</think><answer>A</answer>"


def looks(frames):
    return f"<think>t</think>{CALL.format(frames)}"


def shown(request):
    return request.messages[-1].shows


def test_the_prompt_offers_the_operation_for_videos_alone():
    asked = prompt(SAMPLE)
    assert '<tool>{"name": "select_frames", "arguments": {"target_frames": [3, 4]}}</tool>' in asked
    assert asked.endswith("at most 8 of the frames 0 to 15.")
    assert "tool" not in prompt(replace(SAMPLE, video=None))
    assert after(looks([1]), replace(SAMPLE, video=None), PAPER) is None


def test_the_turn_after_a_call_shows_the_frames_larger():
    turn = after(looks([15, 7, 7]), SAMPLE, PAPER)
    assert shown(turn) == Shown(times=(3.5, 7.5), scale=4.0) and turn.prefix == "<think>"
    assert [m.role for m in turn.messages] == ["user", "assistant", "user"]
    assert turn.messages[0].text == prompt(SAMPLE) and turn.messages[0].shows == Shown()
    assert turn.messages[1].text == looks([15, 7, 7])
    assert after(DIRECT, SAMPLE, PAPER) is None


@pytest.mark.parametrize(
    "text",
    [
        looks([]),
        looks([16]),
        looks([-1]),
        looks([1.5]),
        looks(["1"]),
        looks([True]),
        looks(list(range(9))),
        looks(3),
        "<tool>frames 3</tool>",
        '<tool>{"name": "zoom", "arguments": {}}</tool>',
    ],
)
def test_a_call_that_cannot_be_carried_out_is_answered_by_its_error(text):
    turn = after(text, SAMPLE, PAPER)
    assert turn.messages[-1].text.startswith("Error: ") and shown(turn) is None


def test_eleven_of_fifteen_traces_call():
    samples = [replace(SAMPLE, id=str(i)) for i in range(30)]
    traces = prepare_data(samples, replace(PAPER, stage="sft"))
    assert len(traces) == 2 * (11 * 2 + 4)
    made, seen = traces[:2]
    # Frame k is at k / 2 seconds: 3.5 to 6 s are frames 7 to 11, of which two are selected.
    assert METHOD.format_target(made) == f"<think>3.5s; 4.0s</think>{CALL.format([7, 8])}"
    assert METHOD.format_target(seen) == "<think>3.5s blue: blue</think><answer>B</answer>"
    assert [m.shows for m in made.meta["messages"]] == [Shown()]
    # What is taught is what the turn after such a call asks.
    turn = after(METHOD.format_target(made), SAMPLE, PAPER)
    assert seen.meta["messages"] == turn.messages
    assert traces[22:26] == samples[11:15] and len({t.id for t in traces}) == len(traces)
    unseen = replace(SAMPLE, meta={})
    assert prepare_data([unseen], replace(PAPER, stage="sft")) == [unseen]
    assert prepare_data(samples, replace(PAPER, stage="rl")) == samples


def rewarded(completions, context, frozen):
    n = len(completions)
    columns = {"sample": [SAMPLE] * n, "solution": ["B"] * n}
    columns["problem_type"] = [SAMPLE.problem_type] * n
    columns["context"] = [replace(context, frozen=frozen)] * n
    return [r(prompts=[""] * n, completions=completions, **columns) for r in METHOD.rewards]


def test_the_frozen_checkpoint_answers_after_a_call():
    """It is right where it sees 3.5 s. Equal calls are asked once, direct answers never."""

    def script(request, i):
        seen = shown(request)
        return f"t</think><answer>{'B' if seen and 3.5 in seen.times else 'A'}</answer>"

    frozen = ScriptedGenerator(script)
    texts = [DIRECT, WRONG, looks([7]), looks([7]), looks([1]), looks([16]), looks([7]) * 3]
    found = rewarded(texts, PAPER, frozen)
    assert found == [[1.0, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0], [0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 3.0]]
    assert [shown(r) and shown(r).times for r in frozen.requests] == [(3.5,), (0.5,), None, (3.5,)]
    (sampling,) = frozen.samplings
    assert sampling.temperature == 0 and sampling.max_new_tokens == 72
    assert [r.__name__ for r in METHOD.rewards] == ["accuracy", "calls"]
    # Without any call the checkpoint is not even loaded.
    assert rewarded([DIRECT], PAPER, None) == [[1.0], [0.0]]
    assert calls([], ["", "<tool>"]) == [0.0, 1.0]
    assert accuracy is METHOD.rewards[0]


def totals(right, texts, context, sample=SAMPLE):
    n = len(texts)
    scores = {"accuracy": right, "calls": calls([], texts)}
    group = Group(sample, texts, ["ordered"] * n, [True] * n, [9] * n, scores)
    return shape_rewards(group, context)


def test_the_bonus_is_that_of_the_papers_own_example():
    """One of eight looks: 0.5 x (0.3 - 1/8) = 0.0875 (App. C.3), right or wrong."""
    texts = [looks([7]), *[DIRECT] * 7]
    right = [0.0, 1.0, 0.0, *[1.0] * 5]
    assert totals(right, texts, PAPER) == pytest.approx([0.0875, 1.0, 0.0, *[1.0] * 5])


@pytest.mark.parametrize(("looking", "bonus"), [(1, 0.0875), (2, 0.025), (3, 0.0), (8, 0.0)])
def test_the_bonus_fades_as_the_rate_nears_the_target(looking, bonus):
    """0.5 x (0.3 - 2/8) = 0.025; from 3 of 8 on nothing."""
    texts = [looks([7])] * looking + [DIRECT] * (8 - looking)
    expected = [1.0 + bonus] * looking + [1.0] * (8 - looking)
    assert totals([1.0] * 8, texts, PAPER) == pytest.approx(expected)


def test_each_call_after_the_first_costs():
    """1 + 0.05 x (1 - 3) = 0.9; half of the group looks, so that there is no bonus."""
    texts = [looks([7]) * 3, looks([7]), DIRECT, WRONG]
    for context in (PAPER, OFFICIAL):
        assert totals([1.0, 1.0, 1.0, 0.0], texts, context) == pytest.approx([0.9, 1.0, 1.0, 0.0])


def test_the_official_code_divides_by_the_rate_and_voids_failed_calls():
    """0.25 x (0.3 - 1/8) / (1/8) / 1.5 = 0.23333, over 2 for a picture 0.175.

    A right answer after a failed call keeps its bonus and loses the rest.
    """
    good, bad = ([looks([frame]), *[DIRECT] * 7] for frame in (7, 16))
    right = [1.0] * 8
    assert totals(right, good, PAPER)[0] == totals(right, bad, PAPER)[0] == pytest.approx(1.0875)
    assert totals(right, good, OFFICIAL) == pytest.approx([1.0 + 0.23333, *[1.0] * 7], abs=1e-5)
    assert totals(right, bad, OFFICIAL)[0] == pytest.approx(0.23333, abs=1e-5)
    picture = replace(SAMPLE, video=None)
    assert totals(right, good, OFFICIAL, picture)[0] == pytest.approx(1.175)
    # The same group, two policies: the failed call is best by the paper and worst by the code.
    paper, official = (group_relative(totals(right, bad, c)) for c in (PAPER, OFFICIAL))
    assert paper[0] > 2 and official[0] < -2


def test_decoding_looks_once_and_answers():
    def script(request, i):
        return "blue</think><answer>B</answer>" if request.prefix else looks([7, 8])

    generator = ScriptedGenerator(script)
    result = decode(SAMPLE, generator, PAPER)
    assert result.text == "<think>blue</think><answer>B</answer>"
    assert shown(generator.requests[1]).times == (3.5, 4.0)
    assert result.trace[0]["text"] == looks([7, 8])
    at_once = ScriptedGenerator(lambda request, i: DIRECT)
    assert decode(SAMPLE, at_once, PAPER).text == DIRECT and len(at_once.requests) == 1
