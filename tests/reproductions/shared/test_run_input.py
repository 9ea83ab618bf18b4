"""Bad input gets one message (place, fault, remedy), exit code 2, and leaves nothing behind."""

from __future__ import annotations

import importlib
import json
import re
import shutil
import sys

import pytest
import yaml
from click.testing import CliRunner

pytest.importorskip("torch")

from reproductions.shared import settings
from reproductions.shared.data import HELD_OUT, _share
from reproductions.shared.settings import ROOT, Options, RunError, find_method, settings_of
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
        # The place is the command line, with the range or the near names as remedy.
        ("train.lr=1", ["--set train.lr: not a key of a preset. There are here: shared_prefix."]),
        ("stages.rl.learning_rat=1", ["Did you mean 'stages.rl.learning_rate'?"]),
        ("learning_rate=1", ["Did you mean 'stages.rl.learning_rate'?"]),
        ("stages.lr.max_steps=1", ["--set stages.lr.max_steps: no stage 'lr'", "sft, rl"]),
        ("stages.rl.top_p=2", ["--set stages.rl.top_p: ", "not 2. Give a number above 0 up to 1."]),
        ("stages.rl.num_generations=0", ["Give a whole number from 2 or null."]),
        ("stages.rl.learning_rate=inf", ["--set stages.rl.learning_rate: must be a finite number"]),
        ("stages.rl.learning_rate=nan", ["--set stages.rl.learning_rate: must be a finite number"]),
        ("stages.rl.beta=1e999", ["--set stages.rl.beta: must be a finite number"]),
        ("synthetic.knobs.noise=NaN", ["--set synthetic.knobs.noise: cannot be nan."]),
        ("method=grpo", ["--set method: ", "Leave it away"]),
        ("sources.model=x", ["--set sources.model: ", "Leave it away"]),
        # Nothing is trained on other data than those that were asked for.
        ("stages.rl.data=video_r1_260k", ["stages.rl.data: 'video_r1_260k' is not used", "--data"]),
        ('evaluate.benchmarks=["mvbench"]', ["evaluate.benchmarks: 'mvbench' is not used"]),
        (
            "stages.rl.batch_size=99999999",
            ["a step takes 99,999,999 questions", "are 2,400. Raise"],
        ),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_wrong_settings(here, setting, parts):
    output = refused(here, "video_r1", "--set", setting)
    assert all(part in output for part in parts), output
    assert str(ROOT) not in output
    assert refused(here, "video_r1", "--set", setting, "--dry-run") == output


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["--data", "none.jsonl"], ["none.jsonl: 1 problem"]),
        (["--eval-data", "none.jsonl"], ["--eval-data: goes with", "--data FILE"]),
        (["--video-root", "."], ["--video-root: goes with", "--data FILE"]),
        (["--data", "x.jsonl", "--set", "synthetic.train=9"], ["--set synthetic.train: is not"]),
        (["--data", "x.jsonl", "--set", "stages.rl.data=x"], ["--set stages.rl.data: is not used"]),
        (
            ["--preset", "paper", "--set", "stages.rl.data=video_r1_260"],
            ["--set stages.rl.data: data set 'video_r1_260'", "Did you mean 'video_r1_260k'?"],
        ),
        (
            ["--preset", "paper", "--set", 'evaluate.benchmarks=["mvbenc"]'],
            ["--set evaluate.benchmarks: benchmark 'mvbenc'", "Did you mean 'mvbench'?"],
        ),
    ],
    ids=lambda v: " ".join(v)[:40] if isinstance(v, list) else "",
)
def test_a_dry_run_refuses_what_a_run_refuses(here, arguments, parts):
    output = refused(here, "video_r1", *arguments)
    assert all(part in output for part in parts), output
    assert refused(here, "video_r1", *arguments, "--dry-run") == output


def test_a_mistake_in_a_file_is_not_blamed_on_the_command_line(here):
    whole = settings_of(find_method("video_r1"), Options()).model_dump(mode="json")
    (here / "own.yaml").write_text(yaml.safe_dump(whole | {"train": {"lr": 1}}))
    output = refused(here, "video_r1", "--preset", "own.yaml", "--set", "seed=3")
    assert "own.yaml: train.lr: not a key of a preset" in output and "--set" not in output
    (here / "own.yaml").write_text(yaml.safe_dump(whole | {"synthetic": None}))
    output = refused(
        here, "video_r1", "--preset", "own.yaml", "--set", "synthetic.train=3", "--dry-run"
    )
    assert "--set synthetic.train: synthetic.tasks: missing. Add it, too." in output


def test_a_setting_that_no_memory_holds_is_refused_at_once(here):
    output = refused(here, "video_r1", "--set", "frames.num_frames=100000000")
    assert "GiB of RAM" in output and "--dry-run" in output


