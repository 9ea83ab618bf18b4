"""A video is decoded and processed once; what a frozen tower makes of it is computed once."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from dataclasses import replace

import pytest
from engine_fixtures import grpo_trainer, lively

torch = pytest.importorskip("torch")

from reproductions.shared import data, processes  # noqa: E402
from reproductions.shared.evaluation import outcome  # noqa: E402
from reproductions.shared.method import Stage  # noqa: E402
from reproductions.shared.models.encode import Encoder, base_of  # noqa: E402
from reproductions.shared.models.frozen import Tower  # noqa: E402
from reproductions.shared.models.load import load_model, load_processor  # noqa: E402
from reproductions.shared.models.memory import Memory  # noqa: E402
from reproductions.shared.prompts import think_then_answer  # noqa: E402
from reproductions.shared.run import run  # noqa: E402
from reproductions.shared.settings import Options, complete, find_method, settings_of  # noqa: E402
from reproductions.shared.training import stage as stages  # noqa: E402
from vidpost.catalog.preset import ModelSettings  # noqa: E402

SIZES = {
    "synthetic.tasks": ["counting"],
    "synthetic.train": 8,
    "synthetic.validation": 3,
    "synthetic.test": 4,
    "frames.num_frames": 4,
    "model.tiny.layers": 1,
    "model.tiny.vision_layers": 1,
    "stages.sft.max_steps": 6,  # three epochs
    "stages.sft.batch_size": 4,
    "stages.sft.stop_at_accuracy": 1.0,
    "stages.sft.check_every": 3,
    "stages.rl.max_steps": 6,
    "stages.rl.batch_size": 2,
    "stages.rl.num_generations": 4,
    "stages.rl.max_completion_length": 4,
    "evaluate.max_new_tokens": 4,
    "evaluate.batch_size": 4,
}


@pytest.mark.train
def test_a_run_decodes_a_video_once(tmp_path, monkeypatch, frozen_heap):
    """Two stages of several epochs, twins on shuffled frames, three checkpoints evaluated."""
    monkeypatch.setenv("VIDPOST_CACHE", str(tmp_path / "cache"))
    decoded, encoded = Counter(), Counter()
    real_read, real_encode = data.read_frames, Encoder._encode

    def read(path, *args):
        decoded[path] += 1
        return real_read(path, *args)

    def encode(self, sample, order, *args):
        encoded[sample.id, tuple(order or ())] += 1
        return real_encode(self, sample, order, *args)

    hashed, real_hash = [], outcome.weights_sha256
    monkeypatch.setattr(
        outcome, "weights_sha256", lambda folder: hashed.append(folder) or real_hash(folder)
    )
    monkeypatch.setattr(data, "read_frames", read)
    monkeypatch.setattr(Encoder, "_encode", encode)
    method = lively(complete(find_method("video_r1")))
    folder = run(method, Options(overrides=SIZES, out=tmp_path / "one"))
    lines = (folder / "log.jsonl").read_text().splitlines()
    assert {json.loads(line)["stage"] for line in lines} == {"sft", "rl"}
    assert len(decoded) == 8 + 3 + 4 and set(decoded.values()) == {1}
    assert set(encoded.values()) == {1}
    assert any(order for _, order in encoded)  # shuffled frames are of the same decoded clip
    assert len(hashed) == len(set(hashed)) == 3  # the weights of a checkpoint, once as well
    # Another run finds the decoded clips on disk.
    decoded.clear()
    again = {**SIZES, "seed": 0, "stages.sft.max_steps": 1, "stages.rl.max_steps": 1}
    run(method, Options(overrides=again, out=tmp_path / "two"))
    assert not decoded


@pytest.mark.train
def test_training_stops_at_a_prompt_that_is_too_long(qwen, tmp_path):
    preset = settings_of(
        find_method("video_r1"), Options(overrides={"stages.rl.max_prompt_length": 20})
    )
    with pytest.raises(stages.StageError, match="max_prompt_length allows 20") as error:
        stages.train(
            Stage("rl", "grpo"), preset, complete(find_method("video_r1")), qwen.samples, [],
            qwen.checkpoint, tmp_path / "rl", read=qwen.read, log=tmp_path / "log.jsonl",
            rollouts=tmp_path / "rollouts.jsonl",
        )  # fmt: skip
    assert "frames.max_frames" in str(error.value) and qwen.samples[0].id[:6] in str(error.value)


# --- in a thread beside the model ------------------------------------------------------------


@pytest.fixture
def free_core(monkeypatch):
    monkeypatch.setattr(processes, "free_cores", lambda: 1)


def reading(engine, threads=None):
    """The engine's reader with a memory; notes who read."""

    def read(path):
        if threads is not None:
            threads.append(threading.current_thread() is threading.main_thread())
        return engine.read(path)

    read.memory = Memory(2**28)
    return read


