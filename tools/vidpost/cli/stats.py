"""`vidpost stats`: how far the catalogue is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from vidpost.catalog import graph
from vidpost.catalog.loader import Catalog, load
from vidpost.catalog.models import (
    FOLDERS,
    KINDS,
    RUNGS,
    BenchmarkEntry,
    DatasetEntry,
    Entry,
    MethodEntry,
    Work,
)
from vidpost.cli.browse import JSON, console, dump
from vidpost.cli.selection import year
from vidpost.export.tables import month

if TYPE_CHECKING:
    from rich.table import Table

# What is about the entry or about a fact is no fact itself.
_NO_CELL = frozenset({"id", "status", "added", "unverified", "discrepancies", "source"})
_PLURAL = {kind: folder for folder, kind in FOLDERS.items()}


def cells(value: Any, path: str = "") -> Iterator[str]:
    """The dotted path of every single value below `value`, sources and bookkeeping left out."""
    if isinstance(value, dict):
        for key, part in value.items():
            if key not in _NO_CELL:
                yield from cells(part, f"{path}.{key}" if path else key)
    elif isinstance(value, list | tuple):
        for index, part in enumerate(value):
            yield from cells(part, f"{path}[{index}]")
    elif value is not None:
        yield path


def unverified(entry: Entry) -> tuple[int, int]:
    """(cells, cells that nobody could check) of an entry.

    A cell is one value: a title, an author, a number, a licence. A path in `unverified` stands for
    every cell below it, and for one if its value is not known at all.
    """
    found = list(cells(entry.model_dump(exclude_defaults=True)))
    total, open_ = len(found), 0
    for flag in entry.unverified:
        below = sum(path == flag or path.startswith((f"{flag}.", f"{flag}[")) for path in found)
        total += not below
        open_ += below or 1
    return total, open_


def _open(entry: Entry, recipes: frozenset[str]) -> dict[str, bool]:
    """What of a work is open; kinds differ in what they can have."""
    if isinstance(entry, MethodEntry):
        licence = entry.license or (entry.code.license if entry.code else None)
        return {
            "code": entry.code is not None,
            "weights": bool(entry.weights),
            "data": bool(entry.data_links),
            "licence": _free(licence),
            "recipe": entry.id in recipes,
        }
    if isinstance(entry, BenchmarkEntry | DatasetEntry):
        data = bool(entry.hf_ids) or (isinstance(entry, DatasetEntry) and bool(entry.links))
        return {
            "code": entry.code is not None,
            "data": data,
            "licence": _free(entry.license or (entry.code.license if entry.code else None)),
        }
    return {}


def _free(licence: str | None) -> bool:
    return bool(licence) and "none" not in str(licence).lower()


def _share(total: int, flagged: int, entries: int) -> dict[str, Any]:
    share = round(flagged / total, 4) if total else 0.0
    return {"cells": total, "unverified": flagged, "share": share, "entries": entries}


def state(catalog: Catalog, newest: int = 10) -> dict[str, Any]:
    """Everything that `vidpost stats` prints.

    Args:
        catalog: The catalogue.
        newest: How many of the newest entries to name.
    """
    entries = list(catalog.entries())
    by_word = graph.entries_by_word(catalog)
    rungs: dict[str, dict[str, int]] = {}
    checked: dict[str, dict[str, Any]] = {}
    openness: dict[str, dict[str, Any]] = {}
    recipes = frozenset(
        path.parent.name
        for path in (catalog.root / "reproductions" / "methods").glob("*/paper.yaml")
    )
    for kind in KINDS:
        members = [entry for each, entry in entries if each == kind]
        counts = Counter(str(entry.status) for entry in members if isinstance(entry, Work))
        rungs[_PLURAL[kind]] = {
            "total": len(members),
            **{rung: counts[rung] for rung in RUNGS if counts},
        }
        sums = [unverified(entry) for entry in members]
        total, flagged = (sum(column) for column in zip(*sums, strict=True)) if sums else (0, 0)
        checked[_PLURAL[kind]] = _share(
            total, flagged, sum(bool(entry.unverified) for entry in members)
        )
        published = [e for e in members if not (isinstance(e, MethodEntry) and e.is_baseline)]
        has = [row for entry in published if (row := _open(entry, recipes))]
        if has:
            openness[_PLURAL[kind]] = {
                "of": len(has),
                **{what: sum(row[what] for row in has) for what in has[0]},
            }
    checked["all"] = _share(
        *(sum(row[name] for row in checked.values()) for name in ("cells", "unverified", "entries"))
    )
    reporting = [method for method in catalog.methods.values() if method.reported]
    numbers = [item for method in reporting for item in method.reported]
    leaves = []
    for word in catalog.words.values():
        if word.kind in ("pillar", "leaf"):
            kinds = Counter(kind for kind, _ in by_word[word.id])
            depth = len(graph.ancestors(catalog, word.id))
            leaves.append(
                {"id": word.id, "name": word.name, "depth": depth, "origin": word.origin,
                 "entries": len(by_word[word.id]),
                 **{_PLURAL[kind]: kinds[kind] for kind in ("method", "benchmark", "dataset")}}
            )  # fmt: skip
    order = {name: place for place, name in enumerate(_tree(catalog))}
    leaves.sort(key=lambda row: order[str(row["id"])])
    latest = sorted(
        ((kind, entry) for kind, entry in entries if isinstance(entry, Work)),
        key=lambda pair: (pair[1].added, month(pair[1].paper) or "", pair[1].id),
        reverse=True,
    )
    years = Counter(year(entry) for _, entry in entries if isinstance(entry, Work))
    return {
        "entries": rungs,
        "leaves": leaves,
        "words": {name: len(found) for name, found in by_word.items()},
        "empty_words": [
            name
            for name, found in by_word.items()
            if not found and catalog.words[name].kind != "protocol_item"  # no entry carries these
        ],
        "numbers": {
            "total": len(numbers),
            "methods": len(reporting),
            "methods_of": len(catalog.methods),
            "benchmarks": len({item.benchmark for item in numbers}),
            "metrics": len({item.metric for item in numbers}),
            "with_frames": sum(
                item.setting.frames is not None or item.setting.fps is not None for item in numbers
            ),
        },
        "unverified": checked,
        "openness": openness,
        "results": dict(Counter(card.kind for card in catalog.results.values())),
        "years": {str(name or "none"): years[name] for name in sorted(years, key=lambda y: y or 0)},
        "newest": [
            {"added": entry.added.isoformat(), "kind": kind, "id": entry.id, "name": entry.name,
             "paper": month(entry.paper) if isinstance(entry, Work) else None}
            for kind, entry in latest[:newest]
        ],
    }  # fmt: skip


def _tree(catalog: Catalog, top: str | None = None) -> Iterator[str]:
    """Ids of the words, each followed by the words below it; pillars first."""
    below = graph.children(catalog, top)
    for name in sorted(below, key=lambda name: catalog.words[name].kind != "pillar"):
        yield name
        yield from _tree(catalog, name)


@click.command()
@click.option("--newest", default=10, show_default=True, type=click.IntRange(0, 1000))
@JSON
def stats(newest: int, as_json: bool) -> None:
    """Show the state: rungs, coverage of the taxonomy, numbers, what is not verified, openness.

    \b
    Examples:
      vidpost stats
      vidpost stats --json
    """
    data = state(load(), newest)
    if as_json:
        click.echo(dump(data))
        return
    out = console()
    for table in _shown(data):
        out.print(table)
    numbers = data["numbers"]
    cards = ", ".join(f"{n} {kind}" for kind, n in data["results"].items())
    out.print(
        f"{numbers['total']:,} reported numbers on {numbers['methods']} of "
        f"{numbers['methods_of']} methods, over {numbers['benchmarks']} benchmarks and "
        f"{numbers['metrics']} metrics; {numbers['with_frames']:,} state their frames. "
        f"Result cards: {cards or 'none'}."
    )
    leaves = {row["id"] for row in data["leaves"]}
    if empty := [name for name in data["empty_words"] if name not in leaves]:
        out.print(f"Other words without an entry: {', '.join(empty)}")


def _shown(data: dict[str, Any]) -> Iterator[Table]:
    """The tables, at most 100 columns wide."""
    from rich.table import Table
    from rich.text import Text

    table = Table(title="Entries by kind and rung", title_justify="left")
    table.add_column("kind")
    for name in ("total", *RUNGS):
        table.add_column(name, justify="right")
    for kind, row in data["entries"].items():
        table.add_row(kind, str(row["total"]), *(str(row.get(rung, "")) for rung in RUNGS))
    yield table
    table = Table(title="Values that nobody could check", title_justify="left")
    table.add_column("kind")
    for name in ("values", "not verified", "share", "in entries"):
        table.add_column(name, justify="right")
    for kind, row in data["unverified"].items():
        share = f"{100 * row['share']:.1f} %"
        table.add_row(
            kind, f"{row['cells']:,}", f"{row['unverified']:,}", share, str(row["entries"])
        )
    yield table
    table = Table(title="Open, of how many", title_justify="left")
    table.add_column("kind")
    names = list(dict.fromkeys(what for row in data["openness"].values() for what in row))
    for name in names:
        table.add_column(name, justify="right")
    for kind, row in data["openness"].items():
        shares = (
            f"{row[what]} ({100 * row[what] / row['of']:.0f} %)" if what in row else ""
            for what in names[1:]
        )
        table.add_row(kind, str(row["of"]), *shares)
    yield table
    table = Table(title="Coverage of the taxonomy", title_justify="left")
    table.add_column("word", no_wrap=True)
    for name in ("methods", "benchmarks", "datasets", "entries"):
        table.add_column(name, justify="right")
    for row in data["leaves"]:
        label = Text("  " * row["depth"] + row["name"] + (" *" if row["origin"] == "ours" else ""))
        counts = [str(row[name] or "") for name in ("methods", "benchmarks", "datasets")]
        total = str(row["entries"]) if row["entries"] else "empty"
        style = "bold" if row["depth"] == 0 else None if row["entries"] else "yellow"
        table.add_row(label, *counts, total, style=style)
    table.caption = "* added here, not in the survey; a word counts what is below it"
    table.caption_justify = "left"
    yield table
    if data["newest"]:
        table = Table(title="Newest", title_justify="left")
        for name in ("added", "kind", "id", "paper of", "name"):
            table.add_column(name, no_wrap=name != "name")
        for row in data["newest"]:
            table.add_row(
                row["added"], row["kind"], row["id"], row["paper"] or "", Text(row["name"])
            )
        yield table
