"""A generator with prepared texts: decoding strategies and hooks are tested in milliseconds."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from reproductions.shared.inference.engine import Completion, Request, Sampling


class ScriptedGenerator:
    """Answers from a script.

    Args:
        script: (request, index of the answer) -> text. Token ids are the code points of the text,
            log-probabilities are 0.

    Attributes:
        calls: The requests of every call, in order.
    """

    def __init__(self, script: Callable[[Request, int], str]) -> None:
        self.script = script
        self.calls: list[list[Request]] = []

    def generate(self, requests: Sequence[Request], sampling: Sampling) -> list[list[Completion]]:
        """See `Generator.generate`."""
        self.calls.append(list(requests))
        return [[self._one(request, i) for i in range(request.n)] for request in requests]

    def _one(self, request: Request, index: int) -> Completion:
        text = self.script(request, index)
        ids = tuple(ord(c) for c in text)
        return Completion(text, ids, (0.0,) * len(ids), True)
