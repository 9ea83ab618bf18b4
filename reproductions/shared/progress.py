"""Progress with time left: bars on a terminal, a line now and then elsewhere. Writes to stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from reproductions.shared.processes import rank

QUIET_SECONDS = 15.0
"""Without a terminal, seconds between two lines."""


class Bar:
    """One piece of work with a known length.

    Args:
        name: What is being done.
        total: Its length.
        advance: Shows the state: (done, note).
    """

    def __init__(self, name: str, total: int, console: Console) -> None:
        self.name = name
        self.total = total
        self.done = 0
        self._console = console
        self._start = self._said = time.monotonic()
        self._progress: Progress | None = None
        if console.is_terminal:
            self._progress = Progress(
                TextColumn("{task.description:<28}"),
                BarColumn(bar_width=28),
                MofNCompleteColumn(),
                TextColumn("{task.fields[note]}", style="dim"),
                TimeElapsedColumn(),
                TextColumn("left"),
                TimeRemainingColumn(),
                console=console,
            )
            self._task = self._progress.add_task(name, total=total, note="")
            self._progress.start()

    def to(self, done: int, note: str = "") -> None:
        """Say that `done` of `total` is done."""
        self.done = done
        if self._progress is not None:
            self._progress.update(self._task, completed=done, note=note)
            return
        now = time.monotonic()
        if now - self._said >= QUIET_SECONDS and done < self.total:
            self._said = now
            left = (now - self._start) / max(done, 1) * (self.total - done)
            self._console.print(
                f"{self.name}: {done}/{self.total} {note} ({_clock(left)} left)", highlight=False
            )

    def add(self, n: int, note: str = "") -> None:
        """Say that `n` more are done."""
        self.to(self.done + n, note)

    def close(self) -> None:
        """Finish, and leave one line behind."""
        if self._progress is not None:
            self._progress.stop()
        else:
            spent = _clock(time.monotonic() - self._start)
            line = f"{self.name}: {self.done}/{self.total} in {spent}"
            self._console.print(line, highlight=False)


@contextmanager
def bar(name: str, total: int, console: Console | None = None) -> Iterator[Bar]:
    """A `Bar` that is closed at the end of the block."""
    shown = Bar(name, total, console or stderr())
    try:
        yield shown
    finally:
        shown.close()


def stderr() -> Console:
    """The console for people; stdout is for results. Of several processes only the first talks."""
    return Console(file=sys.stderr, soft_wrap=True, quiet=rank() > 0)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"
