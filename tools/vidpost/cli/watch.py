"""`vidpost watch`: new works that may belong into the catalogue."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

import click

from vidpost.add import watch as watching
from vidpost.add import web
from vidpost.catalog.diagnostics import CatalogError
from vidpost.catalog.loader import load


@click.command()
@click.option(
    "--feed",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A recorded answer of arXiv's API, instead of asking.",
)
@click.option(
    "--since",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="DAY",
    help="Only works from this day on, as 2026-11-01.",
)
@click.option("--count", default=200, show_default=True, type=click.IntRange(1, 1000))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def watch(
    transport: Any, feed: Path | None, since: datetime.datetime | None, count: int, as_json: bool
) -> None:
    """List new arXiv works that look like members; nothing is written.

    \b
    Examples:
      vidpost watch --since 2026-11-01
      vidpost watch --feed answer.xml --json
    """
    catalog = load()
    try:
        body = watching.read(feed) if feed else watching.fetch(count, transport)
    except web.Unreachable as error:
        raise CatalogError(f"{error}. Try again later, or give --feed.") from None
    day = since.date().isoformat() if since else ""
    found = watching.candidates(catalog, body, since=day)
    if as_json:
        click.echo(json.dumps([c._asdict() for c in found], indent=1, ensure_ascii=False))
        return
    for each in found:
        click.echo(f"{each.points:4.1f}  {each.arxiv_id}  {each.published}  {each.title}")
        click.echo(f"      {', '.join(each.why)}")
    click.echo(f"{len(found)} candidates; enter one with: vidpost add <id>")