def test_an_engine_that_is_not_here_is_refused_before_anything_is_written(here, monkeypatch):
    monkeypatch.delenv("VIDPOST_SERVERS", raising=False)
    setting = "hardware.rollout_engine=vllm_server"
    assert "hardware.rollout_engine" in refused(here, "video_r1", "--set", setting, "--out", "o")


def test_a_dry_run_counts_ones_own_records(mine):
    write(mine / "my.jsonl", [record(i) for i in range(100)])
    command = ["run", "video_r1", "--preset", "paper", "--data", "my.jsonl", "--dry-run", "--json"]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 0, result.output
    plan = json.loads(result.output)
    held_out = sum(_share(str(i)) < 0.2 for i in range(100))
    samples = {s["name"]: s["samples"] for s in plan["stages"]}
    assert samples == {"sft": 100 - held_out, "rl": 100 - held_out, "own records": held_out}
    assert [d["what"] for d in plan["downloads"]] == ["model"]
    assert not any("reads" in fault for fault in plan["faults"])


def test_a_dry_run_says_first_which_data_nothing_here_reads(here):
    from reproductions.shared.hub import SOURCES

    result = CliRunner().invoke(main, ["run", "av_reasoner", "--preset", "paper", "--dry-run"])
    assert result.exit_code == 0, result.output
    assert "av_reasoner_tasks" not in SOURCES
    said = " ".join(result.output.split())
    verdict = "This machine cannot do it. Nothing here reads av_reasoner_tasks (stages.sft.data)"
    assert verdict in said and "--data FILE" in said
    assert "dataset av_reasoner_tasks" not in said  # nothing that is not read is downloaded
    assert (
        "A run cannot ask cg_av_counting (evaluate.benchmarks)" in said and "vidpost eval" in said
    )


def test_a_data_set_without_a_download_is_looked_for_before(here, monkeypatch):
    monkeypatch.setenv("VIDPOST_DATA", str(here))
    dry = ["run", "videorft", "--preset", "paper", "--dry-run"]
    said = " ".join(CliRunner().invoke(main, dry).output.split())
    for name in ("videorft_cot_102k", "videorft_rl_310k"):
        assert f"Data set '{name}' is not downloaded by itself." in said
    assert "into a folder 'videorft_rl_310k' and name its parent in VIDPOST_DATA" in said
    (here / "videorft_cot_102k").mkdir()
    (here / "videorft_cot_102k" / "VideoRFT-CoT-102K.json").write_text("[]")
    said = " ".join(CliRunner().invoke(main, dry).output.split())
    assert "'videorft_cot_102k' is not" not in said and "'videorft_rl_310k' is not" in said


def test_the_paper_preset_says_what_this_machine_lacks(here):
    import torch

    if torch.cuda.is_available():
        pytest.skip("a GPU is here")
    output = refused(here, "video_r1", "--preset", "paper")
    assert "--dry-run" in output and "--preset mini" in output


# --- a method of one's own --------------------------------------------------------------------

HEAD = """from reproductions.shared.method import Method, Stage


def brevity(completions, **columns):
    return [0.0] * len(completions)


def good(gain):
    def reward(completions, **columns):
        return [gain] * len(completions)

    return reward


"""


@pytest.fixture
def own(here, tmp_path, monkeypatch):
    """Writes a method.py that `vidpost run` finds beside the shipped ones."""
    from reproductions import methods

    root = tmp_path / "root"
    (root / "reproductions" / "baselines").mkdir(parents=True)
    for name in ("sft", "grpo"):
        folder = ROOT / "reproductions" / "baselines" / name
        (root / "reproductions" / "baselines" / name).symlink_to(folder)
    monkeypatch.setattr(settings, "ROOT", root)
    monkeypatch.setattr(
        methods, "__path__", [*methods.__path__, str(root / "reproductions" / "methods")]
    )

    def write_method(name, text):
        folder = root / "reproductions" / "methods" / name
        folder.mkdir(parents=True)
        (folder / "method.py").write_text(text)
        importlib.invalidate_caches()
        for preset in ("mini.yaml", "paper.yaml"):
            text = (root / "reproductions" / "baselines" / "grpo" / preset).read_text()
            (folder / preset).write_text(text.replace("method: grpo", f"method: {name}"))
        return here

    yield write_method
    for module in [m for m in sys.modules if m.startswith("reproductions.methods.own_")]:
        del sys.modules[module]


