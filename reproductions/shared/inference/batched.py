"""Many samples at once: sequential decoding code, gathered into large calls of the engine.

A `decode` hook asks, looks at the answers and asks again. Run for one sample after the other it
would feed the engine one request at a time. Here each sample's code runs in a thread of its own;
as soon as all threads wait for answers, their requests go to the engine together, in the thread
that iterates (so Ctrl-C and PyTorch's thread settings act there). An answer is a function of model,
request and sampling, so it does not matter who shared a call.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from reproductions.shared.inference.engine import Completion, Generator, Request, Sampling

T = TypeVar("T")
R = TypeVar("R")


class Stopped(BaseException):
    """Raised in a waiting thread when the iteration was given up; not an error of the sample."""


@dataclass
class Seat:
    """One sample's place at the engine: a `Generator` for the code of that sample.

    Attributes:
        seconds: The sample's share of the time that the engine worked.
    """

    _floor: _Floor
    _index: int = 0
    requests: Sequence[Request] = ()
    sampling: Sampling = field(default_factory=Sampling)
    answers: list[list[Completion]] | None = None
    error: BaseException | None = None
    seconds: float = 0.0

    def generate(self, requests: Sequence[Request], sampling: Sampling) -> list[list[Completion]]:
        """See `Generator.generate`; returns when the call that it was part of has returned."""
        if not requests:
            return []
        self.requests, self.sampling, self.answers, self.error = requests, sampling, None, None
        self._floor.wait_for(self)
        if self.error is not None:
            raise self.error
        assert self.answers is not None
        return self.answers


class _Floor:
    """Who waits, who works, who is done."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.waiting: list[Seat] = []
        self.working = 0
        self.stopped = False

    def wait_for(self, seat: Seat) -> None:
        with self.changed:
            self.working -= 1
            self.waiting.append(seat)
            self.changed.notify_all()
            self.changed.wait_for(lambda: self.stopped or seat.answers or seat.error)
            if self.stopped:
                raise Stopped


def together(
    generator: Generator,
    items: Sequence[T],
    work: Callable[[T, Seat], R],
    workers: int = 64,
) -> Iterator[tuple[T, R | Exception]]:
    """Run `work` for every item, side by side, on one engine.

    Args:
        generator: The engine; called from the iterating thread alone.
        items: What to work on, begun in this order.
        work: (item, generator) -> result. Sequential code.
        workers: Items in work at a time, at most.

    Yields:
        (item, result), or (item, the exception that `work` raised), in the order of completion,
        which is the same in every run.
    """
    floor = _Floor()
    done: list[tuple[int, R | Exception]] = []
    left = iter(range(len(items)))

    def one(index: int) -> None:
        result: R | Exception
        try:
            result = work(items[index], Seat(floor, index))
        except Stopped:
            return
        except Exception as error:
            result = error
        with floor.changed:
            floor.working -= 1
            done.append((index, result))
            floor.changed.notify_all()

    def begin() -> bool:
        index = next(left, None)
        if index is None:
            return False
        floor.working += 1
        threading.Thread(target=one, args=(index,), daemon=True).start()
        return True

    try:
        with floor.changed:
            while floor.working < workers and begin():
                pass
        running = floor.working
        while running:
            with floor.changed:
                # Ready sets in are the same in every run: only when nobody works any more.
                while not floor.changed.wait_for(lambda: floor.working == 0, timeout=1.0):
                    pass  # the timeout lets Ctrl-C through
                finished, done[:] = sorted(done, key=lambda d: d[0]), []
                for _ in finished:
                    running -= 1
                    running += begin()
                if finished and floor.working:
                    seats: list[Seat] = []
                else:
                    # Threads come in any order; the call is the same in every run.
                    seats, floor.waiting = sorted(floor.waiting, key=lambda s: s._index), []
            yield from ((items[index], result) for index, result in finished)
            if seats:
                _answer(generator, seats)
                with floor.changed:
                    floor.working += len(seats)
                    floor.changed.notify_all()
    finally:
        with floor.changed:
            floor.stopped = True
            floor.changed.notify_all()


def _answer(generator: Generator, seats: Sequence[Seat]) -> None:
    """One call for each sampling; a call that fails is repeated for each seat alone."""
    groups: dict[Sampling, list[Seat]] = {}
    for seat in seats:
        groups.setdefault(seat.sampling, []).append(seat)
    for sampling, group in groups.items():
        requests = [r for seat in group for r in seat.requests]
        began = time.perf_counter()
        try:
            answers = iter(generator.generate(requests, sampling))
        except Exception as error:
            if len(group) == 1:
                group[0].error = error
            else:  # whose request was it?
                for seat in group:
                    _answer(generator, [seat])
            continue
        seconds = time.perf_counter() - began
        total = sum(r.n for r in requests) or 1
        for seat in group:
            seat.answers = [next(answers) for _ in seat.requests]
            seat.seconds += seconds * sum(r.n for r in seat.requests) / total
