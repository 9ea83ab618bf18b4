"""A bad and a good example of each message code, from tests/data/broken, where tests run them.

A fixture is a small repository as text: `--- path` starts a file, `--- expected` the messages of
`vidpost check`, and `--- good path:line` (or `path:first-last`) what stands there when it is right.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

FOLDER = "tests/data/broken"


class Change(NamedTuple):
    """Lines of a file and what they should be.

    Attributes:
        file: Path relative to the root.
        first: First line, from 1.
        last: Last line.
        good: The text in their place, without its last line break.
    """

    file: str
    first: int
    last: int
    good: str


class Fixture(NamedTuple):
    """A parsed fixture.

    Attributes:
        files: Path -> text.
        expected: The messages.
        changes: What makes it right.
    """

    files: Mapping[str, str]
    expected: tuple[str, ...]
    changes: tuple[Change, ...]

    def mended(self) -> dict[str, str]:
        """The files that change, made right; later lines first, so that numbers stay true."""
        texts: dict[str, list[str]] = {}
        for change in sorted(self.changes, key=lambda each: -each.first):
            lines = texts.setdefault(change.file, self.files[change.file].splitlines())
            lines[change.first - 1 : change.last] = [change.good]
        return {file: "\n".join(lines) + "\n" for file, lines in texts.items()}


class Example(NamedTuple):
    """One code on the page of codes.

    Attributes:
        file: The file shown.
        bad: Its lines that are wrong.
        good: The lines that should stand there.
        message: What `vidpost check` says.
    """

    file: str
    bad: str
    good: str
    message: str


def parse(text: str) -> Fixture:
    """Reads a fixture."""
    files: dict[str, str] = {}
    expected: tuple[str, ...] = ()
    changes = []
    for part in ("\n" + text).split("\n--- ")[1:]:
        name, _, body = part.partition("\n")
        if name == "expected":
            expected = tuple(body.splitlines())
        elif name.startswith("good "):
            file, _, lines = name.removeprefix("good ").rpartition(":")
            first, _, last = lines.partition("-")
            changes.append(Change(file, int(first), int(last or first), body.rstrip("\n")))
        else:
            files[name] = body if body.endswith("\n") else body + "\n"
    return Fixture(files, expected, tuple(changes))


def read(root: Path) -> dict[str, Example]:
    """Code -> example; without the tests (an installed package) there are none."""
    found = {}
    for path in sorted((root / FOLDER).glob("[!_]*.txt")):
        fixture = parse(path.read_text(encoding="utf-8"))
        if not fixture.changes:
            continue
        file = fixture.changes[0].file
        bad = []
        for change in fixture.changes:
            lines = fixture.files[change.file].splitlines()
            bad += lines[change.first - 1 : change.last]
        good = "\n".join(change.good for change in fixture.changes)
        marked = [line for line in fixture.expected if f"[{path.stem}] " in line]
        here = [line for line in marked if line.startswith(f"{file}:")]
        found[path.stem] = Example(file, "\n".join(bad), good, (here or marked)[0])
    return found
