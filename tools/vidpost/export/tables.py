"""Three tidy tables: entries, numbers, links. CSV that spreadsheets cannot run, ready for Parquet.

Columns keep their names, types and order; new ones are added at the end. `COLUMNS` documents them,
on the site's API page and in the `datapackage.json` beside the files (a Frictionless data package,
from which readers take the types).
"""

from __future__ import annotations

import csv
import datetime
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from vidpost.catalog.models import (
    BenchmarkEntry,
    DatasetEntry,
    Entry,
    MethodEntry,
    MetricEntry,
    Paper,
    Work,
)
from vidpost.export.text import plain

LIST = "|"
"""Separates the items of a list in a cell; it is taken out of the items themselves."""

Row = dict[str, Any]


class Column(NamedTuple):
    """A column of a table.

    Attributes:
        name: Its name.
        type: string, integer, number, boolean, date, or list (of strings).
        meaning: What stands in it.
    """

    name: str
    type: str
    meaning: str


COLUMNS: dict[str, tuple[Column, ...]] = {
    "entries": (
        Column("id", "string", "Id; unique, never changes meaning"),
        Column("kind", "string", "method, benchmark, dataset, metric or survey"),
        Column("name", "string", "Name as its authors write it"),
        Column("aliases", "list", "Other spellings and former names"),
        Column("summary", "string", "One sentence in our words"),
        Column("status", "string", "Rung of the ladder; none for metrics"),
        Column("title", "string", "Title of the paper"),
        Column("first_author", "string", "First author"),
        Column("authors", "list", "All authors, where they are known"),
        Column("year", "integer", "Year of the first version"),
        Column("month", "string", "Month of the first version on arXiv, YYYY-MM"),
        Column("venue", "string", "Venue and year"),
        Column("arxiv_id", "string", "arXiv id without version"),
        Column("doi", "string", "DOI"),
        Column("paper_url", "string", "Best address of the paper"),
        Column("released_with", "string", "Entry whose paper released it"),
        Column("pillars", "list", "sft, rl, tts"),
        Column("taxonomy", "list", "Leaves of the taxonomy"),
        Column("challenges", "list", "Challenges of video it addresses"),
        Column("reward_aspects", "list", "What its rewards look at"),
        Column("tasks", "list", "Tasks of a benchmark"),
        Column("metrics", "list", "Metrics of a benchmark"),
        Column("algorithm", "string", "Algorithm by its usual name"),
        Column("baseline", "string", "Baseline it is a delta to"),
        Column("base_models", "list", "Models it starts from"),
        Column("trained_on", "list", "Data set ids"),
        Column("evaluated_on", "list", "Benchmark ids"),
        Column("numbers", "integer", "Reported numbers in the table numbers"),
        Column("license", "string", "Licence of weights or data"),
        Column("survey_sections", "list", "Where the survey treats it"),
        Column("survey_refs", "list", "Reference numbers in the survey"),
        Column("superseded_by", "string", "Entry that replaces it"),
        Column("metric_unit", "string", "Unit of a metric"),
        Column("metric_direction", "string", "higher or lower, what is better"),
        Column("unverified", "list", "Fields that nobody could check"),
        Column("added", "date", "Day it was added"),
    ),
    "numbers": (
        Column("method", "string", "Entry that reports the number"),
        Column("position", "integer", "Place in the entry's list, from 0"),
        Column("model", "string", "Model with its size"),
        Column("benchmark", "string", "Benchmark id"),
        Column("split", "string", "Split, if not the whole benchmark"),
        Column("metric", "string", "Metric id"),
        Column("value", "number", "As printed, in unit"),
        Column("unit", "string", "%, fraction, points or seconds"),
        Column("value_in_metric_unit", "number", "On the metric's scale: percent as fraction"),
        Column("frames", "string", "Frames a video, a number or a rule"),
        Column("fps", "number", "Frames a second"),
        Column("resolution", "string", "Pixels a frame"),
        Column("subtitles", "boolean", "Whether subtitles were given"),
        Column("note", "string", "Anything else about the protocol"),
        Column("source", "string", "Table and version it was read from"),
        Column("unverified", "string", "Why it is not verified; empty if it is"),
    ),
    "links": (
        Column("id", "string", "Entry id"),
        Column("kind", "string", "Kind of entry"),
        Column("role", "string", "paper, code, weights or data"),
        Column("url", "string", "Address"),
        Column("name", "string", "What is there"),
        Column("revision", "string", "Pinned commit or revision"),
        Column("license", "string", "Licence of what is there"),
    ),
}
"""Table -> its columns."""

