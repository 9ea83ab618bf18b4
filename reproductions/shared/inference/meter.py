"""What answering one question cost: model calls, tokens, frames, seconds."""

from __future__ import annotations

import time
from collections.abc import Sequence
from copy import copy
from dataclasses import asdict, dataclass

from reproductions.shared.inference.engine import Completion, Generator, Message, Request, Sampling


class BudgetError(RuntimeError):
    """A strategy asked the model more often than it may."""


@dataclass
class Cost:
    """Sums over all requests of a question.

    Attributes:
        calls: Requests (one prompt each, however many answers).
        answers: Answers.
        tokens_in: Prompt tokens, visual ones included, once a request: a prompt is prefilled once.
        tokens_out: Generated tokens.
        frames: Frames put before the model, once a request.
        frames_decoded: Frames read from the video, once for each part that was shown.
        seconds: Of the engine's work; in a shared call the question's share.
    """

    calls: int = 0
    answers: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    frames: int = 0
    frames_decoded: int = 0
    seconds: float = 0.0

    def to_dict(self) -> dict[str, int | float]:
        """JSON-ready."""
        return asdict(self) | {"seconds": round(self.seconds, 4)}


class Metered:
    """A generator that counts.

    Args:
        generator: Answers the requests.
        max_calls: Requests at most; one more raises `BudgetError`, so no strategy runs for ever.

    Attributes:
        cost: What was spent so far.
    """

    def __init__(self, generator: Generator, max_calls: int = 512) -> None:
        self.generator = generator
        self.max_calls = max_calls
        self.cost = Cost()
        self._cut: list[Completion] = []
        self._seen: dict[object, int] = {}

    @property
    def finished(self) -> bool:
        """Whether every answer ended by itself."""
        return not self._cut

    def beside(self, generator: Generator) -> Metered:
        """Another model, whose calls count towards the same cost and limit."""
        other = copy(self)
        other.generator = generator
        return other

    def generate(self, requests: Sequence[Request], sampling: Sampling) -> list[list[Completion]]:
        """See `Generator.generate`."""
        cost = self.cost
        if cost.calls + len(requests) > self.max_calls:
            raise BudgetError(
                f"over {self.max_calls} model calls for one question. "
                "The strategy does not come to an end, or raise decode.max_calls."
            )
        before = getattr(self.generator, "seconds", 0.0)
        began = time.perf_counter()
        answers = self.generator.generate(requests, sampling)
        after = getattr(self.generator, "seconds", None)
        cost.seconds += time.perf_counter() - began if after is None else after - before
        for request, given in zip(requests, answers, strict=True):
            cost.calls += 1
            cost.answers += len(given)
            cost.tokens_out += sum(len(a.ids) for a in given)
            self._cut += [a for a in given if not a.finished]
            if given:
                cost.tokens_in += given[0].prompt_tokens
                cost.frames += given[0].frames
                cost.frames_decoded += self._new_frames(request, given[0].frames)
        return answers

    def _new_frames(self, request: Request, frames: int) -> int:
        """Frames of parts that were not shown before; `frames` are all of the request's."""
        shows = _views(request.messages) or [None]
        new = [s for s in dict.fromkeys(shows) if s not in self._seen]
        known = sum(self._seen.get(s, 0) for s in shows)
        count = max(0, frames - known)
        for part in new:
            self._seen[part] = count // len(new)
        return count if new else 0


def _views(messages: Sequence[Message]) -> list[object]:
    return [m.shows for m in messages if m.shows is not None]
