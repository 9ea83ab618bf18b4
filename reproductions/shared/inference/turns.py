"""A request as turns of text and frames: what engines are given that have a processor of their own.

The frames are those that an `Encoder` shows to transformers, read by the run's one FrameSpec.
Imports neither torch nor transformers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any, Literal

from reproductions.shared.inference.engine import Request, Sampling
from reproductions.shared.method import Sample
from reproductions.shared.models.encode import Encoder
from reproductions.shared.video.decode import Clip


@dataclass(frozen=True, eq=False)
class Turn:
    """One message with its frames decoded.

    Attributes:
        role: Who speaks.
        text: What is said.
        clip: Frames that stand before the text, None for a text alone.
        kind: Whether the clip is a video or a picture (of one frame).
    """

    role: Literal["system", "user", "assistant"]
    text: str
    clip: Clip | None = None
    kind: Literal["image", "video"] = "video"


def reading(
    read: Callable[..., Any],
    prompt: Callable[[Sample], str],
    processor: Any = None,
    choose: Callable[[Sample], Sequence[float] | None] | None = None,
) -> Encoder:
    """An encoder for engines that hold the model elsewhere: it reads frames and words prompts.

    Args:
        read: As of `Encoder`.
        prompt: (sample) -> user text after the video.
        processor: The model's processor where the engine takes text with the chat template applied
            (vLLM in this process); None where it takes messages (a server).
        choose: As of `Encoder`.
    """
    without_model = SimpleNamespace(get_rope_index=None)
    processor = processor or SimpleNamespace(tokenizer=None)
    return Encoder(processor, without_model, read, prompt, choose=choose)


def turns_of(encoder: Encoder, request: Request) -> list[Turn]:
    """The conversation of a request, its frames decoded.

    Raises:
        ValueError: A message shows something of a sample that has nothing to see, or a moment lies
            outside the video.
    """
    sample = request.sample
    turns = []
    for message in request.messages or encoder.conversation(sample):
        clip, kind = None, "video"
        shown = message.shows
        path = None if shown is None else shown.video or sample.video
        if shown is not None and path is not None:
            clip = encoder._clip(str(path), replace(shown, video=None))
            if request.order is not None:
                slots = tuple(clip.times[i] for i in sorted(request.order))
                clip = replace(clip, frames=clip.frames[list(request.order)], times=slots)
        elif shown is not None and "image" in sample.meta:
            clip, kind = encoder.read(str(sample.meta["image"])), "image"
        elif shown is not None:
            raise ValueError(f"{sample.id}: a message shows a video, but the sample has none.")
        turns.append(Turn(message.role, message.text, clip, kind))  # type: ignore[arg-type]
    return turns


def frames_in(turns: Sequence[Turn]) -> int:
    """Frames of videos that the turns show (a picture is none, as in `Prompt.times`)."""
    return sum(len(t.clip.times) for t in turns if t.clip is not None and t.kind == "video")


def seed_of(request: Request, sampling: Sampling) -> int:
    """Seed of a request's random stream, below 2^62: the same whatever else is in the batch."""
    name = f"{sampling.seed}/{request.sample.id}/{request.order}/{request.stream}"
    if request.messages or request.prefix:
        name += f"/{request.messages}/{request.prefix}"
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big") >> 2
