"""Sizes of the Qwen vision-language models: parameters, tokens of a clip, FLOPs of a forward pass.

Everything follows from config.json; no torch. A test compares parameters with the real classes and
with the published counts, and FLOPs with those that torch counts on the small model.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from vidpost.catalog.preset import Frames, ModelSettings


class PlanError(ValueError):
    """A plan cannot be made; the message says why and what to do."""


@dataclass(frozen=True)
class Text:
    """Sizes of a language model, named as in config.json."""

    hidden: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    intermediate: int
    vocab: int
    tied: bool  # the head shares the embedding's weights
    qwen3: bool = False  # norms on queries and keys instead of biases

    @property
    def layer_products(self) -> int:
        """Weights of one layer that enter a matrix product."""
        queries, keys = self.heads * self.head_dim, self.kv_heads * self.head_dim
        return self.hidden * (2 * queries + 2 * keys + 3 * self.intermediate)

    @property
    def parameters(self) -> int:
        """All parameters."""
        biases = (self.heads + 2 * self.kv_heads) * self.head_dim
        extra = 2 * self.head_dim if self.qwen3 else biases
        layers = self.layers * (self.layer_products + extra + 2 * self.hidden)
        return layers + self.hidden + self.vocab * self.hidden * (1 if self.tied else 2)

    @property
    def cache_width(self) -> int:
        """Numbers that one token keeps in the key-value cache."""
        return 2 * self.layers * self.kv_heads * self.head_dim


@dataclass(frozen=True)
class Vision:
    """Sizes of a vision tower, named as in config.json."""

    hidden: int
    depth: int
    intermediate: int
    out: int
    patch: int = 14
    window: int = 0  # patches a window of attention; 0: none
    full: int = 0  # layers with full attention, if there are windows
    gated: bool = False  # MLP with a gate
    norm: int = 2  # parameters a channel: 2 LayerNorm, 1 RMSNorm
    positions: int = 0  # learned position embeddings
    deepstack: int = 0  # inner layers whose features go to the language model
    merge: int = 2  # patches a side that become one token
    temporal: int = 2  # frames a patch

    @property
    def patch_numbers(self) -> int:
        """Numbers in one patch."""
        return 3 * self.temporal * self.patch**2

    @property
    def block_products(self) -> int:
        """Weights of one block that enter a matrix product."""
        return self.hidden * (4 * self.hidden + (3 if self.gated else 2) * self.intermediate)

    @property
    def merger_products(self) -> int:
        """Weights of one merger that enter a matrix product."""
        wide = self.merge**2 * self.hidden
        return wide * (wide + self.out)

    @property
    def parameters(self) -> int:
        """All parameters."""
        wide = self.merge**2 * self.hidden
        mlp = (2 if self.gated else 1) * self.intermediate + self.hidden
        block = self.block_products + 4 * self.hidden + mlp + 2 * self.norm * self.hidden
        merger = self.merger_products + wide + self.out
        patch = self.hidden * (self.patch_numbers + (1 if self.positions else 0))
        norms = self.norm * self.hidden + self.deepstack * self.norm * wide
        tower = patch + self.positions * self.hidden + self.depth * block
        return tower + (1 + self.deepstack) * merger + norms


@dataclass(frozen=True)
class Architecture:
    """A vision-language model of the Qwen families."""

    text: Text
    vision: Vision

    @property
    def parameters(self) -> int:
        """All parameters."""
        return self.text.parameters + self.vision.parameters


def _qwen2_vision(out: int) -> Vision:
    return Vision(1280, 32, 5120, out)


def _qwen25_vision(out: int, intermediate: int = 3420) -> Vision:
    return Vision(1280, 32, intermediate, out, window=64, full=4, gated=True, norm=1)


def _qwen3_vision(out: int, large: bool = False) -> Vision:
    hidden, depth, intermediate = (1152, 27, 4304) if large else (1024, 24, 4096)
    return Vision(hidden, depth, intermediate, out, patch=16, positions=2304, deepstack=3)


SIZES: dict[tuple[str, str], Architecture] = {
    ("qwen2_vl", "2B"): Architecture(
        Text(1536, 28, 12, 2, 128, 8960, 151936, True), _qwen2_vision(1536)
    ),
    ("qwen2_vl", "7B"): Architecture(
        Text(3584, 28, 28, 4, 128, 18944, 152064, False), _qwen2_vision(3584)
    ),
    ("qwen2_vl", "72B"): Architecture(
        Text(8192, 80, 64, 8, 128, 29568, 152064, False), _qwen2_vision(8192)
    ),
    ("qwen2_5_vl", "3B"): Architecture(
        Text(2048, 36, 16, 2, 128, 11008, 151936, True), _qwen25_vision(2048)
    ),
    ("qwen2_5_vl", "7B"): Architecture(
        Text(3584, 28, 28, 4, 128, 18944, 152064, False), _qwen25_vision(3584)
    ),
    ("qwen2_5_vl", "32B"): Architecture(
        Text(5120, 64, 40, 8, 128, 27648, 152064, False), _qwen25_vision(5120, 3456)
    ),
    ("qwen3_vl", "2B"): Architecture(
        Text(2048, 28, 16, 8, 128, 6144, 151936, True, True), _qwen3_vision(2048)
    ),
    ("qwen3_vl", "4B"): Architecture(
        Text(2560, 36, 32, 8, 128, 9728, 151936, True, True), _qwen3_vision(2560)
    ),
    ("qwen3_vl", "8B"): Architecture(
        Text(4096, 36, 32, 8, 128, 12288, 151936, False, True), _qwen3_vision(4096, large=True)
    ),
}
"""(family, size) -> sizes, from config.json of Qwen/Qwen{2,2.5,3}-VL-<size>-Instruct."""


def architecture_of(model: ModelSettings) -> Architecture:
    """The sizes of a preset's model.

    Raises:
        PlanError: The model's sizes are not known.
    """
    if model.tiny is not None:
        t = model.tiny
        qwen3 = model.family == "qwen3_vl"
        head = t.hidden_size // t.heads
        # What the three families share is spelled out in models/tiny.py.
        text = Text(
            t.hidden_size, t.layers, t.heads, t.heads, head, t.intermediate_size, t.vocab_size,
            tied=False, qwen3=qwen3,
        )  # fmt: skip
        width, depth, out = t.vision_hidden_size, t.vision_layers, t.hidden_size
        if qwen3:
            return Architecture(
                text, Vision(width, depth, 2 * width, out, patch=16, positions=64, deepstack=1)
            )
        return Architecture(
            text, Vision(width, depth, 2 * width, out, window=64, full=1, gated=True, norm=1)
        )
    found = re.search(r"(?<![\d.])(\d+)b(?![a-z])", model.id.lower())
    key = (model.family, f"{found[1]}B" if found else "")
    if key not in SIZES:
        known = ", ".join(f"{family} {size}" for family, size in SIZES)
        raise PlanError(
            f"model.id: the sizes of '{model.id}' ({model.family}) are not known; known are "
            f"{known}. Add them to SIZES in reproductions/shared/models/sizes.py."
        )
    return SIZES[key]


@dataclass(frozen=True)
class Clip:
    """The largest clip that a frame rule allows.

    Attributes:
        steps: Temporal patches.
        patches: Patches a temporal patch.
        tokens: Video tokens of the whole clip.
    """

    steps: int
    patches: int
    tokens: int


def clip_of(frames: Frames, vision: Vision) -> Clip:
    """The clip with the most frames and pixels that `frames` allows."""
    default = 768  # most frames and most 28 x 28 squares of qwen-vl-utils
    count = {
        "uniform": frames.num_frames or default,
        "fps": frames.max_frames or default,
        "first_middle_last": 3,
    }[frames.sampling]
    steps = math.ceil(count / vision.temporal)
    pixels = frames.max_pixels or default * 28 * 28
    if frames.total_pixels is not None:
        pixels = min(pixels, frames.total_pixels // steps)
    tokens = max(1, pixels // (vision.patch * vision.merge) ** 2)
    return Clip(steps, tokens * vision.merge**2, steps * tokens)


def vision_flops(vision: Vision, clip: Clip) -> tuple[int, int]:
    """FLOPs of one forward pass of the tower: (patch embedding, everything after it)."""
    patches = clip.steps * clip.patches
    full = vision.full if vision.window else vision.depth
    near = (vision.depth - full) * min(vision.window, clip.patches)
    attention = 4 * vision.hidden * patches * (full * clip.patches + near)
    mergers = (1 + vision.deepstack) * 2 * vision.merger_products * clip.tokens
    embedding = 2 * patches * vision.hidden * vision.patch_numbers
    return embedding, 2 * patches * vision.depth * vision.block_products + attention + mergers


def text_flops(text: Text, tokens: float, pairs: float, scored: float) -> float:
    """FLOPs of one forward pass of the language model.

    Args:
        text: Its sizes.
        tokens: Tokens that go through the layers.
        pairs: (query, key) pairs that attention computes, a layer.
        scored: Tokens that go through the head.
    """
    layers = 2 * text.layer_products * tokens + 4 * text.heads * text.head_dim * pairs
    return text.layers * layers + 2 * text.vocab * text.hidden * scored
