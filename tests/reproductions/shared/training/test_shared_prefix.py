"""`train.shared_prefix` changes no number: every loss, gradient and hook against the plain path."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from engine_fixtures import grpo_method, grpo_trainer, text_only, weights_of
from PIL import Image

torch = pytest.importorskip("torch")

from reproductions.shared.models import torchvision_cure  # noqa: E402

torchvision_cure.apply()

from hypothesis import HealthCheck, given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from torch.nn.attention import flex_attention  # noqa: E402
from transformers.integrations import flex_attention as wrapper  # noqa: E402

from reproductions.shared.evaluation.outcome import _shared_prefix  # noqa: E402
from reproductions.shared.method import Rollouts, Sample  # noqa: E402
from reproductions.shared.models import attention  # noqa: E402
from reproductions.shared.models.load import load_model  # noqa: E402
from reproductions.shared.settings import Options, find_method, settings_of  # noqa: E402
from reproductions.shared.training import grpo  # noqa: E402
from reproductions.shared.training.forward import Part, score_packed, score_rows  # noqa: E402
from reproductions.shared.video.image import read_image  # noqa: E402
from reproductions.shared.video.spec import FrameSpec  # noqa: E402
from vidpost.catalog.preset import Lora, ModelSettings  # noqa: E402

pytestmark = pytest.mark.train

TOLERANCE = 1e-5
"""Relative, of log-probabilities, losses and of the gradient of every parameter; float32."""


def close(ours, expected, what, tolerance=TOLERANCE):
    error = (ours - expected).norm() / expected.norm().clamp(min=1e-12)
    assert expected.norm() > 0 and error < tolerance, f"{what}: {error:.1e}"


def gradients(model, loss):
    model.zero_grad(set_to_none=True)
    loss.backward()
    found = {k: p.grad.clone() for k, p in model.named_parameters() if p.grad is not None}
    model.zero_grad(set_to_none=True)
    return found


def compare_gradients(ours, expected):
    assert ours.keys() == expected.keys()
    for name, value in expected.items():
        close(ours[name], value, name)


# --- the forward alone, on batches of any shape -----------------------------------------------


@pytest.fixture(scope="module")
def loaded(engine):
    """A model, and prompts of every kind: videos, one shuffled, a picture, texts of any length."""
    model = engine.model(fused=True)
    encoder = engine.encoder(model)
    a, b = engine.samples[:2]
    shuffled = (5, 2, 7, 0, 3, 6, 1, 4)
    prompts = [encoder(a), encoder(b), encoder(a, shuffled), encoder(text_only(b))]
    return model, prompts


@pytest.fixture(scope="module")
def pictured(engine, loaded, tmp_path_factory):
    """The prompts of `loaded` and that of a picture."""
    path = tmp_path_factory.mktemp("pictures") / "a.png"
    pixels = np.random.default_rng(0).integers(0, 255, (60, 90, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    side = 32 if engine.family == "qwen3_vl" else 28
    spec = FrameSpec(sampling="uniform", num_frames=8, max_pixels=4 * side**2, size_factor=side)
    encoder = engine.encoder(loaded[0])
    encoder.read = lambda name: read_image(name, spec)
    sample = Sample(id="p", question="What is red?", answer="A", meta={"image": str(path)})
    return [*loaded[1], encoder(sample)]


def cut(prompt, length):
    """The first tokens of a text prompt."""
    return replace(
        prompt, ids=prompt.ids[:length], positions=prompt.positions[:, :length],
        next_position=length,
    )  # fmt: skip


@settings(
    deadline=None,
    max_examples=8,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_any_batch(engine, loaded, pictured, data):
    """Groups of 1 to 5, answers of 0 to 12 tokens, prompts of 1 token to a video's."""
    model, _ = loaded
    groups = data.draw(
        st.lists(
            st.tuples(
                st.integers(0, len(pictured)),
                st.integers(1, 30),
                st.lists(st.integers(0, 12), min_size=1, max_size=5),
            ),
            min_size=1,
            max_size=3,
        ).filter(lambda gs: any(any(lengths) for _, _, lengths in gs))
    )
    parts, rows = [], []
    for which, length, lengths in groups:
        prompt = cut(pictured[3], length) if which == len(pictured) else pictured[which]
        parts.append(Part(prompt, len(rows), len(rows) + len(lengths)))
        rows += lengths
    generator = torch.Generator().manual_seed(data.draw(st.integers(0, 99)))
    mask = (torch.arange(max(rows)) < torch.tensor(rows).unsqueeze(1)).long()
    ids = torch.randint(10, 250, mask.shape, generator=generator) * mask
    weights = torch.randn(mask.shape, generator=generator)
    results = []
    for score in (score_packed, score_rows):
        logps, entropies = score(model, parts, ids, mask)
        loss = ((logps + 0.3 * entropies) * weights * mask).sum()
        results.append((logps.detach() * mask, entropies.detach() * mask, gradients(model, loss)))
    (logps, entropies, grads), (plain, plain_entropies, expected) = results
    close(logps, plain, "log-probabilities")
    close(entropies, plain_entropies, "entropies")
    # In the plain path the picture's tower runs beside the video's in another order.
    compare_gradients(grads, expected)


