"""Several processes train like one that accumulates as much more, and end like one."""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from itertools import groupby
from pathlib import Path

import pytest
from distributed_main import generate_in_pieces
from run_process import PRELOAD, Stop, free_port, fsdp2_environ, several, vidpost

torch = pytest.importorskip("torch")

from safetensors.torch import load_file  # noqa: E402

from reproductions.shared import processes  # noqa: E402
from reproductions.shared.settings import Options, find_method, settings_of  # noqa: E402
from reproductions.shared.training import stage as stages  # noqa: E402
from reproductions.shared.training.grpo import Dealt  # noqa: E402
from reproductions.shared.training.stage import StageError, share  # noqa: E402

HERE = Path(__file__).parents[2]
SIZES = [
    'synthetic.tasks=["counting"]',
    "synthetic.train=8",
    "synthetic.validation=3",
    "synthetic.test=4",
    "frames.num_frames=4",
    "model.tiny.layers=2",
    "model.tiny.vision_layers=1",
    # Two micro-batches an optimiser step: one process computes them in turn, two side by side.
    "stages.sft.max_steps=4",
    "stages.sft.batch_size=2",
    "stages.sft.gradient_accumulation=2",
    "stages.sft.stop_at_accuracy=1.0",
    "stages.sft.check_every=2",
    "stages.rl.max_steps=4",
    "stages.rl.batch_size=1",
    "stages.rl.gradient_accumulation=2",
    "stages.rl.steps_per_generation=2",
    "stages.rl.num_generations=4",
    "stages.rl.max_completion_length=6",
    "stages.rl.learning_rate=1e-3",
    "evaluate.max_new_tokens=6",
    "evaluate.batch_size=4",
]
COMMAND = ["run", "video_r1", *(x for s in SIZES for x in ("--set", s))]


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VIDPOST_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def whole(cache, tmp_path_factory):
    """One process, uninterrupted."""
    folder = tmp_path_factory.mktemp("whole")
    result = vidpost([*COMMAND, "--out", str(folder / "run")], folder)
    assert result.code == 0, result.output
    return folder / "run"


