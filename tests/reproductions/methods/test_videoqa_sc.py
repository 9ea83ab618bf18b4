"""VideoQA-SC: evidence, its stage and the masked loss, with numbers worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from reproductions.methods.videoqa_sc import method
from reproductions.methods.videoqa_sc.method import (
    METHOD,
    evidence,
    format_target,
    loss_mask,
    prepare_data,
)
from reproductions.shared.method import Context, Sample
from vidpost.catalog.preset import load_preset


def event(name, *boxes, distractor=False):
    return {"object": name, "distractor": distractor, "boxes": list(boxes)}


RED = event("red", [4.0, 0.12, 0.3, 0.46, 0.64], [5.0, 0.2, 0.3, 0.54, 0.64])
BLUE = event("blue", [1.0, 0.5, 0.0, 0.84, 0.34], [2.0, 0.5, 0.0, 0.84, 0.34])
GREY = event("grey", [0.0, 0.0, 0.0, 0.3, 0.3], distractor=True)
SAMPLE = Sample(id="s", question="?", answer="B", rationale="blue first", meta={})


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
def test_the_first_stage_learns_evidence_and_the_second_the_answer(preset):
    path = Path(method.__file__).with_name(f"{preset}.yaml")
    targets = {}
    for name in load_preset(path).stages:
        (sample,) = prepare_data([seen(BLUE, RED)], Context(stage=name))
        target = format_target(sample)
        targets[name] = (target, [target[a:b] for a, b in loss_mask(target)])
    thought = "<think>1.0s blue 5 0 8 3; 4.0s red 1 3 5 6</think>"
    assert targets == {
        "evidence": (thought, [thought]),
        "answer": (f"{thought}<answer>B</answer>", ["<answer>B</answer>"]),
    }
    assert [s.name for s in METHOD.stages] == list(targets)