@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")
@pytest.mark.parametrize("way", ["dense", "flex"])
def test_a_mask_in_place_of_the_kernels(engine, loaded, monkeypatch, way):
    """What GPUs compute: blocks of flex attention on CUDA, a dense mask elsewhere."""
    model, prompts = loaded
    parts = [Part(prompts[0], 0, 2), Part(prompts[3], 2, 4)]
    ids = torch.randint(10, 250, (4, 6), generator=torch.Generator().manual_seed(0))
    mask = torch.tensor([[1] * 6, [1] * 2 + [0] * 4, [1] * 6, [1] * 3 + [0] * 3])
    with torch.no_grad():
        expected, _ = score_packed(model, parts, ids, mask)
        monkeypatch.setattr(attention, "FUSED", ())
        if way == "flex":
            monkeypatch.setattr(attention, "FLEX", ("cpu",))
            # Compiled it takes a C++ compiler and half a minute; the GPU has its own.
            monkeypatch.setattr(
                wrapper,
                "compile_friendly_flex_attention",
                lambda *args, training=False, **kw: flex_attention.flex_attention(*args, **kw),
            )
        masked, _ = score_packed(model, parts, ids, mask)
    close(masked, expected, way)


# --- the trainer's loss ------------------------------------------------------------------------


def model_of(engine, lora):
    adapters = Lora(rank=4, alpha=8) if lora else None
    settings_ = ModelSettings(id="tiny", family=engine.family, dtype="float32", lora=adapters)
    model = load_model(engine.checkpoint, settings_, train=True)
    generator = torch.Generator().manual_seed(0)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:  # starts at zero, where half of the gradients vanish
            parameter.data = torch.randn(parameter.shape, generator=generator) * 0.05
    # Some answers end early.
    model.generation_config.eos_token_id = list(range(100, 160))
    return model


def move(model, scale=3e-3):
    """The policy a step later: the ratio to the old one is no longer one."""
    generator = torch.Generator().manual_seed(1)
    for parameter in model.parameters():
        if parameter.requires_grad:
            step = torch.randn(parameter.shape, generator=generator)
            parameter.data += scale * parameter.data.abs().mean().clamp(min=1e-3) * step


def both_ways(trainer, groups=2):
    """Batch, loss and gradients with and without the shared prefix, of the same answers."""
    trainer.model.train()
    trainer.current_gradient_accumulation_steps = 1
    trainer._checked = True
    inputs = [{"sample": i} for i in range(groups) for _ in range(trainer.num_generations)]
    rows = trainer._generate_and_score_completions(inputs)
    start = {k: v.clone() for k, v in trainer.model.state_dict().items()}
    results = []
    for shared in (True, False):
        trainer.shared_prefix = shared
        trainer.model.load_state_dict(start)
        batch = trainer._collate(rows)
        move(trainer.model)
        loss = trainer._compute_loss(trainer.model, batch)
        results.append((batch, loss.detach(), gradients(trainer.model, loss)))
    lengths = batch["completion_mask"].sum(1)
    assert len(set(lengths.tolist())) > 1, "answers of unequal length"
    return results


def same(results, told=("old_per_token_logps",)):
    (batch, loss, grads), (plain, plain_loss, expected) = results
    mask = plain["completion_mask"]
    for name in told:
        close(batch[name] * mask, plain[name] * mask, name)
    # A loss is a sum in which advantages cancel: it is as exact as its terms are.
    terms = plain["advantages"].abs().mean().clamp(min=plain_loss.abs())
    assert (loss - plain_loss).abs() < TOLERANCE * terms, f"loss: {loss} for {plain_loss}"
    compare_gradients(grads, expected)


LOSSES = ("grpo", "bnpo", "dr_grpo", "dapo", "cispo", "sapo", "luspo", "vespo")
OLD = {"num_iterations": 2, "max_completion_length": 12}


@pytest.mark.parametrize("loss_type", LOSSES)
def test_every_loss_of_trl(qwen, tmp_path, loss_type):
    extra = {"epsilon_high": 5.0} if loss_type == "cispo" else {}
    level = {"importance_sampling_level": "sequence"} if loss_type == "luspo" else {}
    trainer = grpo_trainer(
        qwen, tmp_path, model=model_of(qwen, False), loss_type=loss_type, **OLD, **extra, **level
    )
    same(both_ways(trainer))


@pytest.mark.parametrize("lora", [False, True], ids=["whole", "lora"])
@pytest.mark.parametrize("checkpointing", [False, True], ids=["", "checkpointing"])
def test_reference_adapters_and_checkpointing(engine, tmp_path, lora, checkpointing):
    trainer = grpo_trainer(
        engine,
        tmp_path,
        model=model_of(engine, lora),
        beta=0.1,
        gradient_checkpointing=checkpointing,
        **OLD,
    )
    same(both_ways(trainer, groups=3), ("old_per_token_logps", "ref_per_token_logps"))


