"""Small models: real classes and files, equal for equal arguments, loaded like any checkpoint."""

from __future__ import annotations

import pytest
from engine_fixtures import text_only

torch = pytest.importorskip("torch")

from reproductions.shared.models import torchvision_cure  # noqa: E402
from reproductions.shared.models.load import load_model, load_processor  # noqa: E402
from reproductions.shared.models.tiny import TinyConfig, build, train_tokenizer  # noqa: E402
from vidpost.catalog.preset import Lora, ModelSettings  # noqa: E402

TEXTS = ["What is red? <think>It is left.</think><answer>A</answer>", "12 34 seconds"]


def settings(**extra):
    return ModelSettings(id="tiny", family="qwen2_5_vl", dtype="float32", **extra)


def test_a_build_is_whole_once_and_reproducible(tmp_path):
    config = TinyConfig(hidden_size=32, layers=1, vision_layers=1, vision_hidden_size=32)
    before = torch.get_rng_state()
    first = build(tmp_path / "a", config, TEXTS)
    assert torch.equal(torch.get_rng_state(), before)  # building draws nothing from the run
    stamp = (first / "model.safetensors").stat().st_mtime_ns
    assert build(tmp_path / "a", config, TEXTS[::-1]) == first
    assert (first / "model.safetensors").stat().st_mtime_ns == stamp
    second = build(tmp_path / "b", config, TEXTS)
    assert second.name == first.name
    assert (second / "model.safetensors").read_bytes() == (first / "model.safetensors").read_bytes()
    assert (second / "tokenizer.json").read_bytes() == (first / "tokenizer.json").read_bytes()
    other = build(tmp_path / "a", TinyConfig(**{**vars(config), "seed": 1}), TEXTS)
    assert other != first and [p.name for p in (tmp_path / "a").glob(".*")] == []


@pytest.mark.parametrize("text", ["What is red?", "ünïcode 你好 \n\t 1234", "<answer>A</answer>"])
def test_the_tokenizer_gives_texts_back(text):
    tokenizer = train_tokenizer(TEXTS, 400)
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert tokenizer.decode(ids) == text


def test_tags_are_single_tokens_and_survive_decoding():
    tokenizer = train_tokenizer(TEXTS, 400)
    ids = tokenizer("<think>1</think><answer>A</answer>", add_special_tokens=False)["input_ids"]
    assert len(ids) == 6
    assert tokenizer.decode([*ids, tokenizer.eos_token_id], skip_special_tokens=True) == (
        "<think>1</think><answer>A</answer>"
    )


def test_a_checkpoint_survives_saving_and_loading(engine, tmp_path):
    model = engine.model()
    encoder = engine.encoder(model)
    sample = engine.samples[0]
    model.save_pretrained(tmp_path)
    encoder.processor.save_pretrained(tmp_path)
    again = load_model(tmp_path, settings())
    assert type(again) is type(model)
    for (name, a), (_, b) in zip(model.named_parameters(), again.named_parameters(), strict=True):
        assert torch.equal(a, b), name
    processor = load_processor(tmp_path)
    assert processor.tokenizer.padding_side == "left"
    assert processor.tokenizer.eos_token == "<|im_end|>"
    fresh = engine.encoder(again)
    fresh.processor = processor
    for s in (sample, text_only(sample)):
        assert torch.equal(fresh(s).ids, encoder(s).ids)


def test_image_and_video_processor_normalise_alike(engine):
    """vLLM takes the image processor's values for videos and says nothing when they differ."""
    processor = load_processor(engine.checkpoint)
    image, video = processor.image_processor, processor.video_processor
    assert list(image.image_mean) == list(video.image_mean)
    assert list(image.image_std) == list(video.image_std)


def test_what_a_preset_asks_of_a_model(qwen):
    frozen = load_model(qwen.checkpoint, settings(freeze_vision=True), train=True)
    trainable = {k for k, p in frozen.named_parameters() if p.requires_grad}
    assert trainable and not any(".visual." in k for k in trainable)
    assert frozen.training
    half = load_model(qwen.checkpoint, settings().model_copy(update={"dtype": "bfloat16"}))
    assert half.dtype == torch.bfloat16 and not half.training
    lora = load_model(qwen.checkpoint, settings(lora=Lora(rank=4, alpha=8)), train=True)
    trainable = {k for k, p in lora.named_parameters() if p.requires_grad}
    assert trainable and all("lora_" in k for k in trainable)
    # Without `train` a checkpoint is loaded as it is: evaluation sees merged weights.
    plain = load_model(qwen.checkpoint, settings(lora=Lora(rank=4, alpha=8)))
    assert not any("lora_" in k for k, _ in plain.named_parameters())


def test_torchvision_works_on_a_cpu_build():
    torchvision_cure.apply()
    assert torchvision_cure.apply() == []  # a second call changes nothing
    from torchvision.transforms import v2

    image = torch.zeros(3, 8, 8, dtype=torch.uint8)
    assert v2.functional.resize(image, [4, 4]).shape == (3, 4, 4)
