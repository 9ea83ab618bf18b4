"""Strict YAML: the part of YAML that means the same to everybody.

Refused: duplicate keys, anchors, aliases, tags, several documents, keys that are not text, plain
`yes`, `NO`, `on` (booleans to some readers, text to others), files over 1 MB or nested too deep.
Plain scalars become null, true/false, numbers (`12`, `-0.5`, `1e-6`) or text; dates stay text.

The C parser of libyaml is used where present. Positions cost time, so they are collected only on
request, which the loader does for files with a problem.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import yaml

MAX_BYTES = 1_000_000
MAX_DEPTH = 20

_Parser: Any = getattr(yaml, "CLoader", yaml.Loader)
_INT = re.compile(r"[-+]?(0|[1-9][0-9]*)$")
_FLOAT = re.compile(r"[-+]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?$")
_MAYBE_NUMBER = frozenset("0123456789+-.")
_CONSTANTS = {"": None, "~": None, "null": None, "true": True, "false": False}
_AMBIGUOUS = frozenset(
    variant
    for word in ("yes", "no", "on", "off", "true", "false", "null")
    for variant in (word, word.capitalize(), word.upper())
    if variant not in _CONSTANTS
)

Path = tuple[str | int, ...]


@dataclass
class Problem:
    """What is wrong in a YAML text. line and col count from 1."""

    code: str
    line: int
    col: int
    path: Path
    message: str


@dataclass
class Positions:
    """Where things stand, for messages.

    Attributes:
        keys: Path -> (line, col) of its key, or of the item in a list.
        values: Path -> (line, col) of its value.
        plain: Path -> text of a scalar as written, if it was not quoted.
    """

    keys: dict[Path, tuple[int, int]] = field(default_factory=dict)
    values: dict[Path, tuple[int, int]] = field(default_factory=dict)
    plain: dict[Path, str] = field(default_factory=dict)

    def of(self, path: Path, *, key: bool = False) -> tuple[int, int]:
        """(line, col) of the nearest known part of `path`."""
        places = self.keys if key else self.values
        while path:
            if path in places:
                return places[path]
            path = path[:-1]
        return (1, 1)


class _Reader:
    """Builds plain Python data from parser events, collecting problems on the way."""

    def __init__(self, text: str, positions: Positions | None) -> None:
        self.events = _Parser(text)
        self.next = self.events.get_event
        self.positions = positions
        self.problems: list[Problem] = []

    def document(self) -> Any:
        self.next()  # stream start
        if isinstance(self.next(), yaml.StreamEndEvent):
            return None
        data = self.value(self.next(), (), 0)
        self.next()  # document end
        event: Any = self.next()
        if not isinstance(event, yaml.StreamEndEvent):
            self.problem(event, "several-documents", (), "a second document. Keep one a file.")
        return data

    def problem(self, event: Any, code: str, path: Path, message: str) -> None:
        mark = event.start_mark
        self.problems.append(Problem(code, mark.line + 1, mark.column + 1, path, message))

    def value(self, event: Any, path: Path, depth: int) -> Any:
        kind = type(event)
        if kind is yaml.AliasEvent:
            self.problem(event, "alias", path, "an alias (*). Write the value out.")
            return None
        if self.positions is not None:
            mark = event.start_mark
            self.positions.values[path] = (mark.line + 1, mark.column + 1)
        if event.anchor is not None:
            self.problem(event, "anchor", path, "an anchor (&). Remove it.")
        if event.tag is not None:
            self.problem(event, "tag", path, "a tag (!). Remove it.")
        if kind is yaml.ScalarEvent:
            return self.scalar(event, path)
        if depth >= MAX_DEPTH:
            mark = event.start_mark
            raise yaml.MarkedYAMLError(
                problem=f"nested deeper than {MAX_DEPTH} levels", problem_mark=mark
            )
        if kind is yaml.SequenceStartEvent:
            items: list[Any] = []
            while type(event := self.next()) is not yaml.SequenceEndEvent:
                items.append(self.value(event, (*path, len(items)), depth + 1))
            return items
        return self.mapping(path, depth)

    def mapping(self, path: Path, depth: int) -> dict[str, Any]:
        data: dict[str, Any] = {}
        first: dict[str, int] = {}
        while type(event := self.next()) is not yaml.MappingEndEvent:
            if type(event) is not yaml.ScalarEvent:
                self.problem(event, "key", path, "a key that is not text. Use a plain word.")
                self.value(event, path, depth + 1)
                self.value(self.next(), path, depth + 1)
                continue
            key = event.value
            here = (*path, key)
            if event.anchor is not None or event.tag is not None or key == "<<":
                self.problem(event, "anchor", here, "anchors, tags and merges. Remove them.")
            if key in first:
                self.problem(
                    event, "duplicate-key", path,
                    f"'{key}' appears twice (first at line {first[key]}). Keep one.",
                )  # fmt: skip
            mark: Any = event.start_mark
            first.setdefault(key, mark.line + 1)
            if self.positions is not None:
                self.positions.keys.setdefault(here, (mark.line + 1, mark.column + 1))
            data[key] = self.value(self.next(), here, depth + 1)
        return data

    def scalar(self, event: Any, path: Path) -> Any:
        text: str = event.value
        if not event.implicit[0]:  # quoted or block
            return text
        if self.positions is not None:
            self.positions.plain[path] = text
        if text in _CONSTANTS:
            return _CONSTANTS[text]
        if text[0] in _MAYBE_NUMBER:
            if _INT.match(text):
                return int(text) if len(text) < 20 else text
            if _FLOAT.match(text):
                return float(text)
        elif text in _AMBIGUOUS:
            self.problem(
                event, "ambiguous-word", path,
                f"plain {text} is a boolean or null to some readers and text to others. "
                f"Write true or false, or quote it: \"{text}\".",
            )  # fmt: skip
        return text


def parse(text: str, positions: Positions | None = None) -> tuple[Any, list[Problem]]:
    """Reads one YAML document.

    Args:
        text: The document.
        positions: Filled with the place of every path, if given (slower).

    Returns:
        The data, made of dict, list, str, int, float, bool and None, and the problems found. With
        a syntax error the data is None and the problem has code "yaml".
    """
    if len(text) > MAX_BYTES:
        message = f"larger than {MAX_BYTES} characters. Split it."
        return None, [Problem("too-large", 1, 1, (), message)]
    reader: _Reader | None = None
    try:
        reader = _Reader(text, positions)
        return reader.document(), reader.problems
    except yaml.MarkedYAMLError as error:
        mark: Any = error.problem_mark or error.context_mark
        line, col = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        what = " ".join(filter(None, (error.context, error.problem))) or "syntax error"
        problem = Problem("yaml", line, col, (), f"{what}. Check indentation and quotes.")
    except yaml.YAMLError as error:  # characters that YAML forbids
        what = str(error).splitlines()[0]
        problem = Problem("yaml", 1, 1, (), f"{what}. Remove the character.")
    return None, [*(reader.problems if reader else ()), problem]