KEYS = {"entries": ["id"], "numbers": ["method", "position"], "links": ["id", "role", "url"]}
"""Table -> columns that tell its rows apart."""


def month(paper: Paper | None) -> str | None:
    """Month of the first version, "2025-03", where the arXiv id tells it."""
    digits = (paper.arxiv_id or "") if paper else ""
    found = re.match(r"(\d\d)(0[1-9]|1[0-2])\.", digits)
    return f"20{found[1]}-{found[2]}" if found else None


def flagged(entry: Entry, path: str) -> str | None:
    """Why the value at `path`, or something below it, is not verified; None if it is."""
    for each, why in entry.unverified.items():
        if each == path or each.startswith((f"{path}.", f"{path}[")):
            return why
    return None


def rows(table: str, entries: Iterable[tuple[str, Entry]]) -> list[Row]:
    """The rows of one table, each with every column; absent values are None.

    Args:
        table: entries, numbers or links.
        entries: (kind, entry) pairs.
    """
    make = {"entries": _entries, "numbers": _numbers, "links": _links}[table]
    names = [column.name for column in COLUMNS[table]]
    return [
        {name: row.get(name) for name in names}
        for kind, entry in entries
        for row in make(kind, entry)
    ]


def _entries(kind: str, entry: Entry) -> Iterator[Row]:
    row: Row = {
        "id": entry.id, "kind": kind, "name": entry.name, "aliases": entry.aliases,
        "summary": entry.summary, "unverified": sorted(entry.unverified), "added": entry.added,
    }  # fmt: skip
    if isinstance(entry, Work):
        paper = entry.paper
        row |= {
            "status": entry.status, "taxonomy": entry.taxonomy,
            "released_with": entry.released_with,
            "superseded_by": entry.related.superseded_by,
            "survey_sections": entry.survey.sections if entry.survey else (),
            "survey_refs": tuple(map(str, entry.survey.refs)) if entry.survey else (),
        }  # fmt: skip
        if paper is not None:
            row |= {
                "title": paper.title, "authors": paper.authors, "year": paper.year,
                "first_author": paper.authors[0] if paper.authors else paper.first_author,
                "month": month(paper), "venue": paper.venue, "arxiv_id": paper.arxiv_id,
                "doi": paper.doi, "paper_url": paper.link,
            }  # fmt: skip
    if isinstance(entry, MethodEntry | BenchmarkEntry | DatasetEntry):
        row |= {"pillars": entry.pillars, "license": entry.license}
    if isinstance(entry, MethodEntry):
        row |= {
            "challenges": entry.challenges, "reward_aspects": entry.reward_aspects,
            "algorithm": entry.algorithm, "baseline": entry.baseline,
            "base_models": entry.base_models, "trained_on": entry.trained_on,
            "evaluated_on": entry.evaluated_on, "numbers": len(entry.reported),
        }  # fmt: skip
    if isinstance(entry, BenchmarkEntry):
        row |= {"tasks": entry.tasks, "metrics": entry.metrics}
    if isinstance(entry, MetricEntry):
        row |= {"metric_unit": entry.unit, "metric_direction": entry.direction}
    yield row


def _numbers(kind: str, entry: Entry) -> Iterator[Row]:
    for position, item in enumerate(entry.reported if isinstance(entry, MethodEntry) else ()):
        frames = item.setting.frames
        yield {
            "method": entry.id, "position": position, "model": item.model or entry.name,
            "benchmark": item.benchmark, "split": item.split, "metric": item.metric,
            "value": item.value, "unit": item.unit, "value_in_metric_unit": item.in_metric_unit(),
            "frames": None if frames is None else str(frames), "fps": item.setting.fps,
            "resolution": item.setting.resolution, "subtitles": item.setting.subtitles,
            "note": item.setting.note, "source": item.source,
            "unverified": flagged(entry, f"reported[{position}]"),
        }  # fmt: skip


