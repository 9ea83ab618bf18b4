"""Files that appear whole or not at all. Standard library only."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def published(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that takes its place if the body succeeds.

    Several processes may publish one path at a time: each has a temporary file of its own, and the
    last one to end wins.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Replace a file by `text`, UTF-8."""
    with published(path) as part:
        part.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Replace a file by `value` as JSON."""
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False) + "\n")
