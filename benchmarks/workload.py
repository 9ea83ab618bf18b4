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