@pytest.mark.parametrize(
    "config",
    [
        {"top_entropy_quantile": 0.5},
        {"mask_truncated_completions": True},
        {"importance_sampling_level": "sequence"},
        {"temperature": 0.7},
    ],
    ids=lambda c: next(iter(c)),
)
def test_what_trl_does_with_the_numbers(qwen, tmp_path, config):
    trainer = grpo_trainer(qwen, tmp_path, model=model_of(qwen, False), **OLD, **config)
    same(both_ways(trainer))


@pytest.mark.parametrize("trained", [True, False])
def test_hooks_and_a_twin_on_shuffled_frames(engine, tmp_path, trained):
    """A group with two views, weights by entropy: what T-GRPO and its kin are made of."""

    def build_group(sample, context):
        def order(count):
            return context.rng.sample(range(count), count)

        return [Rollouts(4), Rollouts(2, view="shuffled", frames=order, trained=trained)]

    def token_weights(tokens):
        return 1 + tokens.entropies.detach()

    method = grpo_method(build_group=build_group, token_weights=token_weights)
    trainer = grpo_trainer(engine, tmp_path, method, model=model_of(engine, False), beta=0.1, **OLD)
    results = both_ways(trainer)
    assert len(results[0][0]["parts"]) == (4 if trained else 2)
    same(results, ("old_per_token_logps", "ref_per_token_logps"))


def test_a_loss_of_the_methods_own(qwen, tmp_path):
    def loss(tokens):
        ratio = (tokens.logps - tokens.old_logps).exp()
        gain = ratio * tokens.advantages.unsqueeze(1) + 0.1 * tokens.entropies
        return -(gain * tokens.mask).sum() / tokens.mask.sum()

    trainer = grpo_trainer(
        qwen, tmp_path, grpo_method(loss=loss), model=model_of(qwen, False), **OLD
    )
    same(both_ways(trainer))


def test_twenty_steps_stay_together(qwen, tmp_path):
    """Own rollouts on both sides: one token that is drawn differently would part them for good."""
    runs = []
    for shared in (True, False):
        trainer = grpo_trainer(
            qwen,
            tmp_path,
            model=model_of(qwen, False),
            shared_prefix=shared,
            max_steps=20,
            optim="sgd",
            learning_rate=0.3,
            beta=0.04,
        )
        start = weights_of(trainer.model)
        trainer.train()
        runs.append((weights_of(trainer.model), trainer.state.log_history[:20]))
    (after, log), (plain, expected) = runs
    for name, value in plain.items():
        close(after[name] - start[name], value - start[name], name, 1e-3)
    for key in ("loss", "reward", "kl", "entropy", "completions/mean_length"):
        ours, theirs = ([float(step[key]) for step in run] for run in (log, expected))
        assert ours == pytest.approx(theirs, abs=1e-5), key
    assert [float(step["shared_prefix"]) for step in log] == [1.0] * 20
    assert [float(step["shared_prefix"]) for step in expected] == [0.0] * 20


# --- the switch ----------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["differs", "fails"])
def test_a_forward_that_is_wrong_is_switched_off(qwen, tmp_path, monkeypatch, caplog, fault):
    """Loudly, and the log says so from the first step on."""
    real = grpo.score_packed

    def wrong(*args):
        if fault == "fails":
            raise TypeError("this model takes no such mask")
        return real(*args)[0] - 0.01, real(*args)[1]

    monkeypatch.setattr(grpo, "score_packed", wrong)
    trainer = grpo_trainer(qwen, tmp_path, max_steps=2)
    with caplog.at_level("WARNING"):
        trainer.train()
    assert not trainer.shared_prefix
    assert "train.shared_prefix is switched off" in caplog.text
    assert ("takes no such mask" if fault == "fails" else "differ by up to 1.0e-02") in caplog.text
    told = [float(r["shared_prefix"]) for r in trainer.state.log_history if "shared_prefix" in r]
    assert told == [0.0, 0.0]


def test_the_setting_and_the_card(tmp_path):
    method = find_method("video_r1")
    assert settings_of(method, Options()).train.shared_prefix
    off = settings_of(method, Options(overrides={"train.shared_prefix": False}))
    assert not off.train.shared_prefix
    assert _shared_prefix(tmp_path) == []
    for values, said in (((1.0, 1.0), "a group"), ((0.0, 0.0), "an answer")):
        records = [{"stage": "sft", "step": 1}, *({"shared_prefix": v} for v in values)]
        (tmp_path / "log.jsonl").write_text("".join(json.dumps(r) + "\n" for r in records))
        assert _shared_prefix(tmp_path) == [f"GRPO's loss computed a prompt once {said}."]
