"""The tables of methods, benchmarks, data sets, metrics and surveys, with their facets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import quote

from markupsafe import Markup

from vidpost.catalog.models import (
    RUNGS,
    BenchmarkEntry,
    DatasetEntry,
    Entry,
    MethodEntry,
    MetricEntry,
    SurveyEntry,
    Work,
)
from vidpost.site import context as ctx
from vidpost.site.context import ONE, PLURAL, TITLE, Site
from vidpost.site.text import escape, number

LEAD = {
    "method": "Post-training and test-time methods for video models. Open one to see what it "
    "changes, where its numbers come from, and whether it runs here.",
    "benchmark": "What video models are tested on, with metrics, splits and the protocols under "
    "which people reported numbers.",
    "dataset": "What video models are trained on after pretraining, with size, licence and who "
    "uses it.",
    "metric": "How answers are scored: definition, range, what happens at the edges, and which "
    "harness computes it how.",
    "survey": "The survey this catalogue starts from, and its neighbours.",
}


class Cell(NamedTuple):
    """A cell of a row.

    Attributes:
        html: What is shown.
        key: What it is sorted by; None sorts by the text.
        number: Whether it is set right-aligned.
    """

    html: Markup
    key: object = None
    number: bool = False


class Column(NamedTuple):
    """A column: heading, sort kind ("text", "number" or none), alignment."""

    label: str
    sort: str | None = "text"
    number: bool = False


class Facet(NamedTuple):
    """A choice above the table.

    Attributes:
        name: Name in the address and of the rows' data attribute.
        label: Heading.
        options: (value, label, number of rows), in the order shown.
    """

    name: str
    label: str
    options: list[tuple[str, str, int]]


def table(site: Site, kind: str) -> dict[str, Any]:
    """Everything the table template needs for one kind of entry."""
    entries = sorted(site.catalog.of_kind(kind).values(), key=lambda e: (e.name.lower(), e.id))
    columns, row = _LAYOUT[kind]
    rows = []
    for entry in entries:
        cells, data = row(site, entry)
        data = {"q": _words(entry), **data}
        rows.append(
            {"id": entry.id, "name": entry.name, "path": site.path(entry.id), "cells": cells,
             "data": {name: value for name, value in data.items() if value}}
        )  # fmt: skip
    plural = PLURAL[kind]
    template = f"id: my_{kind}\nname: TODO\nstatus: listed\n"
    return {
        "kind": kind, "one": ONE[kind], "plural": plural, "title": TITLE[kind],
        "noun": "data sets" if kind == "dataset" else plural,
        "lead": LEAD[kind], "description": LEAD[kind], "columns": [Column("Name"), *columns],
        "rows": rows, "facets": _facets(site, rows), "has_bib": kind != "metric",
        "new_url": f"{site.repo}/new/main/catalog/{plural}?filename=my_{kind}.yaml"
        f"&value={quote(template)}",
    }  # fmt: skip


def _words(entry: Entry) -> str:
    """What the text box searches besides the visible cells: aliases, authors, arXiv id."""
    parts = [entry.id, *entry.aliases]
    if isinstance(entry, Work) and entry.paper is not None:
        paper = entry.paper
        parts += [paper.title, paper.arxiv_id or "", paper.first_author or ""]
        parts += [name.split()[-1] for name in paper.authors if name.split()]
    return " ".join(filter(None, dict.fromkeys(parts)))[:400]


FACETS = {
    "pillar": "Pillar",
    "reward": "Reward",
    "challenge": "Challenge",
    "task": "Task",
    "leaf": "Leaf",
    "use": "Used for",
    "year": "Year",
    "open": "Released",
    "status": "Status",
    "direction": "Better is",
}
"""Name in the address -> heading, in the order in which they are shown."""


def _facets(site: Site, rows: list[dict[str, Any]]) -> list[Facet]:
    """The facets for which the rows have values, with counts."""
    facets = []
    for name, label in FACETS.items():
        counts = Counter(value for row in rows for value in row["data"].get(name, "").split())
        if len(counts) < 2:
            continue
        words = site.catalog.words
        known = {word: place for place, word in enumerate([*RUNGS, *words])}
        order = sorted(counts, key=lambda v: (known.get(v, -1), v))
        if name == "year":
            order = sorted(counts, reverse=True)
        options = [
            (v, words[v].name if v in words else v.replace("_", " "), counts[v]) for v in order
        ]
        facets.append(Facet(name, label, options))
    return facets


def _names(site: Site, ids: tuple[str, ...]) -> Cell:
    words = site.catalog.words
    return Cell(escape(", ".join(words[w].name if w in words else w for w in ids) or None))


def _pillars(ids: tuple[str, ...]) -> Cell:
    return Cell(escape(", ".join(w.upper() for w in ids) or None))


def _when(entry: Entry) -> Cell:
    when = ctx.month(entry) or ctx.year(entry)
    return Cell(escape(when), str(when or "0"))


def _status(entry: Work) -> Cell:
    mark = f'<span class="chip chip-{entry.status}">{entry.status}</span>'
    return Cell(Markup(mark), RUNGS.index(entry.status))


def _common(entry: Work) -> dict[str, str]:
    return {
        "leaf": " ".join(entry.taxonomy),
        "pillar": " ".join(ctx.pillars(entry)),
        "year": str(ctx.year(entry) or ""),
        "status": entry.status,
    }


Row = tuple[list[Cell], dict[str, str]]


def _method(site: Site, entry: Entry) -> Row:
    assert isinstance(entry, MethodEntry)
    released = [
        name
        for name, there in (
            ("code", entry.code), ("weights", entry.weights), ("data", entry.data_links)
        ) if there
    ]  # fmt: skip
    numbers = len(entry.reported)
    cells = [
        _pillars(entry.pillars),
        _names(site, entry.taxonomy[:2]),
        _when(entry),
        Cell(escape(", ".join(released) or None)),
        Cell(escape(number(numbers)), numbers, number=True),
        _status(entry),
    ]
    data = _common(entry) | {
        "reward": " ".join(entry.reward_aspects),
        "challenge": " ".join(entry.challenges),
        "open": " ".join(released),
    }
    return cells, data


def _benchmark(site: Site, entry: Entry) -> Row:
    assert isinstance(entry, BenchmarkEntry)
    numbers = len(site.reported_on.get(entry.id, ()))
    metrics = site.catalog.metrics
    names = [metrics[m].name if m in metrics else m for m in entry.metrics]
    size = next((f"{number(s.count)} {s.of}" for s in entry.sizes if s.count is not None), None)
    cells = [
        _names(site, entry.tasks[:3] or entry.taxonomy[:2]),
        Cell(escape(size)),
        Cell(escape(", ".join(names[:3]) or None)),
        _when(entry),
        Cell(escape(number(numbers)), numbers, number=True),
        _status(entry),
    ]
    return cells, _common(entry) | {
        "task": " ".join(entry.tasks),
        "open": "code" if entry.code else "",
    }


def _dataset(site: Site, entry: Entry) -> Row:
    assert isinstance(entry, DatasetEntry)
    used = len(site.backlinks.get(entry.id, {}).get("trains", ()))
    size = next((s for s in entry.sizes if s.count is not None), None)
    amount = f"{number(size.count)} {size.of}" if size else None
    cells = [
        Cell(escape(", ".join(entry.used_for) or None)),
        Cell(escape(amount), size.count if size else 0),
        Cell(escape(", ".join(entry.modalities) or None)),
        Cell(escape(entry.license)),
        _when(entry),
        Cell(escape(number(used)), used, number=True),
        _status(entry),
    ]
    return cells, _common(entry) | {"use": " ".join(entry.used_for)}


def _metric(site: Site, entry: Entry) -> Row:
    assert isinstance(entry, MetricEntry)
    back = site.backlinks.get(entry.id, {})
    low, high = (number(bound) if bound is not None else "unbounded" for bound in entry.range)
    used = len(back.get("used_by_benchmarks", ()))
    cells = [
        Cell(escape(entry.summary)),
        Cell(escape(f"{low} to {high} ({entry.unit})")),
        Cell(escape(entry.direction)),
        Cell(escape(number(used)), used, number=True),
        Cell(escape("yes" if entry.module else "not yet")),
    ]
    return cells, {"direction": entry.direction}


def _survey(site: Site, entry: Entry) -> Row:
    assert isinstance(entry, SurveyEntry)
    title = entry.paper.title if entry.paper else None
    cells = [Cell(escape(title)), Cell(escape(entry.period)), _when(entry)]
    return cells, _common(entry)


_LAYOUT: dict[str, tuple[list[Column], Callable[[Site, Entry], Row]]] = {
    "method": (
        [Column("Pillar"), Column("What it is"), Column("First version"), Column("Released"),
         Column("Numbers", "number", True), Column("Status", "number")],
        _method,
    ),
    "benchmark": (
        [Column("Tasks"), Column("Size"), Column("Metrics"), Column("First version"),
         Column("Numbers", "number", True), Column("Status", "number")],
        _benchmark,
    ),
    "dataset": (
        [Column("Used for"), Column("Size", "number"), Column("Holds"), Column("Licence"),
         Column("First version"), Column("Methods", "number", True), Column("Status", "number")],
        _dataset,
    ),
    "metric": (
        [Column("What it measures"), Column("Range"), Column("Better is"),
         Column("Benchmarks", "number", True), Column("Our code")],
        _metric,
    ),
    "survey": ([Column("Title"), Column("Covers"), Column("First version")], _survey),
}  # fmt: skip
