"""Published data from a local copy in the published layout; the hub itself is never asked."""

import json

import pytest

from reproductions.shared import hub
from reproductions.shared.synthetic import records
from reproductions.shared.synthetic.dataset import build
from reproductions.shared.synthetic.world import Knobs


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """A folder as VIDPOST_DATA names it: training records and one benchmark."""
    for name, file in (("video_r1_260k", "Video-R1-260k.json"), ("mvbench", "eval_mvbench.json")):
        folder = tmp_path / name
        samples = build(folder / "clips", ["counting"], 4, 0, "test", Knobs(question_type="mcq"))
        rows = [records.video_r1(s, folder) for s in samples]
        rows[3]["path"] = "./clips/videos/missing.mp4"
        (folder / file).write_text(json.dumps(rows))
    monkeypatch.setenv("VIDPOST_DATA", str(tmp_path))
    return tmp_path


def test_training_records_come_from_the_copy(copy):
    samples = hub.published_data("video_r1_260k", 2)
    assert [s.problem_type for s in samples] == ["multiple choice"] * 2
    assert all(str(copy) in s.video for s in samples)


def test_questions_name_their_benchmark_and_leave_out_missing_videos(copy):
    questions = hub.published_questions(["mvbench"], None)
    assert len(questions) == 3
    assert {q.task for q in questions} == {"mvbench"}
    assert all(q.id.startswith("mvbench-") for q in questions)


def test_what_nobody_can_read_says_what_to_do(copy, monkeypatch):
    with pytest.raises(hub.HubError, match=r"'next_gqa' has no question file.*--eval-data"):
        hub.published_questions(["next_gqa"], None)
    with pytest.raises(hub.HubError, match=r"has no reader.*--data FILE"):
        hub.published_data("nothing", None)


def test_without_hub_and_copy_the_message_names_both(monkeypatch, tmp_path):
    pytest.importorskip("huggingface_hub")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.delenv("VIDPOST_DATA", raising=False)
    with pytest.raises(hub.HubError, match=r"Video-R1/Video-R1-data.*VIDPOST_DATA"):
        hub.published_data("video_r1_260k", None)
