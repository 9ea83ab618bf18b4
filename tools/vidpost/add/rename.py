"""Renames an entry: its file, its module and tests, and every reference; the old id stays an alias.

Positions of the references come from the strict reader, so comments and layout stay as they are.
Python files are changed where the id stands as a whole word in the method's own folder and test.
"""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

from vidpost.add import entry
from vidpost.catalog import graph
from vidpost.catalog.diagnostics import CatalogError
from vidpost.catalog.loader import Catalog
from vidpost.catalog.models import FOLDERS, MethodEntry
from vidpost.catalog.places import write_text


class Plan(NamedTuple):
    """What a renaming does; nothing is done yet.

    Attributes:
        texts: Path -> new text, of files that stay where they are or move.
        moves: Old path -> new path, of files and folders.
    """

    texts: dict[Path, str]
    moves: dict[Path, Path]


def plan(catalog: Catalog, old: str, new: str) -> Plan:
    """Works out a renaming.

    Args:
        catalog: A catalogue without errors.
        old: Id, name or alias of the entry.
        new: Its new id.

    Raises:
        CatalogError: No such entry, the new id is taken or malformed, or a file is in the way.
    """
    kind, found = catalog.find(old)
    old = found.id
    if new not in {entry.id_of(alias, kind) for alias in found.aliases}:  # its own may become it
        entry.refuse_taken(catalog, new)
    root = catalog.root
    places: dict[str, list[tuple[int, int]]] = defaultdict(list)
    places[catalog.files[kind, old]].append(catalog.place(catalog.files[kind, old], "id"))
    for other_kind, other in catalog.entries():
        file = catalog.files[other_kind, other.id]
        for reference in graph.references(other):
            if reference.target == old:
                places[file].append(catalog.place(file, reference.field))
    for claim_place in _own_claims(catalog, kind, old):
        places[catalog.files[kind, old]].append(claim_place)
    for key, card in catalog.results.items():
        file = catalog.files["result", key]
        for field in ("method", "benchmark", "metric"):
            if getattr(card, field) == old and field == kind:
                places[file].append(catalog.place(file, field))
    texts = {root / file: _replaced(root / file, at, old, new) for file, at in places.items()}
    own = root / catalog.files[kind, old]
    texts[own] = _with_alias(texts[own], old)
    folder = next(name for name, each in FOLDERS.items() if each == kind)
    moves = {own: own.with_name(f"{new}.yaml")}
    code = root / "reproductions" / folder
    tests = root / "tests" / "reproductions" / folder
    candidates = {
        code / old: code / new,
        code / f"{old}.py": code / f"{new}.py",
        tests / f"test_{old}.py": tests / f"test_{new}.py",
        root / "catalog" / "results" / old: root / "catalog" / "results" / new,
    }
    for path, target in candidates.items():
        if not path.exists():
            continue
        moves[path] = target
        for source in sorted(path.rglob("*") if path.is_dir() else [path]):
            if source.suffix in (".py", ".yaml") and source not in texts:
                text = source.read_text(encoding="utf-8")
                changed = re.sub(rf"(?<![\w-]){re.escape(old)}(?![\w-])", new, text)
                if changed != text:
                    texts[source] = changed
    for path, target in moves.items():
        if target.exists():
            shown = target.relative_to(root).as_posix()
            raise CatalogError(f"{shown} is in the way of {path.name}. Remove or rename it.")
    return Plan(texts, moves)


def _own_claims(catalog: Catalog, kind: str, old: str) -> list[tuple[int, int]]:
    """Where the entry names itself: in what its claims compare."""
    found = catalog.of_kind(kind)[old]
    if not isinstance(found, MethodEntry):
        return []
    file = catalog.files[kind, old]
    return [
        catalog.place(file, f"claims[{i}].compare[{j}]")
        for i, claim in enumerate(found.claims)
        for j, target in enumerate(claim.compare)
        if target == old
    ]


def _replaced(path: Path, places: list[tuple[int, int]], old: str, new: str) -> str:
    """The file's text with `new` for `old` at (line, col) places, counted from 1."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    for line, col in sorted(set(places), reverse=True):
        text = lines[line - 1]
        at = col - 1 + (text[col - 1 : col] in ("'", '"'))
        if not text.startswith(old, at):
            raise CatalogError(f"{path.name}:{line}:{col}: '{old}' is not there. Rename by hand.")
        lines[line - 1] = text[:at] + new + text[at + len(old) :]
    return "".join(lines)


def _with_alias(text: str, old: str) -> str:
    """The entry's text with its old id among the aliases."""
    match = re.search(r"^aliases: \[(.*)\][ \t]*$", text, re.MULTILINE)
    if match:
        inside = f"{match[1]}, {old}" if match[1].strip() else old
        return f"{text[: match.start()]}aliases: [{inside}]{text[match.end() :]}"
    block = re.search(r"^aliases:[ \t]*\n((?:[ \t]*- .*\n)+)", text, re.MULTILINE)
    if block:
        indent = re.match(r"[ \t]*", block[1])
        assert indent is not None
        return f"{text[: block.end()]}{indent[0]}- {old}\n{text[block.end() :]}"
    name = re.search(r"^name: .*\n", text, re.MULTILINE)
    assert name is not None  # every entry has one, on one line
    return f"{text[: name.end()]}aliases: [{old}]\n{text[name.end() :]}"


def carry_out(done: Plan) -> None:
    """Writes the texts and moves the files; on an error everything is put back.

    Raises:
        CatalogError: A file cannot be written or moved.
    """
    before = {path: path.read_bytes().decode("utf-8") for path in done.texts}
    moved: list[tuple[Path, Path]] = []
    try:
        for path, text in done.texts.items():
            write_text(path, text)
        for path, target in done.moves.items():
            path.rename(target)
            moved.append((path, target))
    except OSError as error:
        for path, target in reversed(moved):
            target.rename(path)
        for path, content in before.items():
            write_text(path, content)
        reason = error.strerror or "cannot be changed"
        raise CatalogError(f"{error.filename}: {reason}. Everything was put back.") from error
