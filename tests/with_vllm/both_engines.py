"""One checkpoint on transformers and on vLLM."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

SMALL = {"max_length": 2048, "rows": 16}
"""Arguments of every engine: enough for the small clips."""


@dataclass
class Both:
    """One checkpoint on both engines.

    Attributes:
        small: The checkpoint and its clips.
        model: The transformers model, with the published positions.
        encoder: Shared by both engines.
        hf: The transformers engine.
        vllm: The vLLM engine.
        draws: What the process' random streams give, with and without vLLM having started.
    """

    small: Any
    model: Any
    encoder: Any
    hf: Any
    vllm: Any = None
    draws: tuple[Any, Any] = ()

    @property
    def samples(self):
        return self.small.samples


def on_transformers(small: Any) -> Both:
    """The transformers half."""
    from reproductions.shared.inference.hf import HFGenerator
    from reproductions.shared.models import rope_cure
    from reproductions.shared.models.show import reader
    from reproductions.shared.video.decode import probe, read_frames

    model = small.model()
    rope_cure.apply(model)
    encoder = small.encoder(model)
    encoder.read = reader(small.spec, read_frames, probe)
    return Both(small, model, encoder, HFGenerator(model, encoder))