@pytest.mark.parametrize(
    ("number", "call", "parts"),
    [
        (1, "rewards=brevity", [":15: rewards: is a function", "rewards=(brevity,)"]),
        (2, "reward=(brevity,)", [":15: 'reward' is no hook", "Did you mean 'rewards'?"]),
        (3, "rewards=(good(1.0), good(2.0))", [":15: rewards: 2 are called 'reward'", "__name__"]),
        (4, "rewards=(brevity,), reward_weights=(1.0, 2.0)", [":15: reward_weights: 2 for 1"]),
        (5, "reward_weights=(1.0,)", ["method.py: over its baseline: reward_weights: 1 for 2"]),
        (6, "rewards=(brevity([]),)", [":15: rewards: [] is no function"]),
        (7, "prompt='What?'", [":15: prompt: is a str", "Give a function"]),
        (8, "stages=(Stage('rl', 'gpro'),)", [":15: stages: Stage(", "'grpo'"]),
        (9, "rewards=(brevity,", [":15: '(' was never closed"]),
        (10, "rewards=(brevety,)", [":15: name 'brevety' is not defined (NameError)"]),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_a_fault_in_ones_own_method_is_one_message(own, number, call, parts):
    name = f"own_{number}"
    here = own(name, f"{HEAD}METHOD = Method(id='{name}', baseline='grpo', {call})\n")
    output = refused(here, name, "--dry-run")
    assert all(part in output for part in parts), output
    assert f"reproductions/methods/{name}/method.py:" in output


@pytest.mark.parametrize(
    ("name", "text", "parts"),
    [
        ("own_a", HEAD, ["own_a/method.py: METHOD is missing", "METHOD = Method(id='own_a'"]),
        ("own_b", "import numpyy\n", ["own_b/method.py:1: there is no module 'numpyy'"]),
        (
            "own_c",
            "\nfrom reproductions.shared.method import Methods\n",
            ["own_c/method.py:2: cannot import name 'Methods'", "Correct the import"],
        ),
        (
            "own_d",
            HEAD + "METHOD = Method(id='owned', baseline='grpo')\n",
            ["own_d/method.py: the id 'owned'", "Write id='own_d'"],
        ),
        (
            "own_e",
            HEAD + "METHOD = Method(id='own_e', baseline='grpp')\n",
            ["own_e/method.py: over its baseline: 'grpp' has no reproduction", "'grpo'"],
        ),
        (
            "own_f",
            HEAD + "METHOD = Method(id='own_f', baseline='own_f')\n",
            ["own_f/method.py:15: baseline: 'own_f' is the method itself"],
        ),
    ],
    ids=lambda v: v if isinstance(v, str) and len(v) == 5 else "",
)
def test_a_module_that_is_no_method(own, name, text, parts):
    output = refused(own(name, text), name, "--dry-run")
    assert all(part in output for part in parts), output


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

    monkeypatch.setattr(settings, "find_method", interrupted)
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


def test_the_records_of_the_page_are_read(tmp_path):
    """One of each problem type; every field and type that the reader knows is described."""
    from reproductions.datasets import _records
    from reproductions.datasets.video_r1_260k import load

    page = (ROOT / "docs" / "reproduce" / "index.md").read_text(encoding="utf-8")
    (tmp_path / "my.jsonl").write_text(page.split("```json\n")[1].split("```")[0])
    for name in ("kitchen.mp4", "cups.png"):
        (tmp_path / name).touch()
    samples = load(tmp_path / "my.jsonl", tmp_path)
    assert {s.problem_type for s in samples} == set(_records.PROBLEM_TYPES)
    answers = {s.problem_type: s.answer for s in samples}
    assert answers["temporal grounding"] == "1.0 to 2.5, 6.0 to 9.0"
    assert samples[0].rationale and samples[1].meta["image"] and samples[4].task
    rows = set(re.findall(r'<th scope="row"><code>(.*?)</code></th>', page))
    assert set(_records._KNOWN) <= rows
    kinds = "".join(re.findall(r'<th scope="row">(.*?)</th>', page))
    assert all(f"<code>{kind}</code>" in kinds for kind in _records.PROBLEM_TYPES)
    assert f"{HELD_OUT:.0%}".replace("%", " %") in page


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
    assert not (mine / "o").exists()


def test_no_usable_record_is_left(mine):
    (mine / "broken.mp4").write_bytes(b"\x00" * 100)
    write(mine / "my.jsonl", [record(i, path="./broken.mp4") for i in range(30)])
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
    steps = {name: stage.max_steps for name, stage in smoke.stages.items()}
    # A cold start is long enough that answers differ in their rewards.
    assert steps == {"sft": 60, "rl": 2} and smoke.synthetic.train == 16
    assert smoke.synthetic.tasks == preset.synthetic.tasks
    # What is asked for beside --smoke holds, so that the card's overrides are true.
    asked = {"synthetic.train": 9, "stages.rl.max_steps": 3}
    both = settings_of(method, Options(overrides=asked, smoke=True))
    assert (both.synthetic.train, both.synthetic.test) == (9, 8)
    assert (both.stages["rl"].max_steps, both.stages["sft"].max_steps) == (3, 60)


def test_a_preset_of_ones_own(tmp_path):
    method = find_method("video_r1")
    path = tmp_path / "own.yaml"
    whole = settings_of(method, Options()).model_dump(mode="json")
    path.write_text(yaml.safe_dump(whole | {"seed": 7}))
    assert settings_of(method, Options(preset=str(path))).seed == 7
    path.write_text("seed: [")
    with pytest.raises(RunError, match=r"own\.yaml"):
        settings_of(method, Options(preset=str(path)))
