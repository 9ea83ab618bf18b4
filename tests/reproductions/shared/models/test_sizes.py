"""Sizes of the architectures: by hand, against the real classes, against torch's FLOP counter."""

from __future__ import annotations

import pytest

from reproductions.shared.models.sizes import (
    SIZES,
    Clip,
    PlanError,
    Text,
    Vision,
    architecture_of,
    clip_of,
    text_flops,
    vision_flops,
)
from vidpost.catalog.preset import Frames, ModelSettings, Tiny

PUBLISHED = {
    ("qwen2_vl", "2B"): 2_208_985_600,
    ("qwen2_vl", "7B"): 8_291_375_616,
    ("qwen2_vl", "72B"): 73_405_560_320,
    ("qwen2_5_vl", "3B"): 3_754_622_976,
    ("qwen2_5_vl", "7B"): 8_292_166_656,
    ("qwen2_5_vl", "32B"): 33_452_718_336,
    ("qwen3_vl", "2B"): 2_127_532_032,
    ("qwen3_vl", "4B"): 4_437_815_808,
    ("qwen3_vl", "8B"): 8_767_123_696,
}
"""Numbers of parameters that the hub shows for the -Instruct checkpoints."""

SMALL = Text(
    hidden=8, layers=2, heads=2, kv_heads=1, head_dim=4, intermediate=16, vocab=10, tied=False
)


def test_a_small_language_model_by_hand():
    # q 8x8, k and v 8x4 each, o 8x8, three MLP matrices 8x16.
    assert SMALL.layer_products == 64 + 32 + 32 + 64 + 3 * 128
    # biases 8 + 4 + 4, two norms of 8; twice; last norm 8; embedding and head 80 each.
    assert SMALL.parameters == 2 * (576 + 16 + 16) + 8 + 160
    assert SMALL.cache_width == 2 * 2 * 4
    # 3 tokens through two layers, 9 pairs, one token through the head.
    assert text_flops(SMALL, 3, 9, 1) == 2 * (2 * 576 * 3 + 4 * 8 * 9) + 2 * 10 * 8


def test_a_small_vision_tower_by_hand():
    tower = Vision(hidden=4, depth=2, intermediate=8, out=6, patch=2)
    assert tower.patch_numbers == 3 * 2 * 2 * 2
    # attention 4 x 4x4, MLP 2 x 4x8; merger 16x16 + 16x6.
    assert (tower.block_products, tower.merger_products) == (64 + 64, 256 + 96)
    # block: + biases 16 and 12, norms 16; tower: patches 4x24, norm 8, merger biases 22.
    assert tower.parameters == 96 + 2 * (128 + 16 + 12 + 16) + 8 + 352 + 22
    clip = Clip(steps=3, patches=8, tokens=6)
    patches = 24
    after = 2 * patches * 2 * 128 + 4 * 4 * patches * 2 * 8 + 2 * 352 * 6
    assert vision_flops(tower, clip) == (2 * patches * 4 * 24, after)


def test_windows_cut_attention():
    full = Vision(hidden=4, depth=2, intermediate=8, out=6, window=0)
    windows = Vision(hidden=4, depth=2, intermediate=8, out=6, window=4, full=1)
    clip = Clip(steps=1, patches=16, tokens=4)
    saved = vision_flops(full, clip)[1] - vision_flops(windows, clip)[1]
    assert saved == 4 * 4 * 16 * (16 - 4)  # one of two layers sees 4 of 16 patches


@pytest.mark.parametrize("key", SIZES, ids="-".join)
def test_parameters_are_the_published_ones(key):
    assert SIZES[key].parameters == PUBLISHED[key]


@pytest.mark.parametrize("key", SIZES, ids="-".join)
def test_parameters_are_those_of_the_real_classes(key):
    torch = pytest.importorskip("torch")
    from reproductions.shared.models import torchvision_cure

    torchvision_cure.apply()
    import transformers as tf

    sizes = SIZES[key]
    text = {
        "hidden_size": sizes.text.hidden,
        "num_hidden_layers": sizes.text.layers,
        "num_attention_heads": sizes.text.heads,
        "num_key_value_heads": sizes.text.kv_heads,
        "head_dim": sizes.text.head_dim,
        "intermediate_size": sizes.text.intermediate,
        "vocab_size": sizes.text.vocab,
        "tie_word_embeddings": sizes.text.tied,
    }
    v = sizes.vision
    vision = {"depth": v.depth, "num_heads": 16, "patch_size": v.patch}
    if key[0] == "qwen2_vl":
        vision |= {"embed_dim": v.hidden, "hidden_size": v.out, "mlp_ratio": 4}
    else:
        vision |= {"hidden_size": v.hidden, "out_hidden_size": v.out}
        vision |= {"intermediate_size": v.intermediate}
    if key[0] == "qwen3_vl":
        vision |= {"num_position_embeddings": v.positions, "deepstack_visual_indexes": [5, 11, 17]}
    name = {"qwen2_vl": "Qwen2VL", "qwen2_5_vl": "Qwen2_5_VL", "qwen3_vl": "Qwen3VL"}[key[0]]
    config = getattr(tf, f"{name}Config")(
        text_config=text, vision_config=vision, tie_word_embeddings=sizes.text.tied
    )
    with torch.device("meta"):
        model = getattr(tf, f"{name}ForConditionalGeneration")(config)
    assert sum(p.numel() for p in model.parameters()) == sizes.parameters
    assert sum(p.numel() for p in model.model.visual.parameters()) == v.parameters