def _links(kind: str, entry: Entry) -> Iterator[Row]:
    if not isinstance(entry, Work):
        return
    seen = set()
    for role, url, name, revision, licence in _addresses(entry):
        if (role, url) not in seen:
            seen.add((role, url))
            yield {"id": entry.id, "kind": kind, "role": role, "url": url, "name": name,
                   "revision": revision, "license": licence}  # fmt: skip


Address = tuple[str, str, str | None, str | None, str | None]


def _addresses(entry: Work) -> Iterator[Address]:
    """(role, address, name, revision, licence) of everything an entry links to."""
    if entry.paper and entry.paper.link:
        yield "paper", entry.paper.link, None, None, None
    if entry.code:
        yield "code", entry.code.url, None, entry.code.commit, entry.code.license
    if isinstance(entry, MethodEntry):
        for link in entry.weights:
            yield "weights", link.url, link.name, link.revision, link.license or entry.license
    for url, name, revision, licence in data_links(entry):
        yield "data", url, name, revision, licence


def data_links(entry: Work) -> list[tuple[str, str | None, str | None, str | None]]:
    """(address, name, revision, licence) of the data that an entry releases."""
    if isinstance(entry, MethodEntry):
        return [(link.url, link.name, link.revision, link.license) for link in entry.data_links]
    if not isinstance(entry, BenchmarkEntry | DatasetEntry):
        return []
    found: list[tuple[str, str | None, str | None, str | None]] = [
        (f"https://huggingface.co/datasets/{name}", name, entry.revision, entry.license)
        for name in entry.hf_ids
        if re.fullmatch(r"[\w.-]+/[\w.-]+", name)
    ]
    if isinstance(entry, DatasetEntry):
        known = {address for address, *_ in found}
        found += [
            (link.url, link.name or link.url, link.revision, link.license or entry.license)
            for link in entry.links
            if link.url not in known
        ]
    return found


# --- CSV ------------------------------------------------------------------------------------

# What spreadsheets read as a formula, in ASCII and in full width, and the mark itself.
_RUNS = tuple("=+-@'＝＋－＠")  # noqa: RUF001 - the full-width signs are meant


def cell(value: Any) -> str | int | float:
    """A value as a CSV cell: lists joined, dates and booleans as text, formulas disarmed.

    Text that a spreadsheet would run gets an apostrophe in front, and so does text that starts
    with one; who removes one leading apostrophe has the text back.
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return value
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, list | tuple):
        value = LIST.join(plain(item).replace(LIST, "/") for item in value)
    text = plain(value)
    return f"'{text}" if text.startswith(_RUNS) else text


def to_csv(table: str, found: Sequence[Mapping[str, Any]]) -> str:
    """Rows as CSV: a header, text in quotes, numbers bare, None empty, lines end in a line feed."""
    stream = io.StringIO()
    writer = csv.writer(stream, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
    names = [column.name for column in COLUMNS[table]]
    writer.writerow(names)
    writer.writerows([cell(row[name]) for name in names] for row in found)
    return stream.getvalue()


def data_package(counts: Mapping[str, int]) -> Row:
    """The description of the three files, with the type and meaning of every column.

    Args:
        counts: Table -> number of rows.
    """
    types = {"list": "string"}
    return {
        "profile": "tabular-data-package",
        "name": "vidpost",
        "title": "vidpost: the executable survey of Video-LMM post-training",
        "licenses": [{"name": "CC-BY-4.0"}],
        "notes": f"A list is one cell with '{LIST}' between its items. Text that a spreadsheet "
        "would run as a formula, or that starts with an apostrophe, has one apostrophe in front.",
        "resources": [
            {
                "name": table,
                "path": f"{table}.csv",
                "rows": counts[table],
                "encoding": "utf-8",
                "schema": {
                    "fields": [
                        {"name": c.name, "type": types.get(c.type, c.type),
                         **({"separator": LIST} if c.type == "list" else {}),
                         "description": c.meaning}
                        for c in columns
                    ],
                    "primaryKey": KEYS[table],
                    "missingValues": [""],
                },
            }
            for table, columns in COLUMNS.items()
        ],
    }  # fmt: skip
