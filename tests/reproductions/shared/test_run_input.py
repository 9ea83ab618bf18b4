"""Bad input gets one message (place, fault, remedy), exit code 2, and leaves nothing behind."""

from __future__ import annotations

import json
import shutil

import pytest
import yaml
from click.testing import CliRunner

pytest.importorskip("torch")

from reproductions.shared import run
from reproductions.shared.run import Options, RunError, find_method, settings_of
from vidpost.cli.main import main


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty working folder; the cache lies elsewhere and must stay empty too."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("VIDPOST_CACHE", str(tmp_path / "cache"))
    yield folder
    assert not (tmp_path / "cache" / "world").exists()


def refused(folder, *arguments):
    """The message of a command that must fail; checks that the folder is left as it was."""
    before = {p: p.stat().st_mtime_ns for p in folder.rglob("*")}
    result = CliRunner().invoke(main, ["run", *arguments])
    output = result.output
    assert result.exit_code == 2, (result.exit_code, output, result.exception)
    assert "Traceback" not in output and output.lower().count("error:") == 1, output
    assert {p: p.stat().st_mtime_ns for p in folder.rglob("*")} == before, "something was written"
    return output


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["video_r2"], ["'video_r2'", "Did you mean 'video_r1'"]),
        (["qqq"], ["'qqq' has no reproduction", "There are:"]),
        (["../x"], ["has no reproduction"]),
        ([], ["--resume"]),
        (["video_r1", "--resume", "x"], ["not both"]),
        (["video_r1", "--preset", "huge"], ["'huge'", "It has: mini, paper"]),
        (["video_r1", "--preset", "my.yaml"], ["my.yaml: no such preset file"]),
        (["video_r1", "--set", "seed"], ["--set seed", "key=value"]),
    ],
    ids=lambda v: " ".join(v)[:40] if isinstance(v, list) else "",
)
def test_wrong_words(here, arguments, parts):
    output = refused(here, *arguments)
    assert all(part in output for part in parts), output