@pytest.mark.parametrize("family", ["qwen2_5_vl", "qwen3_vl"])
def test_flops_of_the_small_model_are_those_that_torch_counts(family, tmp_path):
    torch = pytest.importorskip("torch")
    from torch.utils.flop_counter import FlopCounterMode

    from reproductions.shared.models import torchvision_cure

    torchvision_cure.apply()
    from transformers import AutoModelForImageTextToText, AutoTokenizer

    from reproductions.shared.models.tiny import TinyConfig, build

    torch.set_num_threads(1)
    checkpoint = build(tmp_path, TinyConfig(family=family), ["Which colour? red", "How many? 2"])
    # The counter does not know the fused attention of a CPU; "eager" is plain products.
    model = AutoModelForImageTextToText.from_pretrained(checkpoint, attn_implementation="eager")
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    tiny = Tiny(vocab_size=len(tokenizer))
    sizes = architecture_of(ModelSettings(id="tiny", family=family, dtype="float32", tiny=tiny))
    assert sizes.parameters == sum(p.numel() for p in model.parameters())

    clip = Clip(steps=4, patches=100, tokens=100)  # 10 x 10 patches: windows are cut
    names = ("<|vision_start|>", "<|video_pad|>", "<|vision_end|>")
    start, video, end = tokenizer.convert_tokens_to_ids(list(names))
    if family == "qwen3_vl":
        prompt = ([start] + [video] * 25 + [end]) * 4
    else:
        prompt = [start] + [video] * 100 + [end]
    ids = torch.tensor([prompt + [5] * 30])
    length = ids.shape[1]
    call = {
        "input_ids": ids,
        "attention_mask": torch.ones_like(ids),
        "position_ids": torch.arange(length).expand(3, 1, -1),
        "pixel_values_videos": torch.randn(400, sizes.vision.patch_numbers),
        "video_grid_thw": torch.tensor([[4, 10, 10]]),
    }
    with FlopCounterMode(display=False) as forward, torch.no_grad():
        model(**call)
    with FlopCounterMode(display=False) as both:
        model(**call).logits.sum().backward()
    embedding, tower = vision_flops(sizes.vision, clip)
    language = text_flops(sizes.text, length, length**2, length)
    assert embedding + tower + language == pytest.approx(forward.get_total_flops(), rel=0.05)
    predicted = 2 * embedding + 3 * (tower + language)  # pixels need no gradient
    assert predicted == pytest.approx(both.get_total_flops(), rel=0.05)


def test_video_r1_clip_by_hand():
    sizes = SIZES["qwen2_5_vl", "7B"].vision
    frames = Frames(sampling="fps", fps=2.0, max_frames=16, max_pixels=128 * 28 * 28)
    # 16 frames are 8 temporal patches of 128 tokens, each of 2 x 2 patches.
    assert clip_of(frames, sizes) == Clip(steps=8, patches=512, tokens=1024)
    total = Frames(
        sampling="uniform", num_frames=16, max_pixels=128 * 784, total_pixels=8 * 64 * 784
    )
    assert clip_of(total, sizes) == Clip(steps=8, patches=256, tokens=512)
    three = Frames(sampling="first_middle_last", max_pixels=4 * 784)
    assert clip_of(three, sizes) == Clip(steps=2, patches=16, tokens=8)
    # Qwen3-VL's tokens are 32 x 32 pixels: 100,352 / 1,024 = 98.
    assert clip_of(frames, SIZES["qwen3_vl", "8B"].vision).tokens == 8 * 98


@pytest.mark.parametrize(
    ("name", "family", "size"),
    [
        ("Qwen/Qwen2.5-VL-7B-Instruct", "qwen2_5_vl", "7B"),
        ("Video-R1/Qwen2.5-VL-7B-COT-SFT", "qwen2_5_vl", "7B"),
        ("Qwen/Qwen3-VL-8B-Thinking", "qwen3_vl", "8B"),
        ("Qwen/Qwen2-VL-72B-Instruct", "qwen2_vl", "72B"),
    ],
)
def test_the_size_is_read_from_the_id(name, family, size):
    found = architecture_of(ModelSettings(id=name, family=family, dtype="bfloat16"))
    assert found is SIZES[family, size]


@pytest.mark.parametrize("name", ["Qwen/Qwen2.5-VL-11B", "runs/mine/final"])
def test_an_unknown_size_is_refused(name):
    with pytest.raises(PlanError, match=r"model\.id: the sizes of .* qwen2_5_vl 7B.*Add them"):
        architecture_of(ModelSettings(id=name, family="qwen2_5_vl", dtype="bfloat16"))
