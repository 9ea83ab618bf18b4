"""Chain-of-Frames: times become frames, with numbers worked out by hand."""

from __future__ import annotations

from dataclasses import replace

from reproductions.methods.chain_of_frames.method import (
    METHOD,
    chain,
    format_target,
    frames_of,
    prepare_data,
    prompt,
)
from reproductions.shared.method import Context, Sample
from reproductions.shared.synthetic.world import TASKS, make

SAMPLE = Sample(
    id="s",
    question="Which first?",
    answer="A",
    options=("A. red", "B. blue"),
    rationale="1.0s red; 4.0s blue: red first",
    meta={"seconds": 8.0, "fps": 1.0},
)


def test_the_time_of_a_step_becomes_the_frame_that_shows_it():
    # 8 frames of one second: second 1 starts frame 2, second 4 starts frame 5.
    assert chain(SAMPLE) == "Frame-2 red; Frame-5 blue: red first"
    # 60 s at 1 fps are seen as 30 frames of two seconds: second 4 lies in frame 3.
    long = replace(SAMPLE, meta={"seconds": 60.0, "fps": 1.0})
    assert frames_of(long) == 30
    assert chain(long) == "Frame-1 red; Frame-3 blue: red first"
    # The end of the video belongs to its last frame.
    end = replace(SAMPLE, rationale="0.0s red; 8.0s end: start")
    assert chain(end) == "Frame-1 red; Frame-8 end: start"


def test_published_chains_stay_as_they_are():
    published = replace(SAMPLE, rationale="Frame-7 shows a red square for 3.0s", meta={})
    assert chain(published) == published.rationale


def test_chains_without_a_frame_of_the_video_are_left_out():
    cases = {
        "good": SAMPLE,
        "none": replace(SAMPLE, rationale="red first"),
        "beyond": replace(SAMPLE, rationale="Frame-31 is red", meta={}),
        "last": replace(SAMPLE, rationale="Frame-30 is red", meta={}),
        "zero": replace(SAMPLE, rationale="Frame-0 is red", meta={}),
        "empty": replace(SAMPLE, rationale=""),
    }
    kept = prepare_data(list(cases.values()), Context())
    assert kept == [cases["good"], cases["last"]]


def test_the_target_holds_the_chain_and_the_answer_that_was_taught():
    assert format_target(SAMPLE) == (
        "<think>Frame-2 red; Frame-5 blue: red first</think><answer>A</answer>"
    )
    taught = replace(SAMPLE, meta={**SAMPLE.meta, "teacher_answer": "B"})
    assert format_target(taught).endswith("<answer>B</answer>")
    assert METHOD.loss_mask is None
    assert prompt(SAMPLE).endswith("Name the frames.")


def test_every_synthetic_task_names_frames():
    for task in TASKS:
        if task != "tracking":  # its boxes have places, not steps
            _, sample = make(task, 0, 0)
            assert "Frame-" in chain(sample), (task, sample.rationale)