def encoder_of(engine, model, read, **kwargs):
    processor = load_processor(engine.checkpoint)
    return Encoder(processor, model, read, think_then_answer, prefetch=True, **kwargs)


def same(one, other):
    assert torch.equal(one.ids, other.ids) and torch.equal(one.positions, other.positions)
    assert one.video.keys() == other.video.keys()
    assert all(torch.equal(one.video[k], other.video[k]) for k in one.video)


def test_prompts_are_encoded_ahead_and_only_once(engine, free_core):
    model, threads = engine.model(), []
    encoder = encoder_of(engine, model, reading(engine, threads))
    engine.reads.clear()
    encoder.ahead(engine.samples)
    encoder.ahead(engine.samples)  # as when a batch is fetched again
    while not any(f.running() or f.done() for f in encoder._pending.values()):
        time.sleep(0.001)
    plain = engine.encoder(model)
    prompts = [encoder(s) for s in engine.samples]
    assert sorted(engine.reads) == sorted(s.video for s in engine.samples)
    assert not all(threads)  # the other thread has read some
    for prompt, sample in zip(prompts, engine.samples, strict=True):
        same(prompt, plain(sample))
        assert encoder(sample) is prompt
    assert not encoder._pending


def test_an_error_in_the_thread_comes_when_the_prompt_is_asked_for(qwen, free_core):
    encoder = encoder_of(qwen, qwen.model(), reading(qwen))
    missing = replace(qwen.samples[0], video="/nowhere.mp4")
    encoder.ahead([missing, qwen.samples[1]])
    with pytest.raises(Exception, match=r"nowhere\.mp4"):
        encoder(missing)
    assert encoder(qwen.samples[1]).video


def test_without_a_free_core_nothing_is_done_ahead(qwen, monkeypatch):
    monkeypatch.setattr(processes, "free_cores", lambda: 0)
    encoder = encoder_of(qwen, qwen.model(), reading(qwen))
    encoder.ahead(qwen.samples)
    assert encoder._thread is None
    monkeypatch.undo()
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "100000")
    assert processes.free_cores() < 0


@pytest.mark.train
@pytest.mark.parametrize("ahead", [True, False])
def test_training_is_the_same_ahead_or_not(qwen, tmp_path, monkeypatch, ahead):
    monkeypatch.setattr(processes, "free_cores", lambda: int(ahead))
    model = qwen.model()
    encoder = encoder_of(qwen, model, reading(qwen))
    trainer = grpo_trainer(qwen, tmp_path, model=model, encoder=encoder, max_steps=4)
    trainer.train()
    assert (encoder._thread is not None) == ahead
    losses = [r["loss"] for r in trainer.state.log_history if "loss" in r]
    known = test_training_is_the_same_ahead_or_not.__dict__.setdefault("losses", losses)
    assert losses == known and len(losses) == 4


# --- the memory -------------------------------------------------------------------------------


def test_the_memory_is_bounded_and_forgets_what_was_not_used_for_longest():
    def tensor():
        return {"x": torch.zeros(10, dtype=torch.uint8)}

    memory = Memory(40)
    first, second = tensor(), tensor()
    assert memory.hold(["a"], [first]) == (first,)
    memory.keep("one", 1, 5, ["a"])
    assert memory.hold(["a"], [second])[0] is first  # shared, and counted once
    memory.keep("two", 2, 5, ["a"])
    memory.keep("clip", 3, 20)
    assert all(k in memory for k in ("one", "two", "clip")) and memory._left == 0
    assert memory.get("one") == 1  # used now, so "two" is the oldest
    memory.keep("more", 4, 1)
    assert "two" not in memory and "one" in memory and memory.view("a") is first
    memory.keep("large", 5, 39)
    assert "one" not in memory and memory.view("a") is None
    memory.keep("too large", 6, 41)
    assert memory._left == 40 and memory.get("too large") is None


def test_the_size_of_the_memory_can_be_set(monkeypatch):
    monkeypatch.setenv("VIDPOST_MEMORY_GIB", "0.5")
    assert Memory()._left == 2**29


# --- a frozen tower ---------------------------------------------------------------------------


def frozen_model(engine, lora=False):
    adapters = {"rank": 4, "target_modules": ["q_proj", "v_proj"]} if lora else None
    settings = ModelSettings(
        id="tiny", family=engine.family, dtype="float32", freeze_vision=True, lora=adapters
    )
    return load_model(engine.checkpoint, settings, train=True)


