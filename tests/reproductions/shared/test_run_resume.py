"""A run that is killed anywhere and resumed ends with what an uninterrupted run ends with."""

from __future__ import annotations

import hashlib
import json
import shutil
import signal

import pytest
import yaml
from run_process import Stop, vidpost

torch = pytest.importorskip("torch")

from safetensors.torch import load_file  # noqa: E402

from reproductions.shared.evaluation.cards import read_card  # noqa: E402

pytestmark = [pytest.mark.train, pytest.mark.slow]

SIZES = [
    'synthetic.tasks=["counting"]',
    "synthetic.train=8",
    "synthetic.validation=4",
    "synthetic.test=6",
    "frames.num_frames=4",
    "model.tiny.layers=2",
    "model.tiny.vision_layers=1",
    # Seven steps over eight samples: the last ones are in the second epoch.
    "stages.sft.max_steps=7",
    "stages.sft.batch_size=2",
    "stages.sft.stop_at_accuracy=1.0",
    "stages.sft.check_every=3",
    "stages.rl.max_steps=7",
    "stages.rl.batch_size=2",
    "stages.rl.num_generations=4",
    "stages.rl.max_completion_length=6",
    "evaluate.max_new_tokens=6",
    "evaluate.batch_size=4",
]
COMMAND = ["run", "video_r1", *(x for s in SIZES for x in ("--set", s))]