def launch(run: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """The run in two processes, through `accelerate launch`."""
    command = [
        *(sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_machines=1"),
        *("--num_processes=2", "--main_process_port=0", "--mixed_precision=no"),
        *("--dynamo_backend=no", str(HERE / "distributed_main.py"), *COMMAND, "--out", str(run)),
    ]
    return subprocess.run(
        command, env={**os.environ, "PYTHONPATH": str(HERE), **environ},
        capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip


def records(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def assert_same(run, whole, rounding=1e-6):
    """Equal to rounding: weights, losses and rewards of every step, rollouts, answers."""
    for stage in ("sft", "rl"):
        one, other = (
            load_file(f / f"stages/{stage}/final/model.safetensors") for f in (run, whole)
        )
        assert one.keys() == other.keys()
        worst = max(float((one[k] - other[k]).abs().max()) for k in other)
        assert worst < rounding, f"{stage}: weights differ by {worst}"
    # Means over a micro-batch of what is not trained on may be weighted by its tokens.
    noise = {"time", "step_time", "entropy", "mean_token_accuracy"}
    one, other = (
        [{k: v for k, v in r.items() if k not in noise} for r in records(f / "log.jsonl")]
        for f in (run, whole)
    )
    assert [r.keys() for r in one] == [r.keys() for r in other]
    for mine, theirs in zip(one, other, strict=True):
        assert mine.pop("stage") == theirs.pop("stage")
        assert mine == pytest.approx(theirs, rel=1e-4, abs=1e-6)
    one, other = (records(f / "rollouts.jsonl") for f in (run, whole))
    assert [r["completion"] for r in one] == [r["completion"] for r in other]
    assert [(r["step"], r["group"], r["sample"]) for r in one] == [
        (r["step"], r["group"], r["sample"]) for r in other
    ]
    for name in ("base", "sft", "rl"):
        one, other = (records(f / "predictions" / f"{name}.jsonl")[1:] for f in (run, whole))
        assert [r["completion"] for r in one] == [r["completion"] for r in other]


@pytest.mark.train
@pytest.mark.slow
def test_two_processes_train_as_one_that_accumulates_twice(whole, tmp_path):
    run = tmp_path / "run"
    done = launch(run)
    assert done.returncode == 0, done.stderr
    assert_same(run, whole)
    moved = [load_file(f"{whole}/stages/{s}/final/model.safetensors") for s in ("sft", "rl")]
    assert all(not torch.equal(moved[0][k], moved[1][k]) for k in moved[0])
    assert (run / "stages/rl/checkpoint-2/complete").read_text() == "2"
    # A generated batch of two steps has four groups of four answers and two on shuffled frames;
    # each was made whole by one process, and all of them are in the log.
    rollouts = records(run / "rollouts.jsonl")
    for _, step in groupby(rollouts, lambda r: r["step"]):
        groups = [list(rows) for _, rows in groupby(step, lambda r: r["group"])]
        assert [len(g) for g in groups] == [6] * 4
        assert all(len({r["sample"] for r in g}) == 1 for g in groups)
    # One of the processes talks and writes.
    for line in ("sft (step): 4/4", "rl (step): 4/4", "evaluating rl: 4/4", "train clips: 8/8"):
        assert done.stderr.count(line) == 1, done.stderr
    assert done.stdout.count("report  ") == 1
    steps = [(r["stage"], r["step"]) for r in records(run / "log.jsonl") if "loss" in r]
    assert steps == [(s, i) for s in ("sft", "rl") for i in range(1, 5)]
    assert not [p for p in run.rglob("*") if p.name.endswith(".tmp") or "partial" in p.name]


@pytest.mark.train
@pytest.mark.slow
def test_split_weights_train_like_whole_ones(cache, tmp_path):
    """FSDP2 through accelerate, with a loss that reads the output layer twice.

    TRL's fused head and the weights of TW-GRPO, whose gradient counts in this variant. The
    reference and the models that are evaluated are whole on both processes.
    """
    command = ["run", "tw_grpo", *COMMAND[2:], "--set", "variant=official_code"]
    command[command.index("stages.sft.max_steps=4")] = "stages.sft.max_steps=1"
    command[command.index("stages.rl.max_steps=4")] = "stages.rl.max_steps=2"
    whole, run = tmp_path / "whole", tmp_path / "run"
    done = vidpost([*command, "--out", str(whole)], tmp_path)
    assert done.code == 0, done.output
    command += ["--set", "hardware.distributed=fsdp2", "--out", str(run)]
    for result in several(2, command, tmp_path, **fsdp2_environ()):
        assert result.code == 0, result.output
    assert_same(run, whole, rounding=1e-4)


@pytest.mark.train
@pytest.mark.slow
def test_a_run_goes_on_with_fewer_processes_and_with_more(whole, tmp_path):
    run = tmp_path / "run"
    killed, other = several(2, [*COMMAND, "--out", str(run)], tmp_path, Stop("saved", "sft", 2))
    assert killed.code == -signal.SIGKILL
    # The other one ends as well, and says why.
    assert other.code == 2, other.output
    assert "process 1: another process ended" in other.output
    assert f"vidpost run --resume {run}" in other.output
    again = ["run", "--resume", str(run)]
    assert vidpost(again, tmp_path, Stop("saved", "rl", 2)).code == -signal.SIGKILL
    for result in several(2, again, tmp_path):
        assert result.code == 0, result.output
    assert_same(run, whole)


@pytest.mark.train
@pytest.mark.slow
def test_a_process_that_hangs_ends_the_run_with_a_message(cache, tmp_path):
    start = time.monotonic()
    done = launch(tmp_path / "run", FAULT="hang 1 2", VIDPOST_TIMEOUT="0.1")
    assert time.monotonic() - start < 100
    assert done.returncode != 0
    message = r"process [01]: another process ended, or did not come within 0\.1 minutes"
    assert re.search(message, re.sub(r"\s+", " ", done.stderr)), done.stderr


def test_processes_that_were_started_otherwise_are_refused(whole, tmp_path):
    """Two that all hold whole weights, for a preset that splits them."""
    run = tmp_path / "run"
    for result in several(2, [*COMMAND, "--set", "hardware.distributed=fsdp2", "--out", str(run)],
                          tmp_path):  # fmt: skip
        assert result.code == 2
        message = re.sub(r"\s+", " ", result.output)
        assert "hardware.distributed is 'fsdp2', but the processes were started with" in message
        assert "--config_file launch/accelerate/fsdp2.yaml" in message


def test_processes_that_cannot_share_a_step_are_refused(whole, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(whole, run)
    shutil.rmtree(run / "stages" / "rl" / "final")
    for result in several(3, ["run", "--resume", str(run)], tmp_path):
        assert result.code == 2
        assert "takes 2 micro-batches" in result.output and "divides 2" in result.output


@pytest.mark.parametrize(
    ("batch", "accumulation", "devices", "processes", "expected"),
    [
        (4, 2, 1, 1, (4, 2)),
        (4, 2, 1, 2, (4, 1)),
        (1, 1, 4, 4, (1, 1)),
        (1, 1, 4, 2, (1, 2)),  # half of the devices: twice the accumulation
        (1, 2, 4, 1, (1, 8)),
        (32, 1, 1, 2, (16, 1)),  # a single micro-batch is cut
        (1, 1, 4, 8, None),
        (4, 3, 1, 2, None),
        (3, 1, 1, 2, None),
    ],
)
def test_a_step_is_dealt_out(batch, accumulation, devices, processes, expected):
    settings = settings_of(find_method("grpo"), Options()).stages["rl"]
    changes = {"batch_size": batch, "gradient_accumulation": accumulation}
    settings = settings.model_copy(update=changes)
    if expected is None:
        with pytest.raises(StageError, match=f"{processes} processes"):
            share(settings, devices, processes)
    else:
        assert share(settings, devices, processes) == expected


def test_prompts_are_dealt_out_so_that_processes_do_not_matter():
    """What W processes compute side by side, one computes one after the other."""

    def steps(processes, parts, accumulation):
        """Prompts of each optimiser step in the order in which one process would have them."""
        sampler = Dealt(range(24), mini_repeat_count=2, batch_size=12, repeat_count=1, seed=3)
        sampler.processes, sampler.parts = processes, parts
        rows = list(sampler)
        assert rows[0::2] == rows[1::2]  # groups stay together
        own = len(rows) // 2 // processes  # rows of a process a generated batch
        found = []
        for batch in (rows[: len(rows) // 2], rows[len(rows) // 2 :]):
            every = [batch[p * own : (p + 1) * own] for p in range(processes)]
            n = own // parts
            found += [
                [x for part in range(s, s + accumulation) for p in every
                 for x in p[part * n : (part + 1) * n]]
                for s in range(0, parts, accumulation)
            ]  # fmt: skip
        return found

    expected = steps(1, 12, 6)
    assert steps(2, 6, 3) == expected
    assert steps(3, 4, 2) == expected
    assert steps(6, 2, 1) == expected


def test_a_part_of_a_group_is_refused(qwen, tmp_path):
    from engine_fixtures import grpo_trainer

    trainer = grpo_trainer(qwen, tmp_path)
    rows = [{"sample": 0}] * 3 + [{"sample": 1}] * 5
    with pytest.raises(ValueError, match="holds a part of a group"):
        trainer._generate_and_score_completions(rows)


@pytest.mark.train
def test_processes_that_share_the_weights_generate_alone(qwen):
    """Under FSDP2 a forward waits for the others, unless all weights were gathered before."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOAD)
    results = context.Queue()
    shared = (free_port(), str(qwen.checkpoint), results)
    pool = [context.Process(target=generate_in_pieces, args=(rank, *shared)) for rank in range(2)]
    for process in pool:
        process.start()
    found = sorted((results.get(timeout=100) for _ in pool), key=lambda f: f[0])
    for process in pool:
        process.join(timeout=60)
        assert process.exitcode == 0
    model, ids = qwen.model(), torch.tensor([[5, 6, 7]])
    with torch.no_grad():
        for _ in range(6):
            ids = torch.cat([ids, model(input_ids=ids).logits[:, -1:].argmax(-1)], dim=1)
    assert [len(f[1]) for f in found] == [4, 9] and found[1][1] == ids[0].tolist()
    assert found[0][1] == found[1][1][:4] and found[0][2] == found[1][2]
    assert all(f[3] for f in found)  # and the weights were spread again for training
    sums = {name: float(p.double().sum()) for name, p in model.named_parameters()}
    assert found[0][4] == pytest.approx(sums) and found[1][4].keys() == sums.keys()


def test_a_folder_that_not_all_machines_see_is_refused(monkeypatch, tmp_path):
    monkeypatch.setattr(stages, "_appears", lambda folder: True)
    monkeypatch.setattr(processes, "collect", lambda own: [*own, "no folder"])
    preset = settings_of(find_method("grpo"), Options())
    with pytest.raises(StageError, match=r"an empty folder, no folder\. The run"):
        stages._check_checkpoint(tmp_path, None, preset)
    monkeypatch.undo()
    assert not stages._appears(tmp_path / "none", seconds=0)


def test_models_that_nobody_trains_are_loaded_whole(qwen, monkeypatch):
    """ZeRO-3 is on for the whole process once a trainer uses it."""
    from transformers.integrations import deepspeed

    class Zero3:
        def is_zero3(self):
            return True

    config = Zero3()
    deepspeed.set_hf_deepspeed_config(config)
    try:
        assert deepspeed.is_deepspeed_zero3_enabled()
        monkeypatch.setenv("WORLD_SIZE", "2")
        assert all(p.numel() for p in qwen.model().parameters())
        assert deepspeed.is_deepspeed_zero3_enabled()
    finally:
        deepspeed.unset_hf_deepspeed_config()


def test_one_process_needs_nobody(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert (processes.rank(), processes.count(), processes.collect([1, 2])) == (0, 1, [1, 2])
    with processes.main_first():
        pass
    monkeypatch.setenv(processes.MINUTES, "2")
    assert processes.timeout().total_seconds() == 120
    assert not processes.lost(RuntimeError("[gloo] Timed out"))
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert processes.lost(RuntimeError("[gloo/transport/tcp/pair.cc] Connection closed by peer"))
    assert not processes.lost(RuntimeError("shapes do not match"))
