"""VideoGRPOTrainer trains: every parameter, every setting, and to the weights of stock TRL."""

from __future__ import annotations

import math
import zlib
from dataclasses import replace

import pytest
from engine_fixtures import (
    even_share,
    grpo_config,
    grpo_method,
    grpo_trainer,
    text_only,
    weights_of,
)

torch = pytest.importorskip("torch")

from reproductions.shared.models import torchvision_cure  # noqa: E402

torchvision_cure.apply()

from trl import GRPOTrainer  # noqa: E402

from reproductions.shared.inference.engine import Completion  # noqa: E402
from reproductions.shared.models.load import load_model, load_processor  # noqa: E402
from reproductions.shared.training import grpo  # noqa: E402
from vidpost.catalog.preset import Lora, ModelSettings  # noqa: E402

pytestmark = pytest.mark.train


def logged(trainer, key):
    return [float(r[key]) for r in trainer.state.log_history if key in r]


def lora_model(engine):
    settings = ModelSettings(
        id="tiny", family=engine.family, dtype="float32", lora=Lora(rank=4, alpha=8)
    )
    return load_model(engine.checkpoint, settings, train=True)


KINDS = ("packed", "rows", "lora", "checkpointing", "lora checkpointing", "bf16")


@pytest.mark.parametrize(
    ("engine", "kind"),
    [("qwen2_5_vl", k) for k in KINDS]
    + [("qwen3_vl", k) for k in ("packed", "lora checkpointing")],
    indirect=["engine"],
)
def test_two_steps_change_every_trainable_parameter(engine, tmp_path, kind):
    config = {"gradient_checkpointing": "checkpointing" in kind, "bf16": kind == "bf16"}
    if kind == "bf16":  # a bfloat16 weight of 1 moves by no less than 0.004
        model, config = engine.model(dtype="bfloat16"), config | {"learning_rate": 2e-2}
    else:
        model = lora_model(engine) if "lora" in kind else engine.model()
    trainer = grpo_trainer(engine, tmp_path, model=model, shared_prefix=kind != "rows", **config)
    before = weights_of(trainer.model)
    trainable = {k for k, p in trainer.model.named_parameters() if p.requires_grad}
    assert trainable
    trainer.train()
    after = weights_of(trainer.model)
    changed = {k for k in before if not torch.equal(before[k], after[k])}
    assert changed == trainable
    if kind == "lora":
        assert all("lora_" in k for k in trainable)
        assert any("visual" in k for k in trainable)
    assert all(torch.isfinite(v).all() for v in after.values())


@pytest.mark.parametrize("loss_type", ["grpo", "dapo"])
def test_two_accumulated_batches_are_one_of_double_size(qwen, tmp_path, loss_type):
    common = {"optim": "sgd", "learning_rate": 0.3, "loss_type": loss_type, "max_grad_norm": 1e9}
    whole = grpo_trainer(
        qwen, tmp_path, per_device_train_batch_size=16, gradient_accumulation_steps=1, **common
    )
    halves = grpo_trainer(
        qwen,
        tmp_path,
        per_device_train_batch_size=8,
        gradient_accumulation_steps=2,
        steps_per_generation=2,
        **common,
    )
    start = weights_of(whole.model)
    for trainer in (whole, halves):
        trainer.train()
    a, b = weights_of(whole.model), weights_of(halves.model)
    for name, value in a.items():
        moved = (value - start[name]).norm()
        assert moved > 0
        assert (b[name] - value).norm() < 1e-4 * moved, name
    assert logged(whole, "reward") == pytest.approx(logged(halves, "reward"), abs=1e-6)


@pytest.mark.parametrize(
    "loss_type", ["grpo", "bnpo", "dr_grpo", "dapo", "cispo", "sapo", "luspo", "vespo"]
)
def test_every_loss_of_trl_runs_and_learns(qwen, tmp_path, loss_type):
    extra = {"epsilon_high": 5.0} if loss_type == "cispo" else {}
    trainer = grpo_trainer(qwen, tmp_path, loss_type=loss_type, num_iterations=2, **extra)
    before = weights_of(trainer.model)
    trainer.train()
    values = logged(trainer, "loss") + logged(trainer, "grad_norm")
    assert len(values) == 4 and all(math.isfinite(v) for v in values)
    assert all(not torch.equal(v, before[k]) for k, v in weights_of(trainer.model).items())


@pytest.mark.parametrize("level", ["token", "sequence"])
def test_importance_sampling_levels(qwen, tmp_path, level):
    trainer = grpo_trainer(qwen, tmp_path, importance_sampling_level=level, num_iterations=2)
    trainer.train()
    assert all(math.isfinite(v) for v in logged(trainer, "loss"))


@pytest.mark.parametrize("kind", ["full", "lora"])
def test_the_kl_is_zero_at_the_first_step_and_grows(qwen, tmp_path, kind):
    model = lora_model(qwen) if kind == "lora" else qwen.model()
    trainer = grpo_trainer(qwen, tmp_path, model=model, beta=0.04, learning_rate=1e-2)
    trainer.train()
    first, second = logged(trainer, "kl")
    assert abs(first) < 1e-6 < 1e-4 < second


