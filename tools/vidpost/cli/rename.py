"""`vidpost rename`: another id for an entry, everywhere at once."""

from __future__ import annotations

import click

from vidpost import contracts
from vidpost.add import rename as renaming
from vidpost.catalog import lint
from vidpost.catalog.diagnostics import CatalogError
from vidpost.catalog.loader import load


@click.command()
@click.argument("old")
@click.argument("new")
@click.option("--dry-run", is_flag=True, help="Only say what would change.")
def rename(old: str, new: str, dry_run: bool) -> None:
    """Rename an entry: file, module, tests, references. The old id stays as an alias.

    The site sends the old address to the new page.

    \b
    Example:
      vidpost rename long_rl longvila_r1 --dry-run
    """
    catalog = load()
    report = lint.check(catalog, contracts.check(catalog))
    if report.errors():
        raise CatalogError("the catalogue has errors. Mend them first: vidpost check.")
    done = renaming.plan(catalog, old, new)
    if not dry_run:
        renaming.carry_out(done)
    root = catalog.root
    for path, target in done.moves.items():
        click.echo(
            f"{'would move' if dry_run else 'moved'}  {path.relative_to(root).as_posix()} -> "
            f"{target.relative_to(root).as_posix()}"
        )
    changed = [path for path in done.texts if path not in done.moves]
    for path in changed:
        shown = path.relative_to(root).as_posix()
        click.echo(f"{'would change' if dry_run else 'changed'}  {shown}")
    if not dry_run:
        click.echo("next  vidpost check, then commit")
