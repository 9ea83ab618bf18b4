"""What can be said about the vLLM engine without vLLM; tests/with_vllm tests it for real."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

pytest.importorskip("torch")

from reproductions.shared import run
from reproductions.shared.inference.turns import reading
from reproductions.shared.inference.vllm import EngineError, VLLMGenerator
from reproductions.shared.run import Options, RunError
from reproductions.shared.training import stage

without = pytest.mark.skipif(find_spec("vllm") is not None, reason="vLLM is installed here")


@without
def test_a_missing_vllm_is_named_with_a_remedy(tmp_path):
    encoder = reading(lambda path: None, lambda sample: "")
    with pytest.raises(EngineError, match=r"not installed here.*make test-vllm"):
        VLLMGenerator(tmp_path, encoder)


def start(tmp_path, engine):
    from reproductions.baselines.grpo.method import METHOD

    options = Options(
        smoke=True, out=tmp_path / "run", overrides={"hardware.rollout_engine": engine}
    )
    run.run(METHOD, options)


@without
def test_colocated_rollouts_without_vllm_are_refused_before_anything_is_built(tmp_path):
    with pytest.raises(RunError, match=r"vllm_colocate'.*not installed.*rollout_engine=hf"):
        start(tmp_path, "vllm_colocate")
    assert {p.name for p in (tmp_path / "run").iterdir()} == {"config.yaml"}


@pytest.mark.parametrize(
    ("cuda", "fault"), [(False, "over CUDA .NCCL. only"), (True, "not wired to this trainer")]
)
def test_server_rollouts_are_refused(tmp_path, monkeypatch, cuda, fault):
    monkeypatch.setattr("torch.cuda.is_available", lambda: cuda)
    with pytest.raises(RunError, match=fault):
        start(tmp_path, "vllm_server")


def test_several_processes_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(stage, "find_spec", lambda name: object())
    monkeypatch.setattr(stage.processes, "count", lambda: 2)
    with pytest.raises(RunError, match="one process"):
        start(tmp_path, "vllm_colocate")


def test_an_engine_in_the_trainer_is_given_each_steps_weights_once(qwen, tmp_path):
    """The trainer's side of it, with an engine that notes what it is told."""
    from engine_fixtures import grpo_config, grpo_method

    from reproductions.shared.inference.hf import HFGenerator
    from reproductions.shared.method import Context
    from reproductions.shared.training.grpo import VideoGRPOTrainer

    model = qwen.model().train()
    encoder = qwen.encoder(model)
    told = []

    class Engine:
        def follow(self, policy):
            told.append(("follow", sum(p.sum().item() for p in policy.parameters())))

        def generate(self, requests, sampling):
            told.append(("generate", len(requests)))
            return HFGenerator(model, encoder).generate(requests, sampling)

    made = []

    def engine():
        made.append(Engine())
        return made[-1]

    trainer = VideoGRPOTrainer(
        model=model,
        args=grpo_config(tmp_path, gradient_accumulation_steps=2, steps_per_generation=1),
        method=grpo_method(),
        samples=qwen.samples,
        encoder=encoder,
        context=Context(settings={}),
        engine=engine,
    )
    assert made == []  # not before it is needed: it takes memory and processes
    trainer.train()
    assert len(made) == 1
    # Two optimiser steps of two rollouts each; new weights at every step, and only then.
    assert [name for name, _ in told] == ["follow", "generate", "generate"] * 2
    weights = [value for name, value in told if name == "follow"]
    assert weights[0] != weights[1]
