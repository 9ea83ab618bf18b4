"""The repository's files: where they are, whether one has changed, and how one is replaced.

Standard library only.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from vidpost.catalog.diagnostics import CatalogError


def find_root(start: Path | None = None) -> Path:
    """The nearest folder with catalog/methods, from `start` upwards, then from this package.

    Raises:
        CatalogError: There is none.
    """
    start = (start or Path.cwd()).resolve()
    here = Path(__file__).resolve()
    for folder in (start, *start.parents, *here.parents):
        if (folder / "catalog" / "methods").is_dir() or (folder / "catalog" / "taxonomy").is_dir():
            return folder
    raise CatalogError(f"no catalog/ folder at or above {start}. Run inside the repository.")


def write_text(path: Path, text: str) -> None:
    """Replaces a file by `text`, UTF-8, whole or not at all; its folder is created.

    Several processes may do so at a time; the last one to end wins.

    Raises:
        OSError: It cannot be written; what was there stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    part = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        part.chmod(0o644)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def fingerprint(folders: Iterable[Path], *more: str) -> str:
    """A hash of name, size and time of change of every file below folders.

    The time is that of the inode (ctime), which a program cannot set back.

    Args:
        folders: Folders and files; one that does not exist counts as empty.
        more: What else a result depends on.
    """
    found = hashlib.sha256("\0".join((sys.version, *more)).encode())
    for folder in folders:
        found.update(f"\0\0{folder}".encode())
        for path, status in sorted(_files(str(folder))):
            found.update(f"\0{path}\0{status.st_size}\0{status.st_ctime_ns}".encode())
    return found.hexdigest()


def _files(folder: str) -> Iterator[tuple[str, os.stat_result]]:
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            if entry.name != "__pycache__":
                yield from _files(entry.path)
        else:
            yield entry.path, entry.stat(follow_symlinks=False)
