"""What a process remembers of videos: decoded clips, encoded prompts, features of a frozen tower.

Bounded in bytes; what was not used for longest is forgotten first. Encoders that read through one
reader share one memory, so a video is decoded and processed once for all stages of a run and for
the evaluation of all its checkpoints.
"""

from __future__ import annotations

import os
from collections import Counter, OrderedDict
from collections.abc import Hashable, Sequence
from threading import RLock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

View = dict[str, "torch.Tensor"]
"""Tensors of a part of a video, as the model takes them."""

GIB = "VIDPOST_MEMORY_GIB"
"""Environment variable: how much a process may remember, GiB of tensors and frames."""


class Memory:
    """Prompts and clips by key, views shared between prompts; safe to use from several threads.

    Args:
        max_bytes: Bytes of tensors and frames; None: `VIDPOST_MEMORY_GIB`, or 1 GiB.
    """

    def __init__(self, max_bytes: int | None = None) -> None:
        if max_bytes is None:
            max_bytes = int(float(os.environ.get(GIB) or 1) * 2**30)
        self._left = max_bytes
        self._kept: OrderedDict[Hashable, tuple[Any, Sequence[Hashable], int]] = OrderedDict()
        self._views: dict[Hashable, View] = {}  # of the prompts kept
        self._users: Counter[Hashable] = Counter()  # how many prompts hold a view
        self._lock = RLock()

    def __contains__(self, key: Hashable) -> bool:
        return key in self._kept

    def get(self, key: Hashable) -> Any:
        """The prompt or clip, None if it is not there."""
        with self._lock:
            if key not in self._kept:
                return None
            self._kept.move_to_end(key)
            return self._kept[key][0]

    def hold(self, names: Sequence[Hashable], views: Sequence[View]) -> tuple[View, ...]:
        """The views under these names: those that are there, else the given ones.

        The prompt that holds them has to be kept next, with the same names.
        """
        with self._lock:
            for name, view in zip(names, views, strict=True):
                if name not in self._views:
                    self._views[name] = view
                    self._left -= _bytes(view)
                self._users[name] += 1
            return tuple(self._views[name] for name in names)

    def view(self, name: Hashable) -> View | None:
        """A view that some prompt holds."""
        return self._views.get(name)

    def keep(self, key: Hashable, value: Any, size: int, names: Sequence[Hashable] = ()) -> None:
        """Remember a prompt or a clip, and forget what was not used for longest.

        Args:
            key: What it is found by.
            value: The prompt or clip.
            size: Its bytes, views not counted.
            names: Views that it holds.
        """
        with self._lock:
            self.forget(key)
            self._kept[key] = (value, names, size)
            self._left -= size
            while self._left < 0 and self._kept:
                self.forget(next(iter(self._kept)))

    def forget(self, key: Hashable) -> None:
        """Drop a prompt or a clip, and the views that nobody else holds."""
        with self._lock:
            if key not in self._kept:
                return
            _, names, size = self._kept.pop(key)
            self._left += size
            for name in names:
                self._users[name] -= 1
                if not self._users[name]:
                    del self._users[name]
                    self._left += _bytes(self._views.pop(name))


def _bytes(tensors: View) -> int:
    return sum(t.nbytes for t in tensors.values())
