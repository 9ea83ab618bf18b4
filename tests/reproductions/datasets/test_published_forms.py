"""Published training records in their own forms: each becomes the sample that is expected."""

from __future__ import annotations

import importlib
import json
import re

import pytest

from reproductions.datasets._records import RecordError
from reproductions.shared import hub
from reproductions.shared.method import Context, Sample
from reproductions.shared.settings import find_method
from reproductions.shared.training.preference import pairs_of

QUESTION = "How many objects are yellow?\nOptions:\nA. one\nB. two\nC. three"

SPANS = {
    "idx": 7,
    "problem": "Find all sections with 'rafting'.",
    "solution": [[5.15, 58.81], [59.78, 107]],
    "video": "videos/a.mp4",
    "duration": 108.542,
    "task": "tal",
}
SENTENCE = {
    "video": "./videos/a.mp4",
    "duration": 45.7,
    "timestamp": [34.9, 41.9],
    "sentence": "The statue of a man.",
    "qid": "my|vtime|a|The statue of a man.",
    "video_start": None,
    "video_end": 84.7,
    "difficulty": 41.05,
    "pred": [37.8, 44.8],
}
VIDEO_R1 = {
    "problem": QUESTION,
    "data_type": "video",
    "problem_type": "multiple choice",
    "solution": "<answer>B</answer>",
    "path": "./videos/a.mp4",
}
LETTERS = {"problem": QUESTION, "solution": "<answer>A,B</answer>", "video": "videos/a.mp4"}
PAIR = {
    "question": "<image>\nWhat falls?",
    "answer": "A red cup falls.",
    "pred": "A blue cup falls.",
    "answer_masked": "A <MASK> red </MASK> cup falls.",
    "pred_masked": "A <MASK> blue </MASK> cup falls.",
    "src": "somewhere",
    "sample_id": 0,
    "video": "videos/a.mp4",
}
THOUGHT = {"process": "<think>Two are.</think>"}

FORMS = {
    "museg_stage_1": (SPANS, "5.15 to 58.81, 59.78 to 107.0", "temporal grounding"),
    "museg_stage_2": (SPANS | {"idx": 8}, "5.15 to 58.81, 59.78 to 107.0", "temporal grounding"),
    "time_r1_data": (SENTENCE, "34.9 to 41.9", "temporal grounding"),
    "videorft_cot_102k": (VIDEO_R1 | THOUGHT, "B", "multiple choice"),
    "videorft_rl_310k": (VIDEO_R1 | {"problem_id": 5}, "B", "multiple choice"),
    "spacer_151k": (VIDEO_R1 | {"data_source": "SR_dataset"}, "B", "multiple choice"),
    "clevrer": (LETTERS, "A,B", "multiple choice"),
    "next_qa": (LETTERS | {"solution": "C"}, "C", "multiple choice"),
    "rrpo_self_alignment": (PAIR, "A red cup falls.", "free-form"),
}
"""Data set -> (a record in its published form, gold answer, problem type)."""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "a.mp4").write_bytes(b"video")
    return tmp_path


def load(name, folder, *records, lines=True, **more) -> list[Sample]:
    path = folder / "records"
    rows = [json.dumps(r) for r in records]
    path.write_text("\n".join(rows) if lines else f"[{','.join(rows)}]")
    module = importlib.import_module(f"reproductions.datasets.{name}")
    return module.load(path, folder, **more)


def test_every_reader_has_a_record_here():
    assert set(hub.SOURCES) == {*FORMS, "video_r1_260k", "video_r1_cot_165k"}


@pytest.mark.parametrize("lines", [True, False], ids=["lines", "list"])
@pytest.mark.parametrize("name", FORMS)
def test_a_published_record_is_read(name, folder, lines):
    record, answer, kind = FORMS[name]
    (sample,) = load(name, folder, record, lines=lines)
    assert (sample.answer, sample.problem_type) == (answer, kind)
    assert sample.video == str(folder / "videos" / "a.mp4") and sample.id and sample.question
    assert "<image>" not in sample.question


@pytest.mark.parametrize("name", FORMS)
def test_what_is_missing_or_leaves_the_folder_is_said(name, folder):
    record, _, _ = FORMS[name]
    key = "path" if "path" in record else "video"
    bad = [record | {key: "../secret.mp4"}, record | {key: None}, {}, 3]
    for broken in bad:
        with pytest.raises(RecordError, match=r"records:1: \w+: .+\. \w+"):
            load(name, folder, broken)
        assert load(name, folder, broken, on_problem="skip") == []


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("museg_stage_1", {"solution": [[5, "x"]]}, "solution: is no list of spans"),
        ("museg_stage_1", {"solution": [[9.0, 5.0]]}, "is no interval"),
        ("museg_stage_1", {"solution": []}, "solution: is no list of spans"),
        ("time_r1_data", {"timestamp": "1 to 2"}, "timestamp: is no list of spans"),
        ("clevrer", {"solution": "<answer>left</answer>"}, "is no option's letter"),
        ("rrpo_self_alignment", {"pred": PAIR["answer"]}, "no two different texts"),
        ("rrpo_self_alignment", {"pred": None}, "no two different texts"),
        ("videorft_cot_102k", {"process": None}, "process: "),
    ],
)
def test_a_bad_answer_is_said(folder, name, change, said):
    with pytest.raises(RecordError, match=re.escape(said)):
        load(name, folder, FORMS[name][0] | change)


def test_the_methods_find_what_they_read(folder):
    """What a method's hooks look for is where the reader puts it."""
    (sample,) = load("time_r1_data", folder, SENTENCE)
    assert (sample.meta["duration"], sample.meta["difficulty"]) == (45.7, 41.05)
    assert '"the statue of a man"' in sample.question
    solved = SENTENCE | {"qid": "b", "difficulty": 90.0}
    both = load("time_r1_data", folder, SENTENCE, solved)
    kept = find_method("time_r1").prepare_data(both, Context())
    assert [s.id for s in kept] == [sample.id]
    (whole,) = load("museg_stage_1", folder, SPANS)
    assert (whole.task, whole.meta["duration"]) == ("tal", 108.542)
    columns = {"solution": [whole.answer], "sample": [whole], "context": Context()}
    answer = "<think>t</think><answer>5.15 to 58.81, 59.78 to 107.0</answer>"
    scores = [r([""], [answer], **columns)[0] for r in find_method("museg").rewards[:1]]
    assert max(scores) == pytest.approx(2.0, abs=1e-3)
    (made,) = pairs_of(load("rrpo_self_alignment", folder, PAIR))
    assert (made.chosen, made.rejected) == (PAIR["answer"], PAIR["pred"])
    assert made.sample.meta["pred_masked"] == PAIR["pred_masked"]
