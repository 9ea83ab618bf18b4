"""`vidpost card`: show a result card, or put a run's card into the catalogue."""

from __future__ import annotations

from pathlib import Path

import click

from vidpost.add import entry
from vidpost.catalog.diagnostics import CatalogError
from vidpost.catalog.loader import Catalog, load, load_model
from vidpost.catalog.models import ResultCard
from vidpost.cli.browse import card as show
from vidpost.cli.browse import card_file


class _ShowByDefault(click.Group):
    """`vidpost card PATH` is `vidpost card show PATH`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in (*self.commands, "-h", "--help"):
            args = ["show", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_ShowByDefault)
def card() -> None:
    """Show a result card, or promote a run's card into the catalogue.

    \b
    Examples:
      vidpost card runs/video_r1-20261122
      vidpost card promote runs/video_r1-20261122
    """


card.add_command(show, "show")


@card.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
def promote(paths: tuple[Path, ...]) -> None:
    """Copy the cards of runs to catalog/results/<method>/, all or none.

    A card is copied as it is; only the tool writes cards. `vidpost check` then reads them. Cards of
    smoke runs, of shortened runs and of your own records are refused.

    \b
    Example:
      vidpost card promote runs/claim/seed-*
    """
    catalog = load()
    files: dict[Path, str] = {}
    for path in paths:
        path = card_file(path)
        found = load_model(path, ResultCard)
        if found.method not in catalog.methods:
            raise CatalogError(f"{path}: {_missing(catalog, found.method)}")
        text = path.read_text(encoding="utf-8")
        if any((catalog.root / catalog.files["result", key]).read_text(encoding="utf-8") == text
               for key in catalog.cards_of(found.method)):  # fmt: skip
            raise CatalogError(f"{path}: promoted already. Nothing was written.")
        try:
            files[entry.card_path(catalog, found, files)] = text
        except CatalogError as error:
            raise CatalogError(f"{path}: {error}") from None
    entry.write(files)
    for target in files:
        click.echo(f"wrote     {target.relative_to(catalog.root).as_posix()}")
    click.echo("next      vidpost check, then commit")


def _missing(catalog: Catalog, method: str) -> str:
    """Why the catalogue does not give a card's method, and what to do."""
    file = f"catalog/methods/{method}.yaml"
    if any(item.file == file for item in catalog.diagnostics):
        return f"the entry of '{method}' has errors. Mend them: vidpost check {file}."
    return f"the catalogue has no method '{method}'. Add it: vidpost add --id {method}."
