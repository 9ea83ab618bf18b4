"""What every engine that writes answers offers: one method, with token ids and log-probabilities.

Rollouts, evaluation and test-time scaling are written against `Generator` alone.
Standard library only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from reproductions.shared.method import Sample


@dataclass(frozen=True)
class Sampling:
    """How answers are sampled.

    Attributes:
        temperature: 0 is greedy.
        top_p: Nucleus: the smallest set of tokens whose probabilities reach this sum.
        top_k: Only the k likeliest tokens; 0: all.
        max_new_tokens: Tokens an answer, the end-of-sequence token included.
        seed: Answers are a function of (model, request, sampling), whatever else is in the batch.
    """

    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    max_new_tokens: int = 1024
    seed: int = 0

    def __post_init__(self) -> None:
        if self.temperature < 0 or not 0 < self.top_p <= 1 or self.top_k < 0:
            raise ValueError(f"{self}: temperature >= 0, 0 < top_p <= 1 and top_k >= 0 are needed.")
        if self.max_new_tokens < 1:
            raise ValueError(f"{self}: max_new_tokens must be at least 1.")


@dataclass(frozen=True)
class Request:
    """One prompt and how many answers to it; the prompt is encoded and prefilled once.

    Attributes:
        sample: The question; its video is read by the run's FrameSpec.
        n: Answers.
        order: Another order (or a subset) of the sampled frames.
        stream: Tells requests with equal samples apart, so that they draw different answers.
    """

    sample: Sample
    n: int = 1
    order: tuple[int, ...] | None = None
    stream: int = 0


@dataclass(frozen=True)
class Completion:
    """One answer.

    Attributes:
        text: Decoded, special tokens removed.
        ids: Token ids, the end-of-sequence token included if it was reached.
        logprobs: Log-probability of each token under the sampled distribution's temperature
            (before top-p and top-k), nats.
        finished: Whether the end of sequence was reached within `max_new_tokens`.
        prompt_tokens: Length of the prompt, video tokens included.
        frames: Frames seen.
    """

    text: str
    ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    finished: bool
    prompt_tokens: int = 0
    frames: int = 0


class Generator(Protocol):
    """An engine that answers requests."""

    def generate(self, requests: Sequence[Request], sampling: Sampling) -> list[list[Completion]]:
        """Answers to each request, in order: `len(result[i]) == requests[i].n`."""
        ...
