"""`vidpost export`: a selection of the catalogue for other programs."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

import click

from vidpost.catalog.diagnostics import CatalogError
from vidpost.catalog.loader import Catalog, load
from vidpost.catalog.models import KINDS, Entry, Work
from vidpost.cli.browse import JSON, dump
from vidpost.cli.selection import Selection, filters

FORMATS = ("bibtex", "csl-json", "csv", "readme")
TABLES = ("entries", "numbers", "links")


@click.command()
@click.argument("form", metavar="FORMAT", type=click.Choice(FORMATS))
@click.argument("names", metavar="[ID]...", nargs=-1)
@click.option("--kind", "kinds", multiple=True, type=click.Choice(list(KINDS)), help="Only these.")
@filters
@click.option("--table", type=click.Choice(TABLES), help="Which table of csv; entries if not said.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="File to write; for csv without --table a folder, which gets all three tables.",
)
@JSON
def export(
    form: str,
    names: tuple[str, ...],
    kinds: tuple[str, ...],
    status: str | None,
    pillar: str | None,
    word: str | None,
    year: int | None,
    table: str | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Write a selection as bibtex, csl-json, csv or readme (the companion list's layout).

    Without filters the whole catalogue is meant. An ID may also be a name or an arXiv id. With
    --json, csv gives rows as JSON, with lists as lists.

    \b
    Examples:
      vidpost export bibtex video-r1 time-r1
      vidpost export csl-json --pillar rl --year 2025 --out rl.json
      vidpost export csv --table numbers --word rl_reward_temporal
      vidpost export csv --out tables
      vidpost export readme --out README.md
    """
    if table and form != "csv":
        raise CatalogError(f"--table is for csv, not for {form}. Leave it out.")
    if as_json and form in ("bibtex", "readme"):
        raise CatalogError(f"{form} is not JSON. Leave --json out, or export csl-json or csv.")
    catalog = load()
    found = Selection(kinds, status, pillar, word, year, names).of(catalog)
    if not found:
        raise CatalogError("no entry passes these filters. `vidpost list all` shows what there is.")
    if form == "csv":
        files = _tables(found, table, as_json)
        if out is not None and table is None:
            _write({out / name: text for name, text in files.items()})
        else:
            wanted = f"{table or 'entries'}.{'json' if as_json else 'csv'}"
            _give(files[wanted], out)
        return
    text, left = _document(form, catalog, found)
    if len(left) == len(found):
        raise CatalogError(f"no paper stands behind the selected entries: {_some(left)}.")
    _give(text, out)
    if left:
        click.echo(f"left out, since no paper stands behind them: {_some(left)}", err=True)


def _some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _document(form: str, catalog: Catalog, found: list[tuple[str, Entry]]) -> tuple[str, list[str]]:
    """The text of one document, and the ids of entries that have no place in it."""
    from vidpost.export import bibtex, csl, readme

    if form == "readme":
        left = [entry.id for _, entry in found if not readme.is_work(entry)]
        return readme.readme(catalog, found), left
    by_id = {entry.id: entry for _, entry in catalog.entries()}
    works: dict[str, Work] = {}
    left = []
    for _, entry in found:
        # What was released with a work is cited by that work's paper.
        origin = entry
        if isinstance(entry, Work) and entry.paper is None and entry.released_with:
            origin = by_id.get(entry.released_with, entry)
        if isinstance(origin, Work) and origin.paper:
            works[origin.id] = origin
        else:
            left.append(entry.id)
    if form == "bibtex":
        return bibtex.bibliography(works.values()), left
    items = [csl.item(works[name]) for name in sorted(works)]
    return dump(items) + "\n", left


def _tables(found: list[tuple[str, Entry]], table: str | None, as_json: bool) -> dict[str, str]:
    """File name -> text of the asked table, or of all three with their description."""
    from vidpost.export import tables

    files: dict[str, str] = {}
    counts: dict[str, int] = {}
    for name in TABLES if table is None else (table,):
        rows = tables.rows(name, found)
        counts[name] = len(rows)
        if as_json:
            files[f"{name}.json"] = dump(rows) + "\n"
        else:
            files[f"{name}.csv"] = tables.to_csv(name, rows)
    if table is None and not as_json:
        files["datapackage.json"] = dump(tables.data_package(counts)) + "\n"
    return files


def _give(text: str, out: Path | None) -> None:
    if out is None:
        click.echo(text, nl=False)
    elif out.is_dir():
        raise CatalogError(f"{out} is a folder. Name a file.")
    else:
        _write({out: text})


def _write(files: Mapping[Path, str]) -> None:
    """Writes all files whole, over older ones; if one cannot be written, none is changed.

    Raises:
        CatalogError: One cannot be written.
    """
    ready: list[tuple[str, Path]] = []
    path = Path()
    try:
        for path, text in files.items():
            if path.is_dir():
                raise IsADirectoryError(0, "is a folder")
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
            ready.append((name, path))
            with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
                file.write(text)
            Path(name).chmod(0o644)
        for name, path in ready:
            Path(name).replace(path)
    except OSError as error:
        reason = error.strerror or "cannot be written"
        message = f"{path}: {reason}. Nothing was written; choose another --out."
        raise CatalogError(message) from None
    finally:
        for name, _ in ready:
            Path(name).unlink(missing_ok=True)
    for path, text in files.items():
        click.echo(f"wrote {path} ({len(text.encode()):,} bytes)", err=True)
