"""Reading the catalogue: list, show, card, schema."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import click
import yaml

from vidpost.catalog import graph, models
from vidpost.catalog.diagnostics import CatalogError, closest
from vidpost.catalog.loader import load, load_model
from vidpost.catalog.models import (
    FOLDERS,
    KINDS,
    RUNGS,
    Entry,
    ResultCard,
    Work,
)
from vidpost.cli.selection import Selection, filters, pillars, year

JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def table(rows: Iterable[Sequence[str]], head: Sequence[str]) -> str:
    """Rows as aligned columns; the last column is not padded."""
    lines = [tuple(head), *map(tuple, rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def dump(data: object) -> str:
    """JSON with two blanks of indentation, keys in order, dates as text."""
    return json.dumps(data, indent=2, ensure_ascii=False, default=str)


def _row(kind: str, entry: Entry) -> dict[str, Any]:
    row: dict[str, Any] = {"id": entry.id, "kind": kind, "name": entry.name}
    row["status"] = entry.status if isinstance(entry, Work) else ""
    row["pillars"] = list(pillars(entry))
    row["year"] = str(year(entry) or "")
    row["summary"] = entry.summary or ""
    return row


@click.command("list")
@click.argument(
    "what",
    default="methods",
    type=click.Choice([*FOLDERS, "results", "words", "all"]),
)
@filters
@click.option("--sort", default="id", type=click.Choice(["id", "name", "year", "status"]))
@JSON
def list_(
    what: str,
    status: str | None,
    pillar: str | None,
    word: str | None,
    year: int | None,
    sort: str,
    as_json: bool,
) -> None:
    """List entries, filtered and sorted.

    \b
    Examples:
      vidpost list methods --pillar rl --status runnable
      vidpost list all --word rl_reward_temporal --json
      vidpost list words
    """
    catalog = load()
    if what == "words":
        words = [each.model_dump(mode="json") for each in catalog.words.values()]
        rows = [(w["id"], w["kind"], w["parent"] or "", w["name"]) for w in words]
        click.echo(dump(words) if as_json else table(rows, ("id", "kind", "parent", "name")))
        return
    if what == "results":
        cards = {key: card.model_dump(mode="json") for key, card in catalog.results.items()}
        lines = [
            (key, c.kind, c.benchmark, c.metric, f"{c.score:.3f}", c.fingerprint)
            for key, c in catalog.results.items()
        ]
        head = ("card", "kind", "benchmark", "metric", "score", "fingerprint")
        click.echo(dump(cards) if as_json else table(lines, head))
        return
    kinds = () if what == "all" else (FOLDERS[what],)
    chosen = Selection(kinds, status, pillar, word, year).of(catalog)
    found = [_row(kind, entry) for kind, entry in chosen]
    rank = {rung: i for i, rung in enumerate(("", *RUNGS))}
    found.sort(key=lambda row: (rank[row[sort]] if sort == "status" else row[sort], row["id"]))
    if as_json:
        click.echo(dump(found))
        return
    shown = [
        (r["id"], r["kind"], r["status"], r["year"], "+".join(r["pillars"]), r["name"])
        for r in found
    ]
    click.echo(table(shown, ("id", "kind", "status", "year", "pillars", "name")))
    click.echo(f"{len(shown)} of {sum(1 for _ in catalog.entries())} entries", err=True)


@click.command()
@click.argument("name")
@click.option("--kind", type=click.Choice(list(KINDS)), help="If two kinds share the name.")
@JSON
def show(name: str, kind: str | None, as_json: bool) -> None:
    """Show one entry and what points at it. Takes an id, a name, an alias or an arXiv id.

    \b
    Examples:
      vidpost show video-r1
      vidpost show 2503.21776 --json
    """
    catalog = load()
    found_kind, entry = catalog.find(name, kind)
    links = graph.backlinks(catalog).get(entry.id, {})
    data = entry.model_dump(mode="json", exclude_defaults=True)
    if as_json:
        file = catalog.files[found_kind, entry.id]
        click.echo(dump({"kind": found_kind, "file": file, **data, "backlinks": links}))
        return
    status = f", {entry.status}" if isinstance(entry, Work) else ""
    click.echo(f"{entry.name} ({found_kind} {entry.id}{status})")
    if entry.summary:
        click.echo(entry.summary)
    paper = entry.paper if isinstance(entry, Work) else None
    if paper is not None:
        click.echo(f"{paper.title}  {paper.link or ''}".rstrip())
    numbers = data.pop("reported", [])
    for key in ("id", "name", "status", "summary"):
        data.pop(key, None)
    click.echo()
    click.echo(yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=100).rstrip())
    if numbers:
        rows = [
            (
                n["benchmark"],
                n["metric"],
                f"{n['value']:g} {n.get('unit', '%')}",
                str(n["setting"].get("frames", "not reported")),
                n.get("model", ""),
                n["source"],
            )
            for n in numbers
        ]
        click.echo("\nreported:")
        click.echo(table(rows, ("benchmark", "metric", "value", "frames", "model", "source")))
    for relation, ids in links.items():
        click.echo(f"{relation}: {', '.join(ids)}")


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@JSON
def card(path: Path, as_json: bool) -> None:
    """Validate and show a result card: a file, or the id of a promoted one.

    \b
    Examples:
      vidpost card runs/video_r1-20261122/card.yaml
      vidpost card video_r1/mini --json
    """
    if path.is_dir():
        path = path / "card.yaml"
    if path.exists():
        found = load_model(path, ResultCard)
    else:
        results = load().results
        if str(path) not in results:
            hint = closest(str(path), results) or "`vidpost list results` shows the promoted ones."
            raise CatalogError(f"no card '{path}'. {hint}")
        found = results[str(path)]
    if as_json:
        click.echo(dump(found.model_dump(mode="json")))
        return
    click.echo(
        f"{found.method} ({found.preset}, {found.variant}), {found.kind}, {found.date}, "
        f"{len(found.seeds)} seed(s), {found.hardware.device}"
    )
    rows = [
        (found.checkpoint.stage, found.task, str(found.n), *_score(found.score, found.interval))
    ]
    rows += [(s.name, s.task, str(s.n), *_score(s.score, s.interval)) for s in found.scores]
    click.echo(f"{found.benchmark} {found.benchmark_revision}, {found.metric}:")
    head = ("checkpoint", "task", "n", "score", f"{found.level:.0%} interval")
    click.echo(table(rows, head))
    for each in found.comparisons:
        p_value = "" if each.p_value is None else f", p = {each.p_value:.3g}"
        click.echo(f"against {each.against}: {each.difference:+.3f} ({each.test}{p_value})")
    click.echo(f"protocol {found.fingerprint}, commit {found.commit}")


def _score(score: float, interval: models.Interval | None) -> tuple[str, str]:
    return f"{score:.3f}", "" if interval is None else f"[{interval[0]:.3f}, {interval[1]:.3f}]"


SCHEMAS: dict[str, type[models.Model]] = {
    **KINDS,
    "taxonomy": models.WordFile,
    "result": ResultCard,
}
"""Name of a schema -> its model."""


@click.command()
@click.argument("kind", default="method", type=click.Choice(list(SCHEMAS)))
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), help="Write all schemas here."
)
def schema(kind: str, out: Path | None) -> None:
    """Print the JSON Schema of a kind of entry, for editors and other programs.

    \b
    Examples:
      vidpost schema benchmark
      vidpost schema --out catalog/schema
    """
    if out is None:
        click.echo(dump(SCHEMAS[kind].model_json_schema()))
        return
    out.mkdir(parents=True, exist_ok=True)
    for name, model in SCHEMAS.items():
        text = dump(model.model_json_schema()) + "\n"
        (out / f"{name}.schema.json").write_text(text, encoding="utf-8")
    click.echo(f"wrote {len(SCHEMAS)} schemas to {out}")
