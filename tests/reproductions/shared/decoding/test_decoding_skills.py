"""The cold start of test-time methods: what is asked, and that the answer is the clip's truth."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace

import pytest

pytest.importorskip("numpy")

from reproductions.shared.decoding.skills import SKILLS, caption, evidence, skilled, target
from reproductions.shared.decoding.tools import call_of
from reproductions.shared.prompts import rationale_target
from reproductions.shared.synthetic.world import Knobs, make

KNOBS = Knobs(num_frames=32, flash_frames=2, question_type="mcq")


def world(n=300):
    tasks = ("needle", "order", "temporal_grounding")
    samples = [make(tasks[i % 3], 0, i // 3, KNOBS)[1] for i in range(n)]
    return [replace(s, video=f"{s.id}.mp4") for s in samples]


def test_every_skill_is_taught_and_truly():
    samples = world()
    seen = Counter()
    for before, after in zip(samples, skilled(samples, 0), strict=True):
        talk, said = after.meta["messages"], target(after)
        asked, shown = talk[-1].text, talk[-1].shows
        events = evidence(before)
        if "Does this part help" in asked:
            seen["relevant"] += 1
            overlap = any(a < shown.span[1] and b > shown.span[0] for a, b in events)
            assert said == ("yes" if overlap else "no")
        elif "Describe" in asked:
            seen["describe"] += 1
            assert said == caption(before, shown.span)
        elif "Notes on the video" in asked:
            seen["from_notes"] += 1
            assert shown is None and said == rationale_target(before)
        elif "Is it right" in asked:
            seen["right"] += 1
            assert said == ("yes" if f"answer: {before.answer}." in asked else "no")
        elif "Which part" in asked:
            seen["locate"] += 1
            parts = int(asked.split("cut into ")[1].split()[0])
            width = before.meta["seconds"] / parts
            assert (int(said) - 1) * width < events[0][1] and int(said) * width > events[0][0]
        elif "need reasoning" in asked:
            seen["needs_reasoning"] += 1
            assert said == ("yes" if before.meta["order_dependent"] else "no")
        elif said.startswith("<tool>"):
            seen["tool"] += 1
            name, arguments = call_of(said)
            assert name == "seek"
            assert arguments["start"] <= events[0][0] and arguments["end"] >= events[-1][1]
        elif "Frames at" in asked:
            seen["from_moments"] += 1
            assert any(a <= t < b for t in shown.times for a, b in events)
            assert said == rationale_target(before) and len(shown.times) <= 16
        elif len(talk) == 3:
            seen["tool_result"] += 1
            assert shown.span[0] <= events[0][0] and said == rationale_target(before)
        elif shown.span is not None:
            seen["from_part"] += 1
            assert shown.span[0] <= events[0][0] and shown.span[1] >= events[-1][1]
        else:
            seen["answer"] += 1
            assert said == rationale_target(before) and shown.frames in (8, 16, 32)
    assert set(seen) == set(SKILLS) and seen["answer"] > 60


def test_the_same_seed_teaches_the_same():
    samples = world(30)
    assert skilled(samples, 1) == skilled(samples, 1) != skilled(samples, 2)


def test_what_is_taught_is_what_methods_parse():
    call = {"name": "seek", "arguments": {"start": 8.0, "end": 16.0}}
    assert call_of(f"<tool>{json.dumps(call)}</tool>") == ("seek", call["arguments"])


def test_a_flash_lasts_as_long_as_it_should():
    for i in range(12):
        _, sample = make("needle", 3, i, KNOBS)
        low, high = sample.meta["interval"]
        assert high - low == 2.0 and low >= 0 and high <= 32
    with pytest.raises(ValueError, match="longer than the clip"):
        Knobs(num_frames=8, flash_frames=9)
