"""GRPO with rollouts from vLLM in the same process, on video: on-policy to the third decimal."""

from __future__ import annotations

import pytest

pytest.importorskip("vllm")

import torch
from both_engines import SMALL, on_transformers
from engine_fixtures import grpo_config, grpo_method, lively, padded, weights_of

from reproductions.shared.inference.vllm import VLLMGenerator
from reproductions.shared.method import Context
from reproductions.shared.training.forward import Part, score_packed
from reproductions.shared.training.grpo import VideoGRPOTrainer

CLOSE = 2e-3


def test_two_steps_are_sampled_from_the_policy_of_each_step(checkpoints, tmp_path):
    half = on_transformers(checkpoints["qwen2_5_vl"])
    made, differences = [], []

    def engine():
        made.append(VLLMGenerator(half.small.checkpoint, half.encoder, dtype="float32", **SMALL))
        return made[0]

    trainer = VideoGRPOTrainer(
        model=half.model.train(),
        args=grpo_config(tmp_path, learning_rate=1e-2),
        method=grpo_method(),
        samples=half.samples,
        encoder=half.encoder,
        context=Context(settings={"note": 1}),
        engine=engine,
    )
    real = trainer._generator

    def watched(model):
        """The trainer's own log-probabilities of what was sampled, before the next update."""
        generator = real(model)

        class Watched:
            def generate(self, requests, sampling):
                answers = generator.generate(requests, sampling)
                ids, mask, sampled = padded([a for g in answers for a in g])
                parts, start = [], 0
                for r in requests:
                    parts.append(Part(half.encoder(r.sample, r.order), start, start + r.n))
                    start += r.n
                with torch.no_grad():
                    logps, _ = score_packed(trainer.model, parts, ids, mask)
                differences.append(float(((logps - sampled) * mask).abs().max()))
                return answers

        return Watched()

    trainer._generator = watched
    before = weights_of(trainer.model)
    trainer.train()
    after = weights_of(trainer.model)
    made[0].close()
    assert len(made) == 1 and len(differences) == 2
    assert max(differences) < CLOSE, differences
    moved = [k for k in before if not torch.equal(before[k], after[k])]
    assert len(moved) == len(before)
    assert trainer.state.global_step == 2


def test_a_run_takes_its_rollouts_from_vllm(tmp_path, monkeypatch):
    """`--set hardware.rollout_engine=vllm_colocate`, from settings to checkpoint."""
    from reproductions.baselines.grpo import method as grpo
    from reproductions.shared.run import Options, run

    calls = []
    real = VLLMGenerator.generate
    monkeypatch.setattr(
        VLLMGenerator, "generate", lambda self, *a: calls.append(len(a[0])) or real(self, *a)
    )
    folder = run(
        lively(grpo.METHOD),
        Options(
            preset="mini",
            smoke=True,
            out=tmp_path / "run",
            overrides={"hardware.rollout_engine": "vllm_colocate", "stages.rl.max_steps": 2},
        ),
    )
    assert len(calls) == 2
    assert (folder / "card.yaml").exists()
