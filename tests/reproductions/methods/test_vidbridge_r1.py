"""The proxy tasks of VidBridge-R1 as real clips, and its rewards worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from reproductions.methods.vidbridge_r1.method import (
    CAPTION,
    DARK,
    METHOD,
    MIX,
    prepare_data,
    shape_rewards,
)
from reproductions.shared.method import Context, Group, Sample
from reproductions.shared.synthetic.dataset import build
from reproductions.shared.synthetic.teacher import imperfect
from reproductions.shared.synthetic.world import Knobs
from reproductions.shared.video.decode import read_frames
from reproductions.shared.video.spec import FrameSpec

EVERY = FrameSpec(sampling="fps", fps=1.0, max_pixels=None, size_factor=1)


def answer(text, after=""):
    return f"<think>x</think><answer>{text}</answer>{after}"


def paid(kind, text, gold, variant="paper"):
    sample = Sample(id="s", question="?", answer=gold, problem_type=kind)
    columns = {"sample": [sample], "context": [Context(variant=variant)]}
    scores = {r.__name__: r(prompts=[""], completions=[text], **columns) for r in METHOD.rewards}
    group = Group(sample, [text], ["ordered"], [True], [9], scores)
    return shape_rewards(group, Context())[0]


@pytest.mark.parametrize(
    ("kind", "text", "gold", "paper", "official"),
    [
        (DARK, answer("moves left"), "moves left", 2.0, 2.0),
        (DARK, answer("moves"), "moves left", 1.0, 1.0),
        # A wrong word: an error in the paper, a part that is covered in the official prompt.
        (DARK, answer("moves up"), "moves left", 0.0, 1.0),
        (DARK, answer("moves left fast"), "moves left", 0.0, 2.0),
        (DARK, answer(""), "moves left", 0.0, 0.0),
        (MIX, answer("moves left"), "moves left", 1.0, 1.0),
        (MIX, answer("moves"), "moves left", 0.0, 0.0),
        ("multiple choice", answer("B"), "B", 1.0, 1.0),
        ("multiple choice", answer("B. red A. blue"), "A", 1.0, 1.0),
        # One of two events, one of one named: 1/2 + 0.5 x 1.
        (CAPTION, answer("1.0s red"), "1.0s red; 3.0s blue", 1.0, 1.0),
        # Two of two, two of four: 1 + 0.5 x 0.5.
        (CAPTION, answer("1.0s red; 3.0s blue; x; y"), "1.0s red; 3.0s blue", 1.25, 1.25),
        # "then" is a word of order (+0.2), "maybe"/"might" would be hedges (-0.2).
        (CAPTION, answer("then red; might"), "red", -0.2, -0.2),
        # The format multiplies.
        (DARK, "moves left", "moves left", 0.0, 0.0),
        (MIX, answer("moves left", " That is all."), "moves left", 0.0, 1.0),
    ],
)
def test_each_task_has_its_rule_and_the_format_multiplies(kind, text, gold, paper, official):
    assert paid(kind, text, gold) == pytest.approx(paper)
    assert paid(kind, text, gold, "official_code") == pytest.approx(official)


def test_clips_become_captions_and_proxies(tmp_path, monkeypatch):
    monkeypatch.setenv("VIDPOST_CACHE", str(tmp_path / "cache"))
    knobs = Knobs(noise_sigma=0, flash_frames=3)
    given = build(tmp_path / "d", ["needle", "counting", "order"], 12, 0, "train", knobs)
    made = prepare_data(given, Context(stage="rl"))
    kinds = [s.problem_type for s in made]
    assert kinds[::3] == ["multiple choice", DARK] * 2
    # The last one has no other clip behind it to be mixed with.
    assert kinds[1::3] == ["numerical", MIX, "numerical", "numerical"]
    assert kinds[2::3] == ["multiple choice", CAPTION] * 2
    dark, mixed, caption = made[3:6]

    def frames(sample):
        return read_frames(str(sample.video), EVERY).frames.astype(int)

    # The flash lasts from a to a + 3 s; its second second is black, all else is as it was.
    at = round(given[3].meta["interval"][0]) + 1
    shown, whole = frames(dark), frames(given[3])
    assert shown[at].max() < 10 < whole[at].max()
    rest = [i for i in range(8) if i != at]
    assert np.abs(shown[rest] - whole[rest]).mean() < 3
    assert (dark.question, dark.options) == ("What flashes in the dark?", ())
    assert dark.answer == given[3].meta["answer_text"]

    # Two seconds of each clip in turns: 16 of 2 x 8 seconds.
    shown, own, other = frames(mixed), frames(given[4]), frames(given[7])
    assert len(shown) == 16
    for at in range(0, 8, 2):
        for clip, place in ((own, 2 * at), (other, 2 * at + 2)):
            assert np.abs(shown[place : place + 2] - clip[at : at + 2]).mean() < 3
    assert own.tolist() != other.tolist()
    assert (mixed.question, mixed.answer) == (given[4].question, given[4].answer)
    assert mixed.meta["events"][0]["object"] != given[7].meta["events"][0]["object"]

    seen = [f"{e['start']:.1f}s {e['object']}" for e in given[5].meta["events"]]
    assert caption.answer == "; ".join(seen)
    again = prepare_data(given, Context(stage="rl"))
    assert [s.video for s in again] == [s.video for s in made]
    assert len({s.id for s in made}) == 12


def test_a_cold_start_copies_the_teacher_and_other_records_stay(tmp_path, monkeypatch):
    monkeypatch.setenv("VIDPOST_CACHE", str(tmp_path / "cache"))
    knobs = Knobs(question_type="mcq", noise_sigma=0, flash_frames=3)
    given = imperfect(build(tmp_path / "d", ["needle"], 6, 0, "train", knobs), 1.0, 0)
    dark = prepare_data(given, Context(stage="sft"))[1]
    assert dark.answer != given[1].meta["answer_text"]
    assert dark.meta["teacher_answer"] == dark.answer == dark.rationale.rpartition(": ")[2]
    own = [Sample(id="o", question="?", answer="A", video="x.mp4", task="needle")] * 2
    assert prepare_data(own, Context(stage="rl")) == own
