"""A generator that is loaded when it is first asked: most runs have no use for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Lock

from reproductions.shared.inference.engine import Completion, Generator, Request, Sampling


class LazyGenerator:
    """A `Generator` that is made at the first request, and asked by one thread at a time.

    Args:
        make: Makes it.
    """

    def __init__(self, make: Callable[[], Generator]) -> None:
        self._make = make
        self._lock = Lock()
        self._generator: Generator | None = None

    def generate(self, requests: Sequence[Request], sampling: Sampling) -> list[list[Completion]]:
        """See `Generator.generate`."""
        with self._lock:
            self._generator = self._generator or self._make()
            return self._generator.generate(requests, sampling)