def test_old_logprobs_are_those_of_the_policy_that_answered(qwen, tmp_path):
    seen = []

    def loss(tokens):
        seen.append((tokens.logps.detach().clone(), tokens.old_logps.clone(), tokens.mask))
        ratio = (tokens.logps - tokens.old_logps).exp()
        return -(ratio * tokens.advantages.unsqueeze(1) * tokens.mask).sum() / tokens.mask.sum()

    trainer = grpo_trainer(qwen, tmp_path, grpo_method(loss=loss), num_iterations=2)
    calls = []
    real = trainer._roll_out
    trainer._roll_out = lambda *a: calls.append(1) or real(*a)
    trainer.train()
    assert len(calls) == 1 and len(seen) == 2
    (logps, old, mask), (later, same, _) = seen
    torch.testing.assert_close(logps * mask, old * mask, atol=1e-5, rtol=0)
    assert torch.equal(old, same)
    assert ((later - same) * mask).abs().max() > 1e-3


def test_packed_and_row_training_take_the_same_step(engine, tmp_path):
    after = []
    for packed in (True, False):
        trainer = grpo_trainer(
            engine, tmp_path, shared_prefix=packed, optim="sgd", learning_rate=0.3, max_steps=1
        )
        start = weights_of(trainer.model)
        trainer.train()
        after.append(weights_of(trainer.model))
    for name, value in after[0].items():
        moved = (value - start[name]).norm()
        assert (after[1][name] - value).norm() < 1e-4 * moved, name


def test_dropout_does_not_switch_it_off(qwen, tmp_path):
    """Two forwards with dropout differ; the check must not mistake that for a fault."""
    settings = ModelSettings(
        id="tiny",
        family=qwen.family,
        dtype="float32",
        lora=Lora(rank=4, alpha=8, dropout=0.5),
    )
    model = load_model(qwen.checkpoint, settings, train=True)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    trainer = grpo_trainer(qwen, tmp_path, model=model, max_steps=1)
    trainer.train()
    assert trainer.shared_prefix and trainer.model.training


# --- stock TRL -------------------------------------------------------------------------------


def scripted_ids(prompt_text: str, index: int, step: int) -> list[int]:
    """Answers of unequal length that depend on prompt, place and step."""
    generator = torch.Generator().manual_seed(zlib.crc32(f"{prompt_text}/{index}/{step}".encode()))
    ids = torch.randint(10, 250, (2 + (index + step) % 5,), generator=generator).tolist()
    return ids + [Replay.eos] * (index % 2)  # every other answer is finished


class Replay:
    """Stands for HFGenerator: the same answers that stock TRL is given."""

    step = eos = 0

    def __init__(self, model, encoder):
        self.encoder = encoder

    def generate(self, requests, sampling):
        answers = []
        for request in requests:
            group = []
            for i in range(request.n):
                ids = scripted_ids(request.sample.question, i, Replay.step)
                group.append(Completion("", tuple(ids), (0.0,) * len(ids), False))
            answers.append(group)
        Replay.step += 1
        return answers


@pytest.mark.parametrize(
    "config",
    [
        {"loss_type": "grpo", "scale_rewards": "group"},
        {"loss_type": "dapo", "scale_rewards": "batch"},
        {"loss_type": "dr_grpo", "scale_rewards": "none"},
        {"loss_type": "bnpo", "scale_rewards": "group", "beta": 0.1},
        {"loss_type": "grpo", "scale_rewards": "none", "temperature": 0.8},
        {"loss_type": "dapo", "scale_rewards": "group", "mask_truncated_completions": True},
    ],
    ids=lambda c: "-".join(map(str, c.values())),
)
def test_on_text_the_trainer_takes_the_steps_of_stock_trl(qwen, tmp_path, monkeypatch, config):
    # The question is the key to the script: all of them differ.
    samples = [replace(text_only(s), question=f"Question {i}") for i, s in enumerate(qwen.samples)]
    common = {"optim": "sgd", "learning_rate": 0.1, "max_grad_norm": 1e9, **config}
    monkeypatch.setattr(grpo, "HFGenerator", Replay)
    monkeypatch.setattr(Replay, "step", 0)
    monkeypatch.setattr(Replay, "eos", load_processor(qwen.checkpoint).tokenizer.eos_token_id)
    ours = grpo_trainer(qwen, tmp_path / "ours", samples=samples, **common)
    start = weights_of(ours.model)
    ours.train()

    model = qwen.model().train()
    encoder = qwen.encoder(model)
    from datasets import Dataset

    stock = GRPOTrainer(
        model=model,
        reward_funcs=[even_share],
        args=grpo_config(tmp_path / "stock", **common),
        train_dataset=Dataset.from_dict({"prompt": [s.question for s in samples]}),
        processing_class=load_processor(qwen.checkpoint),
    )
    by_question = {s.question: s for s in samples}
    steps = iter(range(99))

    def generate(prompts):
        step = next(steps)
        size = stock.num_generations
        completions = [scripted_ids(p, i % size, step) for i, p in enumerate(prompts)]
        ids = [encoder(by_question[p]).ids.tolist() for p in prompts]
        return ids, completions, None, [""] * len(prompts), None, {}, None, None

    monkeypatch.setattr(stock, "_generate", generate)
    stock.train()
    expected, got = weights_of(stock.model), weights_of(ours.model)
    for name, value in expected.items():
        moved = (value - start[name]).norm()
        assert (moved > 0) == ("visual" not in name), name
        assert (got[name] - value).norm() <= 2e-4 * moved, name
    for key in ("loss", "reward", "kl", "entropy"):
        assert logged(ours, key) == pytest.approx(logged(stock, key), abs=2e-5), key


def test_a_group_is_never_split(qwen, tmp_path):
    with pytest.raises(ValueError, match=r"splits groups.*multiple"):
        grpo_trainer(
            qwen,
            tmp_path,
            per_device_train_batch_size=6,
            gradient_accumulation_steps=2,
            steps_per_generation=2,
        )