@pytest.mark.parametrize(
    ("setting", "parts"),
    [
        ("stages.rl.rate_of_learning=1", ["stages.rl.rate_of_learning", "not a key"]),
        ("seeed=1", ["seeed", "not a key"]),
        ("stages.rl.learning_rate=-1", ["stages.rl.learning_rate", "greater than 0"]),
        ("stages.rl.num_generations=1", ["stages.rl.num_generations", "2"]),
        ("stages.rl.top_p=1.5", ["stages.rl.top_p", "1"]),
        ("frames.num_frames=0", ["frames.num_frames", "greater than 0"]),
        ("frames.num_frames=many", ["frames.num_frames", "'many'"]),
        ("frames.sampling=random", ["frames.sampling", "'uniform'"]),
        ("frames.sampling=fps", ["fps"]),
        ("frames.max_pixels=10", ["max_pixels", "10"]),
        ("frames.min_pixels=100000", ["min_pixels", "100000"]),
        ('synthetic.tasks=["flying"]', ["synthetic.tasks", "'flying'", "counting"]),
        ("synthetic.tasks=[]", ["synthetic.tasks"]),
        ("synthetic.knobs.size=7", ["size", "7", "16 to 1024"]),
        ("synthetic.knobs.colour=red", ["synthetic.knobs", "colour"]),
        ("model.family=qwen2_vl", ["model.family", "qwen2_vl", "qwen2_5_vl"]),
        ("model.tiny.heads=3", ["model.tiny", "heads", "64"]),
        ("model=3", ["model", "3"]),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_wrong_settings(here, setting, parts):
    output = refused(here, "video_r1", "--set", setting)
    assert all(part in output for part in parts), output


def test_the_paper_preset_says_what_this_machine_lacks(here):
    import torch

    if torch.cuda.is_available():
        pytest.skip("a GPU is here")
    output = refused(here, "video_r1", "--preset", "paper")
    assert "--dry-run" in output and "--preset mini" in output


# --- resuming ---------------------------------------------------------------------------------


def test_resuming_what_is_no_run(here):
    assert "runs/none: no config.yaml" in refused(here, "--resume", "runs/none")
    (here / "empty").mkdir()
    assert "no config.yaml" in refused(here, "--resume", "empty")


@pytest.mark.parametrize(
    "text", ["", "[1, 2]", "a: [", "method: video_r1\n", "method: video_r1\nsettings: {seed: -1}\n"]
)
def test_resuming_a_damaged_configuration(here, text):
    (here / "run").mkdir()
    (here / "run" / "config.yaml").write_text(text)
    assert "run/config.yaml" in refused(here, "--resume", "run")


def test_a_folder_that_is_a_file(here):
    (here / "taken").write_text("mine")
    output = refused(here, "video_r1", "--smoke", "--out", "taken")
    assert "taken" in output and "--out" in output
    assert (here / "taken").read_text() == "mine"


def test_ctrl_c_before_anything_began(here, monkeypatch):
    def interrupted(name):
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "find_method", interrupted)
    result = CliRunner().invoke(main, ["run", "video_r1"])
    assert result.exit_code == 130 and "Nothing was begun" in result.output


# --- records ----------------------------------------------------------------------------------


def record(i, **changes):
    return {
        "problem_id": i,
        "problem": "How many times does blue appear?",
        "data_type": "video",
        "problem_type": "numerical",
        "options": [],
        "solution": "<answer>2</answer>",
        "path": "./clip.mp4",
    } | changes


def write(path, records):
    path.write_text("".join(json.dumps(r) + "\n" for r in records))


@pytest.fixture
def mine(here, clips):
    """A folder with a good clip; the test writes my.jsonl."""
    shutil.copy(clips[0].video, here / "clip.mp4")
    return here


@pytest.mark.parametrize(
    ("bad", "parts"),
    [
        ({"solution": "2"}, ["my.jsonl:2", "solution"]),
        ({"path": "./gone.mp4"}, ["my.jsonl:2", "gone.mp4"]),
        ({"path": "../../etc/passwd"}, ["my.jsonl:2", "path"]),
        ({"problem_type": "riddle"}, ["my.jsonl:2", "problem_type", "riddle"]),
        ({"problem_id": 0}, ["my.jsonl:2", "problem_id"]),
        ({"problem": 7}, ["my.jsonl:2", "problem"]),
    ],
    ids=lambda v: ",".join(v) if isinstance(v, dict) else "",
)
def test_a_malformed_record(mine, bad, parts):
    write(mine / "my.jsonl", [record(0), record(1, **bad), record(2)])
    output = refused(mine, "video_r1", "--smoke", "--data", "my.jsonl")
    assert all(part in output for part in parts), output


def test_records_that_are_not_there_or_no_json(mine):
    assert "none.jsonl" in refused(mine, "video_r1", "--data", "none.jsonl")
    (mine / "my.jsonl").write_text('{"problem_id": 1,\n')
    assert "my.jsonl" in refused(mine, "video_r1", "--data", "my.jsonl")
    write(mine / "my.jsonl", [record(0)])
    output = refused(mine, "video_r1", "--data", "my.jsonl", "--eval-data", "gone.jsonl")
    assert "gone.jsonl" in output
    assert "here" in refused(mine, "video_r1", "--data", str(mine))


def test_too_few_records_for_a_batch(mine, monkeypatch):
    """TRL drops a batch that is not full: with fewer records than groups it would train nothing."""
    from reproductions.datasets import video_r1_260k

    parsed, real = [], video_r1_260k.load
    monkeypatch.setattr(
        video_r1_260k, "load", lambda path, *a, **k: parsed.append(path.name) or real(path, *a, **k)
    )
    write(mine / "my.jsonl", [record(i) for i in range(4)])
    write(mine / "eval.jsonl", [record(i) for i in range(4)])
    command = ["run", "video_r1", "--data", "my.jsonl", "--eval-data", "eval.jsonl", "--out", "o"]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 2
    assert "stages.rl.batch_size" in result.output and "4" in result.output
    assert parsed == ["my.jsonl", "eval.jsonl"]  # each once
    assert not (mine / "o" / "stages").exists()


def test_no_usable_record_is_left(mine):
    (mine / "broken.mp4").write_bytes(b"\x00" * 100)
    write(mine / "my.jsonl", [record(i, path="./broken.mp4") for i in range(3)])
    command = ["run", "video_r1", "--smoke", "--data", "my.jsonl", "--out", "o"]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 2
    assert "0 usable training" in result.output and "broken.mp4" in result.output
    (line,) = (mine / "o" / "quarantine.jsonl").read_text().splitlines()
    assert json.loads(line)["path"].endswith("broken.mp4")


# --- what a user may say ----------------------------------------------------------------------


def test_overrides_and_smoke_reach_the_settings():
    method = find_method("video-r1")  # hyphens are fine
    options = Options(overrides={"seed": 3, "stages.rl.max_steps": 9, "frames.num_frames": 4})
    preset = settings_of(method, options)
    assert (preset.seed, preset.stages["rl"].max_steps, preset.frames.num_frames) == (3, 9, 4)
    assert preset.stages["rl"].beta == 0.04  # the paper's constant, untouched
    smoke = settings_of(method, Options(overrides={"seed": 3}, smoke=True))
    assert {s.max_steps for s in smoke.stages.values()} == {2} and smoke.synthetic.train == 16
    assert smoke.synthetic.tasks == preset.synthetic.tasks


def test_a_preset_of_ones_own(tmp_path):
    method = find_method("video_r1")
    path = tmp_path / "own.yaml"
    whole = settings_of(method, Options()).model_dump(mode="json")
    path.write_text(yaml.safe_dump(whole | {"seed": 7}))
    assert settings_of(method, Options(preset=str(path))).seed == 7
    path.write_text("seed: [")
    with pytest.raises(RunError, match=r"own\.yaml"):
        settings_of(method, Options(preset=str(path)))
