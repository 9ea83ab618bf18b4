"""`vidpost site`: build the site, or look at it."""

from __future__ import annotations

import functools
import http.server
from pathlib import Path

import click

from vidpost.catalog.loader import CatalogError, find_root


@click.group()
def site() -> None:
    """Build the site from the catalogue, or serve it.

    \b
    Examples:
      vidpost site build
      vidpost site serve --port 8001
    """


@site.command()
@click.option("--draft", is_flag=True, help="Build in spite of errors in the catalogue.")
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), help="Folder; site/ if not given."
)
def build(draft: bool, out: Path | None) -> None:
    """Write the pages under docs/ and run mkdocs in strict mode.

    \b
    Examples:
      vidpost site build
      vidpost site build --draft --out preview
    """
    from vidpost.site.build import build as run

    try:
        click.echo(run(find_root(), draft=draft, out=out and out.resolve()))
    except CatalogError as error:
        raise click.ClickException(str(error)) from None


@site.command()
@click.option("--port", default=8000, show_default=True, help="Port on this machine.")
@click.option("--draft", is_flag=True, help="Build in spite of errors in the catalogue.")
def serve(port: int, draft: bool) -> None:
    """Build, then serve the site on this machine until Ctrl-C.

    \b
    Example:
      vidpost site serve --port 8001
    """
    from vidpost.site.build import build as run

    try:
        root = find_root()
        click.echo(run(root, draft=draft))
    except CatalogError as error:
        raise click.ClickException(str(error)) from None
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(root / "site"))
    try:
        server = http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)
    except OSError:
        raise click.ClickException(f"port {port} is taken. Choose another: --port 8001.") from None
    click.echo(f"http://127.0.0.1:{port}/  (Ctrl-C ends)")
    with server:
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            click.echo("stopped")
