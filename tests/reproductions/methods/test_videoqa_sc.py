"""VideoQA-SC: evidence, what each stage asks for and learns, and the two calls, by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from reproductions.methods.videoqa_sc import method
from reproductions.methods.videoqa_sc.method import (
    METHOD,
    decode,
    evidence,
    format_target,
    prepare_data,
    prompt,
)
from reproductions.shared.inference.scripted import ScriptedGenerator
from reproductions.shared.method import Context, Sample
from vidpost.catalog.preset import load_preset


def event(name, *boxes, distractor=False):
    return {"object": name, "distractor": distractor, "boxes": list(boxes)}


RED = event("red", [4.0, 0.12, 0.3, 0.46, 0.64], [5.0, 0.2, 0.3, 0.54, 0.64])
BLUE = event("blue", [1.0, 0.5, 0.0, 0.84, 0.34], [2.0, 0.5, 0.0, 0.84, 0.34])
GREY = event("grey", [0.0, 0.0, 0.0, 0.3, 0.3], distractor=True)
SAMPLE = Sample(id="s", question="?", answer="B", rationale="blue first", meta={})
ASK = "Write the evidence: times, objects and boxes."
ANSWER = "Answer in <answer> </answer>: the letter of the right option only."


def seen(*events):
    return replace(SAMPLE, meta={"events": list(events)})


def test_evidence_names_time_object_and_box():
    # The start of each of two events, in order of time, edges in tenths: 0.46 is 5, 0.64 is 6.
    assert evidence(seen(RED, BLUE, GREY)) == "1.0s blue 5 0 8 3; 4.0s red 1 3 5 6"
    # A single event shows where it starts and where it ends.
    assert evidence(seen(RED)) == "4.0s red 1 3 5 6; 5.0s red 2 3 5 6"
    assert evidence(seen(GREY)) == "none"
    assert evidence(SAMPLE) == "blue first"


@pytest.mark.parametrize("preset", ["paper", "mini"])
def test_the_first_stage_learns_evidence_and_the_second_the_answer_from_it(preset):
    path = Path(method.__file__).with_name(f"{preset}.yaml")
    learnt = {}
    for name in load_preset(path).stages:
        samples = prepare_data([seen(BLUE, RED)], Context(stage=name))
        learnt[name] = [(prompt(sample), format_target(sample)) for sample in samples]
    found = "1.0s blue 5 0 8 3; 4.0s red 1 3 5 6"
    ask, answer = (f"?\n{ASK}", found), (f"Evidence: {found}\n?\n{ANSWER}", "<answer>B</answer>")
    assert learnt == {"evidence": [ask], "answer": [answer, ask]}
    assert [s.name for s in METHOD.stages] == list(learnt)


def test_the_answer_is_asked_for_with_the_evidence_that_the_model_wrote():
    script = ScriptedGenerator(
        lambda request, i: (
            "<answer>A</answer>" if "Evidence" in request.messages[-1].text else "2.0s red 0 0 1 1"
        )
    )
    prediction = decode(seen(RED), script, Context(settings={"answer_tokens": 9}))
    texts = [request.messages[-1].text for request in script.requests]
    assert texts == [f"?\n{ASK}", f"Evidence: 2.0s red 0 0 1 1\n?\n{ANSWER}"]
    assert prediction.text == "<answer>A</answer>"
    assert prediction.trace == ({"step": "evidence", "text": "2.0s red 0 0 1 1"},)
