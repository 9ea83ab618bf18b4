"""A cache of what was read from files, by the hash of their content.

It lives under `.cache/`, holds plain JSON, and may be deleted at any time. A damaged, foreign or
unwritable cache is as good as none.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from vidpost.catalog.places import write_text


def content_hash(raw: bytes) -> str:
    """SHA-256 of a file's bytes, as hex digits."""
    return hashlib.sha256(raw).hexdigest()


class ContentCache:
    """Content hash -> JSON data. What was not used since the cache was opened is dropped on save.

    Args:
        path: The file; None switches the cache off.
        reader: Source file of the code that makes the data; a change of it empties the cache.
    """

    def __init__(self, path: Path | None, reader: str) -> None:
        self._path = path
        self._version = content_hash(Path(reader).read_bytes())
        self._old: dict[str, Any] = {}
        self._new: dict[str, Any] = {}
        if path is not None:
            try:
                stored = json.loads(path.read_bytes())
                if stored["version"] == self._version and isinstance(stored["files"], dict):
                    self._old = stored["files"]
            except (OSError, ValueError, KeyError, TypeError, RecursionError):
                pass  # none yet, or damaged: read the files

    def get(self, key: str) -> Any | None:
        """The data of a content hash, None if it is not known."""
        if key in self._old:
            self._new[key] = self._old[key]
        return self._new.get(key)

    def put(self, key: str, data: Any) -> None:
        """Remembers the data of a content hash."""
        self._new[key] = data

    def save(self) -> None:
        """Writes the cache if it changed."""
        if self._path is None or self._new.keys() == self._old.keys():
            return
        text = json.dumps({"version": self._version, "files": self._new}, separators=(",", ":"))
        with suppress(OSError):  # a read-only checkout works without the cache
            write_text(self._path, text)
