"""Reading the catalogue: list, show, card, schema."""

from __future__ import annotations

import io
import json
import os
import shutil
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal

import click
import yaml

from vidpost.catalog import graph, models
from vidpost.catalog.diagnostics import CatalogError, closest
from vidpost.catalog.loader import Catalog, load, load_model
from vidpost.catalog.models import FOLDERS, KINDS, RUNGS, Entry, ResultCard, Work
from vidpost.cli.selection import Selection, filters, pillars, year

if TYPE_CHECKING:
    from rich.console import Console

JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def screen() -> int:
    """Columns of the terminal; 0 without one, so that what goes into a pipe is never folded."""
    return shutil.get_terminal_size((0, 0)).columns


def console(file: IO[str] | None = None) -> Console:
    """A rich console that marks nothing where NO_COLOR is set, not even in bold."""
    from rich.console import Console

    colors: Literal["auto"] | None = None if os.environ.get("NO_COLOR") else "auto"
    width = screen() or None
    return Console(file=file, color_system=colors, highlight=False, width=width)


def table(rows: Iterable[Sequence[str]], head: Sequence[str]) -> str:
    """Rows as aligned columns; the last column is not padded. On a narrow terminal cells fold."""
    lines = [tuple(head), *map(tuple, rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    if 0 < screen() < sum(widths) + 2 * len(widths) - 2:
        return _folded(lines)
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def _folded(lines: Sequence[Sequence[str]]) -> str:
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2, 0, 0))
    for _ in lines[0]:
        grid.add_column(overflow="fold")
    for line in lines:
        grid.add_row(*map(Text, line))
    text = io.StringIO()
    console(text).print(grid)
    return "\n".join(line.rstrip() for line in text.getvalue().rstrip("\n").split("\n"))


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
    """List entries, filtered and sorted; for result cards, by the entry of their method.

    \b
    Examples:
      vidpost list methods --pillar rl --status runnable
      vidpost list all --word rl_reward_temporal --json
      vidpost list results --pillar tts
      vidpost list words
    """
    catalog = load()
    if what == "words":
        if any((status, pillar, word, year)):
            raise CatalogError("list words takes no filter. It shows the whole taxonomy.")
        words = [each.model_dump(mode="json") for each in catalog.words.values()]
        rows = [(w["id"], w["kind"], w["parent"] or "", w["name"]) for w in words]
        click.echo(dump(words) if as_json else table(rows, ("id", "kind", "parent", "name")))
        return
    kinds = () if what == "all" else ("method" if what == "results" else FOLDERS[what],)
    chosen = Selection(kinds, status, pillar, word, year).of(catalog)
    found = [_row(kind, entry) for kind, entry in chosen]
    rank = {rung: i for i, rung in enumerate(("", *RUNGS))}
    found.sort(key=lambda row: (rank[row[sort]] if sort == "status" else row[sort], row["id"]))
    if what == "results":
        methods = [row["id"] for row in found]
        if not any((status, pillar, word, year)):  # cards whose entry has errors, too
            methods += [card.method for card in catalog.results.values()]
        _cards(catalog, dict.fromkeys(methods), as_json)
        return
    if as_json:
        click.echo(dump(found))
        return
    shown = [
        (r["id"], r["kind"], r["status"], r["year"], "+".join(r["pillars"]), r["name"])
        for r in found
    ]
    click.echo(table(shown, ("id", "kind", "status", "year", "pillars", "name")))
    click.echo(f"{len(shown)} of {sum(1 for _ in catalog.entries())} entries", err=True)


def _cards(catalog: Catalog, methods: Iterable[str], as_json: bool) -> None:
    """The result cards of methods, in their order."""
    cards = {key: card for name in methods for key, card in catalog.cards_of(name).items()}
    if as_json:
        click.echo(dump({key: card.model_dump(mode="json") for key, card in cards.items()}))
        return
    lines = [
        (key, c.kind, c.benchmark, c.metric, f"{c.score:.3f}", c.fingerprint)
        for key, c in cards.items()
    ]
    click.echo(table(lines, ("card", "kind", "benchmark", "metric", "score", "fingerprint")))
    click.echo(f"{len(cards)} of {len(catalog.results)} cards", err=True)


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
        click.echo(wrapped(entry.summary))
    paper = entry.paper if isinstance(entry, Work) else None
    if paper is not None:
        click.echo(wrapped(f"{paper.title}  {paper.link or ''}".rstrip()))
    numbers = data.pop("reported", [])
    for key in ("id", "name", "status", "summary"):
        data.pop(key, None)
    click.echo()
    width = 10**6 if screen() else 100  # YAML's own folding overshoots
    text = yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=width)
    click.echo(wrapped(text.rstrip()))
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
        click.echo(wrapped(f"{relation}: {', '.join(ids)}"))


def wrapped(text: str) -> str:
    """A text whose lines are folded at the terminal's width; as it is without one."""
    if not (width := screen()):
        return text
    lines = []
    for line in text.splitlines():
        deeper = " " * (len(line) - len(line.lstrip(" -")) + 2)
        lines += textwrap.wrap(
            line, width, subsequent_indent=deeper, break_long_words=False, break_on_hyphens=False
        ) or [""]
    return "\n".join(lines)


def card_file(path: Path) -> Path:
    """The card in a run folder, or a card itself.

    Raises:
        CatalogError: There is none.
    """
    file = path / "card.yaml" if path.is_dir() else path
    if not file.is_file():
        raise CatalogError(f"{file}: no card. Finish the run: vidpost run --resume {file.parent}")
    return file


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
    if path.exists():
        found = load_model(card_file(path), ResultCard)
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
        f"seeds {', '.join(map(str, found.seeds))}, {found.hardware.device}"
    )
    rows = [(s.name, s.task, str(s.n), *_score(s.score, s.interval)) for s in found.scores]
    first = (found.checkpoint.stage, found.task, str(found.n))
    if first not in [row[:3] for row in rows]:
        rows.insert(0, (*first, *_score(found.score, found.interval)))
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
