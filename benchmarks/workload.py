"""The work that is measured: a small model in the proportions of a real one, and clips of noise.

Noise costs what any video costs. Tokens a clip: frames / 2 x (side / 28)^2, because Qwen2.5-VL
takes two frames and 28 x 28 pixels as one token.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from reproductions.shared.method import Sample
from reproductions.shared.models.encode import Encoder
from reproductions.shared.models.sizes import Architecture, Text, Vision
from reproductions.shared.models.tiny import TinyConfig, build
from reproductions.shared.video.decode import Clip
from reproductions.shared.video.spec import VideoInfo

MODEL = TinyConfig(
    hidden_size=256,
    layers=4,
    heads=4,
    intermediate_size=1024,
    vision_hidden_size=128,
    vision_layers=3,
    vision_heads=2,
    initializer_range=0.02,
    max_positions=32_768,
)
"""A language model of 4.2 M and a vision tower of 1.0 M parameters, embeddings not counted.

Qwen2.5-VL-3B has 2.8 B and 0.67 B: about the same share for the tower, which the ratios depend on.
"""
SIZES = Architecture(
    Text(256, 4, 4, 4, 64, 1024, 321, tied=False),
    Vision(128, 3, 256, 256, window=64, full=1, gated=True, norm=1),
)
"""The same model as `models.sizes` counts it."""
FPS = 2.0
INSTRUCTION = "What happens in the video? Think first."
TEXTS = ["system\nYou are a helpful assistant.", f"user\n{INSTRUCTION}", "assistant\n"]


def prepare(folder: Path) -> Path:
    """Write the model and its processor into `folder`, once; returns the checkpoint."""
    import transformers

    transformers.utils.logging.disable_progress_bar()
    transformers.logging.set_verbosity_error()
    return build(folder, MODEL, TEXTS)


def load(checkpoint: Path, fused: bool = False) -> Any:
    """The model in float32, ready to be trained; `fused` adds the head that the trainer adds."""
    import torch

    from reproductions.shared.models.load import load_model
    from vidpost.catalog.preset import ModelSettings

    torch.set_num_threads(1)
    settings = ModelSettings(id="tiny", family=MODEL.family, dtype="float32")
    model = load_model(checkpoint, settings, train=True)
    if fused:
        from trl.trainer.utils import add_fused_lm_head

        add_fused_lm_head(model, outputs=("log_probs", "entropy"))
    return model


def of_sizes(checkpoint: Path, sizes: Architecture, device: str) -> Any:
    """A Qwen2.5-VL of these sizes with random weights in bfloat16, ready to be trained.

    Args:
        checkpoint: A small one (`prepare`), for the ids of its tokenizer.
        sizes: What it gets instead of the small sizes.
        device: Where it is built.
    """
    import torch
    from transformers import AutoConfig, AutoModelForImageTextToText
    from trl.trainer.utils import add_fused_lm_head

    text, vision = sizes.text, sizes.vision
    space = 3 * text.head_dim // 16  # of M-RoPE's parts, 16 : 24 : 24 of 64
    config = AutoConfig.from_pretrained(checkpoint)
    config.tie_word_embeddings = text.tied
    config.text_config.update(
        {
            "hidden_size": text.hidden,
            "num_hidden_layers": text.layers,
            "layer_types": ["full_attention"] * text.layers,
            "num_attention_heads": text.heads,
            "num_key_value_heads": text.kv_heads,
            "intermediate_size": text.intermediate,
            "vocab_size": text.vocab,
            "tie_word_embeddings": text.tied,
            "rope_parameters": config.text_config.rope_parameters
            | {"mrope_section": [text.head_dim // 2 - 2 * space, space, space]},
        }
    )
    every = vision.depth // vision.full
    config.vision_config.update(
        {
            "hidden_size": vision.hidden,
            "depth": vision.depth,
            "intermediate_size": vision.intermediate,
            "num_heads": vision.hidden // 80 if vision.hidden % 80 == 0 else 2,
            "out_hidden_size": vision.out,
            "fullatt_block_indexes": list(range(every - 1, vision.depth, every)),
        }
    )
    with torch.device(device):
        model = AutoModelForImageTextToText.from_config(
            config, dtype=torch.bfloat16, attn_implementation="sdpa"
        )
    model.gradient_checkpointing_enable({"use_reentrant": False})
    add_fused_lm_head(model, outputs=("log_probs", "entropy"))
    return model.train()


def clip(frames: int, side: int) -> Clip:
    """`frames` frames of noise, uint8 [frames, side, side, 3], sampled at 2 fps."""
    pixels = np.random.default_rng(0).integers(0, 256, (frames, side, side, 3), dtype=np.uint8)
    info = VideoInfo(frames, FPS, frames / FPS, side, side)
    times = tuple(i / FPS for i in range(frames))
    return Clip(pixels, tuple(range(frames)), times, FPS, info, frames)


def encoder(checkpoint: Path, model: Any) -> Encoder:
    """An encoder whose videos are named by their size, for example "16x224"."""
    from reproductions.shared.models.load import load_processor

    def read(name: str) -> Clip:
        frames, side = name.split("x")
        return clip(int(frames), int(side))

    return Encoder(load_processor(checkpoint), model, read, lambda sample: sample.question)


def question(video: str | None, name: str = "0", text: str = INSTRUCTION) -> Sample:
    """A question about a clip of this size, or about text alone."""
    return Sample(name, text, "A", video=video)
