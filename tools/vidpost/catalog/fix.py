"""What `vidpost check --fix` mends: form, never facts.

Of what is complained about: quotes around text that YAML would read as a number and, with
`closest`, the word that a message suggests. Of an entry that is new and named: also keys in one
order, lists of ids sorted where their order means nothing, no blanks at line ends. Comments stay
with the key below them. A file that would mean something else afterwards is left as it was.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from pydantic import BaseModel

from vidpost.catalog import strict_yaml
from vidpost.catalog.diagnostics import Diagnostic
from vidpost.catalog.models import FOLDERS, KINDS
from vidpost.catalog.places import write_text

SORTED = ("trained_on", "evaluated_on", "challenges", "tasks", "metrics", "reward_aspects")
"""Lists of ids whose order means nothing."""

FIRST = ("id", "name", "aliases", "summary", "added", "status", "paper")
"""Fields that a reader wants first; the others follow in the model's order."""

_SUGGESTED = re.compile(r"Did you mean '([^']+)'\?")
_CLOSEST = ("unknown-field", "unknown-id", "unknown-word", "unknown-hook")


def fix(
    root: Path,
    diagnostics: Iterable[Diagnostic],
    *,
    closest: bool = False,
    form: Iterable[str] = (),
) -> list[str]:
    """Mends the entries that diagnostics are about.

    Args:
        root: Repository root.
        diagnostics: From `lint.check`.
        closest: Whether suggested words are taken.
        form: Files, relative to the root, that are put into one form, too.

    Returns:
        Paths of the changed files, relative to the root, sorted.
    """
    tidy = set(form)
    by_file: dict[str, list[Diagnostic]] = {file: [] for file in tidy}
    for item in diagnostics:
        by_file.setdefault(item.file, []).append(item)
    changed = []
    for file, items in sorted(by_file.items()):
        parts = file.split("/")
        if len(parts) != 3 or parts[0] != "catalog" or parts[1] not in FOLDERS:
            continue
        path = root / file
        try:
            before = path.read_bytes().decode("utf-8")
        except (OSError, UnicodeDecodeError):
            continue
        after = _mended(before, items, closest)
        if file in tidy:
            after = _formed(after, KINDS[FOLDERS[parts[1]]])
        if after != before:
            write_text(path, after)
            changed.append(file)
    return changed


def _mended(text: str, items: list[Diagnostic], closest: bool) -> str:
    lines = text.split("\n")
    for item in sorted(items, key=lambda each: (each.line, each.col), reverse=True):
        line = lines[item.line - 1] if item.line <= len(lines) else ""
        if item.code == "unquoted" and (match := re.search(r"Quote it: \"(.*)\"\.", item.message)):
            lines[item.line - 1] = _put(line, item.col, match[1], f'"{match[1]}"')
        elif closest and item.code in _CLOSEST and (match := _SUGGESTED.search(item.message)):
            word = re.match(r"[\"']?([\w-]+)", line[item.col - 1 :])
            if word:
                lines[item.line - 1] = _put(line, item.col, word[0], match[1])
    return "\n".join(lines)


def _formed(text: str, model: type[BaseModel]) -> str:
    text = "\n".join(line.rstrip() for line in text.split("\n")).strip("\n") + "\n"
    ordered = _sorted_lists(_sorted_keys(text, model))
    same = strict_yaml.parse(text)[0], strict_yaml.parse(ordered)[0]
    return ordered if _unordered(same[0]) == _unordered(same[1]) else text


def _put(line: str, col: int, old: str, new: str) -> str:
    at = col - 1
    return line[:at] + new + line[at + len(old) :] if line.startswith(old, at) else line


def _sorted_keys(text: str, model: type[BaseModel]) -> str:
    """Top-level blocks in the model's order; comments at the top and the end stay there."""
    order = {name: i for i, name in enumerate(dict.fromkeys((*FIRST, *model.model_fields)))}
    blocks: list[tuple[float, str]] = []
    waiting = ""
    top = ""
    for line in text.splitlines(keepends=True):
        key = re.match(r"(\w+):", line)
        if key:
            if not blocks and waiting:
                top, waiting = waiting, ""
            blocks.append((order.get(key[1], len(order)), waiting + line))
            waiting = ""
        elif line.startswith("#") or not line.strip():
            waiting += line
        elif blocks:
            rank, block = blocks[-1]
            blocks[-1] = (rank, block + waiting + line)
            waiting = ""
        else:
            return text  # not a mapping
    return top + "".join(block for _, block in sorted(blocks, key=lambda b: b[0])) + waiting


def _sorted_lists(text: str) -> str:
    """One-line lists of ids, sorted; a list with a comment or a quote stays."""

    def ordered(match: re.Match[str]) -> str:
        ids = [word.strip() for word in match[2].split(",")]
        return f"{match[1]}[{', '.join(sorted(dict.fromkeys(ids)))}]"

    names = "|".join(SORTED)
    return re.sub(rf"^((?:{names}): )\[([a-z0-9_, ]+)\]$", ordered, text, flags=re.MULTILINE)


def _unordered(data: object) -> object:
    """The data with the lists of `SORTED` as sets: what two forms of an entry must share."""
    if not isinstance(data, dict):
        return data
    return {
        key: set(map(str, value)) if key in SORTED and isinstance(value, list) else value
        for key, value in data.items()
    }
