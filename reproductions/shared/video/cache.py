"""Keep decoded clips on disk, found again by the content of the file and the frame spec.

One file an entry: a .npy array of the frames with the rest of the clip as JSON behind it, so that
`numpy.load` opens it and one rename publishes it. Entries are dropped in order of last use when
the folder outgrows its limit. Several processes may share a folder: a reader sees a whole entry or
none, and two writers of one entry write the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from reproductions.shared.files import published, write_text
from reproductions.shared.video.decode import Clip
from reproductions.shared.video.quarantine import Quarantined, safe_read
from reproductions.shared.video.spec import FrameSpec

VERSION = 1
"""Raise it when decoding changes its pixels: old entries are not found any more."""

_RACY_SECONDS = 2.0
"""A file changed this recently may change again without a new time stamp: it is not memorised."""

_STALE_SECONDS = 3600.0
"""A temporary file this old was left by a killed process."""


class FrameCache:
    """Decoded clips in a folder, limited in size.

    Args:
        folder: Created if missing.
        max_bytes: The folder is cut back to nine tenths of it when it grows beyond.
    """

    def __init__(self, folder: str | Path, max_bytes: int) -> None:
        self.folder = Path(folder)
        self.max_bytes = max_bytes
        self.folder.mkdir(parents=True, exist_ok=True)
        self._bytes = sum(size for _, size, _ in self._entries())

    def read(
        self,
        path: str | Path,
        spec: FrameSpec,
        reader: Callable[[str | Path, FrameSpec], Clip | Quarantined] = safe_read,
    ) -> Clip | Quarantined:
        """The clip from the cache, or decoded and stored; quarantined files are not stored.

        Args:
            path: The video.
            spec: Which frames.
            reader: What decodes on a miss.
        """
        try:
            entry = self._entry(path, spec)
        except OSError:
            return reader(path, spec)  # it says what is wrong with the file
        clip = self._load(entry)
        if clip is None:
            decoded = reader(path, spec)
            if isinstance(decoded, Quarantined):
                return decoded
            clip = decoded
            self._store(entry, clip)
        return clip

    def _entry(self, path: str | Path, spec: FrameSpec) -> Path:
        digest = file_hash(path, self.folder)
        return self.folder / f"{digest}-{spec.key()}-{VERSION}.npy"

    def _load(self, entry: Path) -> Clip | None:
        """The stored clip; None if there is none, or only a damaged one (which is removed)."""
        try:
            with entry.open("rb") as file:
                frames = np.lib.format.read_array(file, allow_pickle=False)
                clip = Clip.from_header(json.loads(file.read()), frames)
            os.utime(entry)  # last use
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError):
            entry.unlink(missing_ok=True)
            return None
        return clip

    def _store(self, entry: Path, clip: Clip) -> None:
        if clip.frames.nbytes > self.max_bytes:
            return
        with published(entry) as part, part.open("wb") as file:
            np.lib.format.write_array(file, np.ascontiguousarray(clip.frames), allow_pickle=False)
            file.write(json.dumps(clip.header()).encode())
            size = file.tell()  # once published, another process may remove it at any time
        self._bytes += size
        if self._bytes > self.max_bytes:
            self._shrink()

    def _entries(self) -> list[tuple[float, int, Path]]:
        """(last use, bytes, path) of each entry; other processes may remove some meanwhile."""
        found = []
        for item in os.scandir(self.folder):
            try:
                status = item.stat()
            except FileNotFoundError:
                continue
            if item.name.endswith(".npy"):
                found.append((status.st_mtime, status.st_size, Path(item.path)))
            elif item.name.endswith(".tmp") and time.time() - status.st_mtime > _STALE_SECONDS:
                Path(item.path).unlink(missing_ok=True)
        return found

    def _shrink(self) -> None:
        """Remove the entries that were used longest ago."""
        entries = sorted(self._entries())
        self._bytes = sum(size for _, size, _ in entries)
        for _, size, path in entries:
            if self._bytes <= 0.9 * self.max_bytes:
                break
            path.unlink(missing_ok=True)
            self._bytes -= size


def file_hash(path: str | Path, memo: str | Path | None = None) -> str:
    """blake2b of a file's content, 32 hexadecimal digits.

    Args:
        path: The file.
        memo: Folder that remembers hashes by path, size and time of change, so that an unchanged
            file is read only once.

    Raises:
        OSError: If the file cannot be read.
    """
    path = Path(path).resolve()
    status = path.stat()
    state = [status.st_size, status.st_mtime_ns, status.st_ino]
    note = None
    if memo is not None:
        name = hashlib.blake2b(os.fsencode(path), digest_size=16).hexdigest()
        note = Path(memo) / f"{name}.json"
        try:
            known = json.loads(note.read_text("ascii"))
            if known["state"] == state:
                return str(known["hash"])
        except (OSError, ValueError, KeyError, TypeError):
            pass  # no note, or a damaged one: hash again
    if not path.is_file():
        raise OSError(f"{path}: not a regular file")  # reading a pipe could wait for ever
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
    if note is not None and time.time() - status.st_mtime > _RACY_SECONDS:
        write_text(note, json.dumps({"state": state, "hash": digest}))
    return digest
