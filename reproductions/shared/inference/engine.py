"""What every engine that writes answers offers: one method, with token ids and log-probabilities.

Rollouts, evaluation and test-time scaling are written against `Generator` alone.
Standard library only.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from reproductions.shared.method import Sample


@dataclass(frozen=True)
class Sampling:
    """How answers are sampled.

    Attributes:
        temperature: 0 is greedy.
        top_p: Nucleus: the smallest set of tokens whose probabilities reach this sum.
        top_k: Only the k likeliest tokens; 0: all.
        max_new_tokens: Tokens an answer, the end-of-sequence token included.
        stop: An answer ends before the first of these texts; they are not part of it.
        choices: The answer is one of these texts, whole; (): anything.
        seed: Answers are a function of (model, request, sampling), whatever else is in the batch.
    """

    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    max_new_tokens: int = 1024
    seed: int = 0
    stop: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.temperature < 0 or not 0 < self.top_p <= 1 or self.top_k < 0:
            raise ValueError(f"{self}: temperature >= 0, 0 < top_p <= 1 and top_k >= 0 are needed.")
        if self.max_new_tokens < 1:
            raise ValueError(f"{self}: max_new_tokens must be at least 1.")


@dataclass(frozen=True)
class Shown:
    """Which part of the sample's video a message shows. Unset fields: as the run's FrameSpec.

    Attributes:
        frames: How many frames, uniform over `span`.
        span: From and to, in seconds.
        times: These moments and no others, in seconds, ascending; excludes `frames` and `span`.
        box: The part of the picture, as fractions (left, top, right, bottom) of width and height.
        scale: Factor of the pixel budget a frame.
        video: Another video than the sample's, for examples in context.
    """

    frames: int | None = None
    span: tuple[float, float] | None = None
    times: tuple[float, ...] | None = None
    box: tuple[float, float, float, float] | None = None
    scale: float = 1.0
    video: str | None = None

    def __post_init__(self) -> None:
        if self.times is not None and (self.frames is not None or self.span is not None):
            raise ValueError(f"{self}: times excludes frames and span.")
        if self.times is not None and (not self.times or list(self.times) != sorted(self.times)):
            raise ValueError(f"{self}: times must be ascending, at least one.")
        if self.frames is not None and self.frames < 1:
            raise ValueError(f"{self}: frames must be at least 1.")
        if self.span is not None and not 0 <= self.span[0] < self.span[1]:
            raise ValueError(f"{self}: span must be (from, to) in seconds with 0 <= from < to.")
        if self.box is not None and not (
            0 <= self.box[0] < self.box[2] <= 1 and 0 <= self.box[1] < self.box[3] <= 1
        ):
            raise ValueError(f"{self}: box must be fractions with left < right and top < bottom.")
        if not 0 < self.scale <= 64:
            raise ValueError(f"{self}: scale must be above 0 and at most 64.")


@dataclass(frozen=True)
class Message:
    """One turn of a conversation.

    Attributes:
        role: Who speaks.
        text: What is said.
        shows: What of the video stands before the text; None: nothing.
    """

    role: Literal["system", "user", "assistant"]
    text: str
    shows: Shown | None = None


@dataclass(frozen=True)
class Request:
    """One prompt and how many answers to it; the prompt is encoded and prefilled once.

    Attributes:
        sample: The question; its video is read by the run's FrameSpec.
        n: Answers.
        order: Another order (or a subset) of the sampled frames.
        stream: Tells requests with equal samples apart, so that they draw different answers.
        messages: The conversation so far, in place of the run's prompt for the sample; (): that
            prompt with the whole video.
        prefix: The beginning of the answer, already written; answers continue it and do not
            repeat it.
    """

    sample: Sample
    n: int = 1
    order: tuple[int, ...] | None = None
    stream: int = 0
    messages: tuple[Message, ...] = ()
    prefix: str = ""


@dataclass(frozen=True)
class Completion:
    """One answer.

    Attributes:
        text: Decoded, special tokens removed.
        ids: Token ids, the end-of-sequence token included if it was reached.
        logprobs: Log-probability of each token under the sampled distribution's temperature
            (before top-p and top-k), nats.
        finished: Whether the answer ended by itself within `max_new_tokens`: end of sequence, a
            stop text, or a whole choice.
        prompt_tokens: Length of the prompt, video tokens included.
        frames: Frames seen.
    """

    text: str
    ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    finished: bool
    prompt_tokens: int = 0
    frames: int = 0


@dataclass(frozen=True)
class Prediction:
    """What a `decode` hook returns.

    Attributes:
        text: The answer that is scored.
        evidence: Spans of the video that it rests on, (from, to) in seconds.
        trace: What happened, a record a step, for people to look at; JSON values.
    """

    text: str
    evidence: tuple[tuple[float, float], ...] = ()
    trace: tuple[Mapping[str, Any], ...] = ()


class Generator(Protocol):
    """An engine that answers requests."""

    def generate(self, requests: Sequence[Request], sampling: Sampling) -> list[list[Completion]]:
        """Answers to each request, in order: `len(result[i]) == requests[i].n`."""
        ...


class Streaming(ABC):
    """A `Generator` that hands out answers as they are finished."""

    @abstractmethod
    def each(
        self, requests: Sequence[Request], sampling: Sampling
    ) -> Iterator[tuple[int, list[Completion]]]:
        """(number of the request, its answers), in the order in which they finish."""

    def generate(self, requests: Sequence[Request], sampling: Sampling) -> list[list[Completion]]:
        """See `Generator.generate`; a request that is not in the stream gets []."""
        found = dict(self.each(requests, sampling))
        return [found.get(number, []) for number in range(len(requests))]