def count_passes(monkeypatch, tower):
    """Patches that go through the tower's first layer, a list of lengths."""
    passes = []
    monkeypatch.setattr(
        tower.patch_embed, "forward",
        lambda x, real=tower.patch_embed.forward: passes.append(len(x)) or real(x),
    )  # fmt: skip
    return passes


@pytest.mark.parametrize(("lora", "shared_prefix"), [(True, True), (False, False)])
@pytest.mark.train
def test_losses_are_the_same_with_features(engine, tmp_path, monkeypatch, lora, shared_prefix):
    losses, moved = {}, {}
    for kept in (False, True):
        torch.manual_seed(0)
        model = frozen_model(engine, lora)
        base = base_of(model)
        read = reading(engine)
        encoder = encoder_of(engine, model, read, tower=Tower(base) if kept else None)
        passes = count_passes(monkeypatch, base.visual)
        trainer = grpo_trainer(
            engine, tmp_path, model=model, encoder=encoder, samples=engine.samples[:4],
            shared_prefix=shared_prefix, max_steps=4, beta=0.1,
        )  # fmt: skip
        before = {k: p.detach().clone() for k, p in model.named_parameters() if p.requires_grad}
        trainer.train()
        losses[kept] = [
            (r["loss"], r["grad_norm"]) for r in trainer.state.log_history if "loss" in r
        ]
        moved[kept] = sum(
            not torch.equal(before[k], p) for k, p in model.named_parameters() if k in before
        )
        if kept:  # two epochs of rollouts, updates and reference: each video once
            assert len(passes) == 4
        else:
            assert len(passes) >= 8
    assert moved[True] == moved[False] > 0
    assert losses[True] == [pytest.approx(x, rel=1e-4, abs=1e-6) for x in losses[False]]


def test_features_are_the_towers_own(engine):
    model = frozen_model(engine)
    base = base_of(model)
    encoder = encoder_of(engine, model, reading(engine), tower=Tower(base))
    plain = engine.encoder(model)
    for sample in engine.samples[:2]:
        kept, pixels = encoder(sample), plain(sample)
        assert torch.equal(kept.ids, pixels.ids)
        a, b = (
            model(input_ids=p.ids[None], position_ids=p.positions[:, None], **p.video).logits
            for p in (kept, pixels)
        )
        assert torch.allclose(a, b, atol=1e-6)
        assert kept.video["pixel_values_videos"].nbytes < pixels.video["pixel_values_videos"].nbytes


def test_unfreezing_drops_the_features(qwen):
    model = frozen_model(qwen)
    base = base_of(model)
    encoder = encoder_of(qwen, model, reading(qwen), tower=Tower(base))
    sample = qwen.samples[0]
    stale = encoder(sample)
    assert encoder(sample) is stale
    base.visual.requires_grad_(True)
    fresh = encoder(sample)
    same(fresh, qwen.encoder(model)(sample))  # pixels again
    call = {"input_ids": stale.ids[None], "position_ids": stale.positions[:, None]}
    with pytest.raises(RuntimeError, match="Encode the prompts again"):
        model(**call, **stale.video)
    model(**call, **fresh.video).logits.sum().backward()
    assert base.visual.patch_embed.proj.weight.grad.abs().sum() > 0


def test_other_weights_have_other_features(qwen):
    model = frozen_model(qwen)
    base = base_of(model)
    memory = reading(qwen)
    encoder = encoder_of(qwen, model, memory, tower=Tower(base))
    sample = qwen.samples[0]
    first = encoder(sample)
    # Another encoder with the same weights finds them, as the next stage and the evaluation do.
    twin = frozen_model(qwen)
    assert encoder_of(qwen, twin, memory, tower=Tower(base_of(twin)))(sample) is first
    with torch.no_grad():
        base.visual.merger.mlp[0].weight.mul_(1.5)
    second = encoder(sample)
    pixels = "pixel_values_videos"
    assert not torch.allclose(first.video[pixels], second.video[pixels])
    with torch.no_grad():
        base.visual.merger.mlp[0].weight.div_(1.5)
    assert torch.allclose(encoder(sample).video[pixels], first.video[pixels], atol=1e-5)


def test_adapters_stay_out_of_a_frozen_tower(qwen):
    settings = ModelSettings(
        id="tiny", family="qwen2_5_vl", dtype="float32", freeze_vision=True, lora={"rank": 4}
    )
    model = load_model(qwen.checkpoint, settings, train=True)
    trained = [k for k, p in model.named_parameters() if p.requires_grad]
    assert trained and not any("visual" in k for k in trained)
    assert Tower(base_of(model)).frozen()
    free = settings.model_copy(update={"freeze_vision": False})
    assert Tower(base_of(load_model(qwen.checkpoint, free, train=True))).frozen() is None
