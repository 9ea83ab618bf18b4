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


def test_records_in_a_form_of_their_own_come_from_the_copy(copy):
    folder = copy / "museg_stage_2"
    folder.mkdir()
    (folder / "a.mp4").write_bytes(b"video")
    row = {"idx": 0, "problem": "When?", "solution": [[1.0, 2.0]], "video": "a.mp4", "task": "tvg"}
    rows = [row, row | {"idx": 1, "video": "gone.mp4"}, row | {"idx": 2}]
    (folder / "stage_2.jsonl").write_text("\n".join(map(json.dumps, rows)))
    samples = hub.published_data("museg_stage_2", None)
    assert [(s.id, s.answer) for s in samples] == [("0", "1.0 to 2.0"), ("2", "1.0 to 2.0")]


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
    with pytest.raises(hub.HubError, match=r"stage_1.jsonl.*folder 'museg_stage_1'.*VIDPOST_DATA"):
        hub.published_data("museg_stage_1", None)


def test_without_hub_and_copy_the_message_names_both(monkeypatch, tmp_path):
    pytest.importorskip("huggingface_hub")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.delenv("VIDPOST_DATA", raising=False)
    with pytest.raises(hub.HubError, match=r"Video-R1/Video-R1-data.*VIDPOST_DATA"):
        hub.published_data("video_r1_260k", None)


def test_questions_of_a_benchmark_are_found_or_downloaded_without_videos(tmp_path, monkeypatch):
    huggingface_hub = pytest.importorskip("huggingface_hub")
    from reproductions.benchmarks._base import get

    charades = get("charades_sta")
    root, mine = tmp_path / "root", tmp_path / "mine"
    for folder in (root, mine / "charades_sta"):
        folder.mkdir(parents=True)
    (mine / "charades_sta" / "charades_sta_test.txt").write_text("a 0 1##b.\n")
    monkeypatch.setenv("VIDPOST_DATA", str(mine))
    own = mine / "charades_sta"
    assert hub.benchmark_folder(charades, "", None) == (own, own)
    (root / "charades_sta_test.txt").write_text("a 0 1##b.\n")
    assert hub.benchmark_folder(charades, "test", root) == (root, root)
    (root / "charades_sta_test.txt").unlink()
    monkeypatch.delenv("VIDPOST_DATA")
    wanted = []

    def download(repository, repo_type, allow_patterns):
        wanted.append((repository, repo_type, tuple(allow_patterns)))
        return str(tmp_path)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    assert hub.benchmark_folder(charades, "", root) == (tmp_path, root)
    patterns = ("charades_sta_test.txt", "**/test-*.parquet", "test-*.parquet")
    assert wanted == [("lmms-eval/charades_sta", "dataset", patterns)]


def test_a_benchmark_that_is_nowhere_says_what_to_do(tmp_path, monkeypatch):
    pytest.importorskip("huggingface_hub")
    from reproductions.benchmarks._base import get

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.delenv("VIDPOST_DATA", raising=False)
    with pytest.raises(hub.HubError, match=r"no .*cannot be downloaded from lmms-lab/Video-MME"):
        hub.benchmark_folder(get("video_mme"), "", tmp_path)
    with pytest.raises(hub.HubError, match="no such folder"):
        hub.benchmark_folder(get("video_mme"), "", tmp_path / "none")
