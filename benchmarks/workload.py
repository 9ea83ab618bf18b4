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
    vision_layers=4,
    vision_heads=2,
    initializer_range=0.02,
    max_positions=32_768,
)
"""A language model of 4.2 M and a vision tower of 1.1 M parameters, embeddings not counted.

Qwen2.5-VL-3B has 2.8 B and 0.67 B: the same share of the tower, which matters for the ratios.
"""
FPS = 2.0
TEXTS = ["system\nYou are a helpful assistant.", "user\nWhat happens in the video? Think first."]


def prepare(folder: Path, config: TinyConfig = MODEL) -> Path:
    """Write the model and its processor into `folder`, once."""
    return build(folder, config, TEXTS)


def load(checkpoint: Path, *, train: bool = True) -> Any:
    """The model in float32."""
    from reproductions.shared.models.load import load_model
    from vidpost.catalog.preset import ModelSettings

    settings = ModelSettings(id="tiny", family=MODEL.family, dtype="float32")
    return load_model(checkpoint, settings, train=train)


def clip(frames: int, side: int, seed: int = 0) -> Clip:
    """`frames` frames of `side` x `side` pixels, uint8, sampled at 2 fps."""
    pixels = np.random.default_rng(seed).integers(0, 256, (frames, side, side, 3), dtype=np.uint8)
    times = tuple(i / FPS for i in range(frames))
    info = VideoInfo(frames, FPS, frames / FPS, side, side)
    return Clip(pixels, tuple(range(frames)), times, FPS, info, frames)


def encoder(checkpoint: Path, model: Any) -> Encoder:
    """An encoder whose videos are named "<frames>x<side>", for example "16x224"."""
    from reproductions.shared.models.load import load_processor

    def read(name: str) -> Clip:
        frames, side = (int(n) for n in name.split("x")[:2])
        return clip(frames, side)

    return Encoder(load_processor(checkpoint), model, read, lambda sample: sample.question)


def question(video: str | None, name: str = "q", text: str = TEXTS[1][5:]) -> Sample:
    """A question about a clip of noise, or about nothing."""
    return Sample(name, text, "A", video=video)