STOPS = [
    Stop("step", "sft", 1),  # before the first checkpoint
    Stop("saving", "sft", 2),
    Stop("saved", "sft", 2),
    Stop("step", "sft", 5),
    Stop("step", "sft", 7),  # all steps are done, nothing of the last ones is on disk
    Stop("final", "sft"),
    Stop("rollout", "rl", 2),
    Stop("saved", "rl", 4),  # on the border of two epochs
    Stop("saving", "rl", 6),  # in the second epoch
    Stop("rollout", "rl", 7),
    Stop("final", "rl"),
    Stop("evaluating", "sft", 2),
]


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """Clips and base model are made once, before any run is timed or killed."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VIDPOST_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="module")
def whole(cache, tmp_path_factory):
    """The uninterrupted run."""
    folder = tmp_path_factory.mktemp("whole")
    result = vidpost([*COMMAND, "--out", str(folder / "run")], folder)
    assert result.code == 0, result.output
    return folder / "run"


def records(path, *ignored):
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [{k: v for k, v in line.items() if k not in ignored} for line in lines]


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def assert_same(run, whole):
    for stage in ("sft", "rl"):
        weights = f"stages/{stage}/final/model.safetensors"
        assert digest(run / weights) == digest(whole / weights), f"{stage}: other weights"
    assert records(run / "rollouts.jsonl") == records(whole / "rollouts.jsonl")
    noise = ("time", "step_time")
    assert records(run / "log.jsonl", *noise) == records(whole / "log.jsonl", *noise)
    for name in ("base", "sft", "rl"):
        path = f"predictions/{name}.jsonl"
        assert records(run / path, "seconds") == records(whole / path, "seconds"), name
    one, other = (json.loads((f / "evaluation.json").read_text()) for f in (run, whole))
    assert one["rows"] == other["rows"] and one["comparisons"] == other["comparisons"]


def test_a_run_that_is_killed_again_and_again_ends_the_same(whole, tmp_path):
    run = tmp_path / "run"
    arguments = [*COMMAND, "--out", str(run)]
    for stop in STOPS:
        result = vidpost(arguments, tmp_path, stop)
        assert result.code == -signal.SIGKILL, f"{stop}: {result.code}\n{result.output}"
        arguments = ["run", "--resume", str(run)]
        for stage in ("sft", "rl"):  # whole or not at all
            final = run / "stages" / stage / "final"
            assert not final.exists() or (final / "processor_config.json").exists()
        if stop.where == "final":
            assert not (run / "stages" / stop.name / "final").exists()
        if stop.where == "saving":
            unfinished = run / "stages" / stop.name / f"checkpoint-{stop.step}"
            assert unfinished.is_dir() and not (unfinished / "complete").exists()
    result = vidpost(arguments, tmp_path)
    assert result.code == 0, result.output
    assert_same(run, whole)
    assert (run / "card.yaml").is_file() and (run / "report.html").is_file()
    leftovers = [p for p in run.rglob("*") if "partial" in p.name]
    assert leftovers == []


def test_the_uninterrupted_run_left_what_it_should(whole):
    log = records(whole / "log.jsonl")
    steps = [(r["stage"], r["step"]) for r in log if "loss" in r]
    assert steps == [(s, i) for s in ("sft", "rl") for i in range(1, 8)]
    assert [r["step"] for r in log if "eval_accuracy" in r] == [3, 6]
    rollouts = records(whole / "rollouts.jsonl")
    assert [r["step"] for r in rollouts] == [i for i in range(1, 8) for _ in range(2 * 6)]
    assert len(records(whole / "predictions" / "rl.jsonl")) == 1 + 6
    # Both stages have moved every weight, so that equal weights mean something.
    config = yaml.safe_load((whole / "config.yaml").read_text())
    stages = [
        load_file(whole / "stages" / s / "final" / "model.safetensors") for s in ("sft", "rl")
    ]
    assert all(not torch.equal(stages[0][k], stages[1][k]) for k in stages[0])
    assert config["settings"]["stages"]["rl"]["max_steps"] == 7


def test_resuming_a_finished_run_changes_nothing(whole, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(whole, run)
    result = vidpost(["run", "--resume", str(run)], tmp_path)
    assert result.code == 0, result.output
    assert_same(run, whole)


def test_ctrl_c_says_how_to_resume_and_the_run_ends_the_same(whole, tmp_path):
    run = tmp_path / "run"
    stop = Stop("step", "sft", 3, signal.SIGINT)
    result = vidpost([*COMMAND, "--out", str(run)], tmp_path, stop)
    assert result.code == 130
    assert f"vidpost run --resume {run}" in result.output
    assert "Traceback" not in result.output
    before = json.loads((run / "seconds.json").read_text())
    assert before["sft"] > 0 and "rl" not in before
    result = vidpost(["run", "--resume", str(run)], tmp_path)
    assert result.code == 0, result.output
    assert_same(run, whole)
    # The time of both processes counts, in the report and on the card.
    after = json.loads((run / "seconds.json").read_text())
    assert after["sft"] > before["sft"] and after["data"] >= before["data"]
    assert json.loads((run / "evaluation.json").read_text())["seconds"]["sft"] == after["sft"]
    hours = read_card(run / "card.yaml").hardware.hours
    whole_run = sum(after.values())  # with the report, which follows the card
    assert whole_run - after["evaluation"] < 3600 * hours <= whole_run


def test_the_same_command_resumes_and_another_one_is_refused(whole, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(whole, run)
    result = vidpost([*COMMAND, "--out", str(run), "--set", "seed=1"], tmp_path)
    assert result.code == 2
    assert "other settings" in result.output and "--resume" in result.output
    assert_same(run, whole)


def test_a_finished_run_passes_the_parity_check(whole, tmp_path):
    result = vidpost(["doctor", "--parity", str(whole)], tmp_path)
    assert result.code == 0, result.output
    assert result.output.count("  ok") == 3 and "equal to the processor's: yes" in result.output


def test_a_finished_run_is_evaluated_on_fresh_clips(whole, tmp_path):
    before = digest(whole / "predictions" / "rl.jsonl")
    command = ["eval", str(whole), "--seed", "5", "--limit", "4", "--json"]
    result = vidpost(command, tmp_path)
    assert result.code == 0, result.output
    assert '"n": 4' in result.output
    assert digest(whole / "predictions" / "rl.jsonl") == before
