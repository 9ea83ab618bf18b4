"""`vidpost links`: the nightly look at every address of the catalogue."""

from __future__ import annotations

from collections import Counter
from typing import Any

import click

from vidpost.add import links as looking
from vidpost.catalog.loader import load


@click.command()
@click.option("--limit", type=click.IntRange(1), help="At most so many requests.")
@click.option("--strict", is_flag=True, help="Exit 1 if something is gone.")
@click.pass_obj
def links(transport: Any, limit: int | None, strict: bool) -> None:
    """Ask every address of the catalogue, one a second and host; for the nightly job.

    Results go to catalog/cache/links.json; what was fine lately is not asked again. What needs a
    person is printed as Markdown.

    \b
    Example:
      vidpost links --limit 200
    """
    catalog = load()

    def tell(result: looking.Result) -> None:
        click.echo(f"{result.state:11} {result.status or '':3} {result.url}", err=True)

    results = looking.check_all(catalog, limit=limit, transport=transport, progress=tell)
    counts = Counter(r.state for r in results)
    click.echo(looking.report(catalog, results))
    click.echo(", ".join(f"{n} {state}" for state, n in counts.most_common()), err=True)
    if strict and counts["gone"] + counts["refused"]:
        raise click.exceptions.Exit(1)
