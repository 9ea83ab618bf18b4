"""GRPO with rollouts from vLLM, in the same process and on a server: on-policy to rounding."""

from __future__ import annotations

from dataclasses import replace

import pytest

pytest.importorskip("vllm")

import torch
from both_engines import SMALL, on_transformers
from engine_fixtures import grpo_config, grpo_method, lively, padded, weights_of
from run_process import several
from safetensors.torch import load_file

from reproductions.shared.inference.engine import Request, Sampling
from reproductions.shared.inference.hf import HFGenerator
from reproductions.shared.inference.policy_server import PolicyServer
from reproductions.shared.inference.server import ServerError
from reproductions.shared.inference.vllm import VLLMGenerator
from reproductions.shared.method import Context
from reproductions.shared.training.forward import Part, score_packed
from reproductions.shared.training.grpo import VideoGRPOTrainer

CLOSE = 2e-3


def trained_on_policy(half, folder, engine):
    """Train two steps; returns the largest difference of a log-probability, a rollout each.

    Sampled ones come from the engine where it gives them, else greedy answers are compared with
    what the policy itself would write.
    """
    differences = []
    trainer = VideoGRPOTrainer(
        model=half.model.train(),
        args=grpo_config(folder, learning_rate=1e-2),
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
                greedy = Sampling(max_new_tokens=6)
                asked = [replace(r, n=1) for r in requests]
                for a, b in zip(generator.generate(asked, greedy),
                                half.hf.generate(asked, greedy), strict=True):  # fmt: skip
                    assert a[0].ids == b[0].ids and a[0].text == b[0].text
                if not answers[0][0].logprobs:
                    return answers
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
    moved = [k for k in before if not torch.equal(before[k], after[k])]
    assert len(moved) == len(before)
    assert trainer.state.global_step == 2
    return differences


def test_two_steps_are_sampled_from_the_policy_of_each_step(checkpoints, tmp_path):
    half = on_transformers(checkpoints["qwen2_5_vl"])
    made = []

    def engine():
        made.append(VLLMGenerator(half.small.checkpoint, half.encoder, dtype="float32", **SMALL))
        return made[0]

    differences = trained_on_policy(half, tmp_path, engine)
    made[0].close()
    assert len(made) == 1 and len(differences) == 2
    assert max(differences) < CLOSE, differences


@pytest.fixture
def served_policy(checkpoints, served, tmp_path):
    """The server, with its first weights again afterwards."""
    half = on_transformers(checkpoints["qwen2_5_vl"])
    server = PolicyServer(served.ready(), half.encoder, tmp_path / "policy")
    yield half, server
    server.follow(checkpoints["qwen2_5_vl"].model())
    server.close()
    assert not (tmp_path / "policy").exists()


def test_a_server_follows_the_policy(served_policy, tmp_path):
    """Prefixes, features of videos and weights are all those of the present step."""
    half, server = served_policy
    trained_on_policy(half, tmp_path, lambda: server)
    assert (tmp_path / "policy" / "model.safetensors").stat().st_size > 10_000
    # With adapters, which the server does not know.
    from peft import LoraConfig, get_peft_model

    adapted = get_peft_model(
        half.small.model(),
        LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False),
    )
    server.follow(adapted)
    merged = HFGenerator(adapted.merge_and_unload(), half.encoder)
    asked = [Request(s) for s in half.samples[:3]]
    ours, theirs = (g.generate(asked, Sampling(max_new_tokens=8)) for g in (server, merged))
    assert [a[0].ids for a in ours] == [a[0].ids for a in theirs]


def test_a_request_without_an_answer_is_no_rollout(served_policy):
    half, server = served_policy
    long = replace(half.samples[0], id="long", video=None, question="word " * 4000)
    with pytest.raises(ServerError, match="no answer about long"):
        server.generate([Request(long), Request(half.samples[1])], Sampling(max_new_tokens=4))


def test_weights_of_another_model_are_refused(served_policy, checkpoints):
    _, server = served_policy
    with pytest.raises(ServerError, match="must serve the model that is trained"):
        server.follow(checkpoints["qwen3_vl"].model())


def test_a_run_takes_its_rollouts_from_vllm(tmp_path, monkeypatch):
    """`--set hardware.rollout_engine=vllm_colocate`, from settings to checkpoint."""
    from reproductions.baselines.grpo import method as grpo
    from reproductions.shared.run import run
    from reproductions.shared.settings import Options

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


def test_a_run_takes_its_rollouts_from_a_server(served_policy, tmp_path, monkeypatch):
    """One process and two that share the groups: the same answers, steps and weights."""
    half, _ = served_policy
    monkeypatch.setenv("VIDPOST_SERVERS", served_policy[1].url)
    monkeypatch.setenv("VIDPOST_CACHE", str(tmp_path / "cache"))
    sizes = {
        "model.id": half.small.checkpoint,
        "hardware.rollout_engine": "vllm_server",
        "frames.num_frames": 4,
        "stages.sft.max_steps": 1,
        "stages.rl.max_steps": 2,
        "stages.rl.batch_size": 1,
        "stages.rl.gradient_accumulation": 2,
        "stages.rl.num_generations": 4,
        "stages.rl.max_completion_length": 6,
        "stages.rl.learning_rate": 1e-3,
        "synthetic.train": 4,
        "synthetic.validation": 2,
        "synthetic.test": 2,
        "evaluate.max_new_tokens": 4,
    }
    command = ["run", "grpo", *(x for k, v in sizes.items() for x in ("--set", f"{k}={v}"))]
    for n in (1, 2):
        results = several(n, [*command, "--out", str(tmp_path / str(n))], tmp_path)
        assert [r.code for r in results] == [0] * n, results
    one, two = ((tmp_path / n / "rollouts.jsonl").read_text() for n in "12")
    assert one == two and one.count("completion") == 2 * 2 * 4
    one, two = (
        load_file(tmp_path / n / "stages" / "rl" / "final" / "model.safetensors") for n in "12"
    )
    # Adam makes whole steps of 1e-3 of gradients however small, rounding and all.
    assert max(float((one[k] - two[k]).abs().max()) for k in one) < 2e-4
    assert not (tmp_path / "2" / "stages" / "rl" / "policy").exists()
