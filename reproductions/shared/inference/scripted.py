"""A generator with prepared texts: decoding strategies and hooks are tested in milliseconds."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from reproductions.shared.inference.engine import Completion, Request, Sampling


class ScriptedGenerator:
    """Answers from a script.

    A script sees all of a request: the conversation, what it shows and the answer's beginning. It
    is held to the sampling as a model is: an answer ends before the first stop text, and with
    `choices` it must be one of them.

    Args:
        script: (request, index of the answer) -> text, or (text, log-probability of each of its
            tokens). Token ids are the code points of the text; log-probabilities default to 0.

    Attributes:
        calls: The requests of every call, in order.
        samplings: The sampling of every call.
    """

    def __init__(self, script: Callable[[Request, int], str | tuple[str, float]]) -> None:
        self.script = script
        self.calls: list[list[Request]] = []
        self.samplings: list[Sampling] = []

    @property
    def requests(self) -> list[Request]:
        """The requests of all calls, one after the other."""
        return [r for call in self.calls for r in call]

    def generate(self, requests: Sequence[Request], sampling: Sampling) -> list[list[Completion]]:
        """See `Generator.generate`."""
        self.calls.append(list(requests))
        self.samplings.append(sampling)
        return [[self._one(r, i, sampling) for i in range(r.n)] for r in requests]

    def _one(self, request: Request, index: int, sampling: Sampling) -> Completion:
        answer = self.script(request, index)
        text, logprob = answer if isinstance(answer, tuple) else (answer, 0.0)
        if sampling.choices and text not in sampling.choices:
            raise ValueError(f"the script writes {text!r}, which is none of {sampling.choices}.")
        ends = [text.index(stop) for stop in sampling.stop if stop in text]
        text = text[: min(ends, default=len(text))]
        ids = tuple(ord(c) for c in text)
        shows = [m.shows for m in request.messages if m.shows is not None]
        frames = sum(len(s.times) if s.times else s.frames or 0 for s in shows)
        return Completion(text, ids, (logprob,) * len(ids), True, frames=frames)
