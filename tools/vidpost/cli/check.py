"""`vidpost check`: the catalogue, its graph, and the contracts with the code."""

from __future__ import annotations

import datetime
import json
import subprocess
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from vidpost.catalog.diagnostics import CODES, CatalogError, Diagnostic, Format, render
from vidpost.catalog.places import find_root, fingerprint, write_text

if TYPE_CHECKING:
    from vidpost.catalog import lint
    from vidpost.catalog.loader import Catalog

READ = ("catalog", "reproductions", "tools/vidpost")
"""What a check depends on, below the root; its result holds until one of these changes."""


class Outcome(NamedTuple):
    """What a check found.

    Attributes:
        diagnostics: All of them, sorted.
        ignored: How many were excused on their line.
        counts: Entries, words, cards.
    """

    diagnostics: tuple[Diagnostic, ...]
    ignored: int
    counts: tuple[int, int, int]


@click.command()
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option("--format", "form", default="text", type=click.Choice(["text", "github", "json"]))
@click.option("--strict", is_flag=True, help="Warnings fail too.")
@click.option("--errors-only", is_flag=True, help="Do not print warnings.")
@click.option("--changed", is_flag=True, help="Show only files that git sees as changed.")
@click.option("--no-contracts", is_flag=True, help="Leave the code out; catalogue only.")
@click.option("--no-cache", is_flag=True, help="Read every file again.")
@click.option(
    "--fix", "mend", is_flag=True, help="Mend quotes, and the order of keys in new entries."
)
@click.option("--fix-closest", "closest", is_flag=True, help="As --fix, and take suggested words.")
@click.option("--codes", is_flag=True, help="List the codes and what they mean.")
@click.pass_context
def check(
    ctx: click.Context,
    paths: tuple[Path, ...],
    form: Format,
    strict: bool,
    errors_only: bool,
    changed: bool,
    no_contracts: bool,
    no_cache: bool,
    mend: bool,
    closest: bool,
    codes: bool,
) -> None:
    """Check the catalogue and its contracts with the code; exit 1 if there are errors.

    Everything is always read, because entries refer to each other; PATHS only choose what is shown.

    \b
    Examples:
      vidpost check
      vidpost check catalog/methods/video_r1.yaml
      vidpost check --fix catalog/methods/video_r1.yaml
      vidpost check --format github --strict
    """
    if codes:
        for code, meaning in CODES.items():
            click.echo(f"{code:20} {meaning}")
        return
    root = find_root()
    wanted = {_relative(path, root) for path in paths}
    if changed:
        wanted |= _changed(root)
    if mend or closest:
        _mend(root, wanted, changed, no_contracts, closest)
    outcome = _outcome(root, no_contracts, not no_cache)
    shown = [d for d in outcome.diagnostics if d.severity == "error" or not errors_only]
    if changed or wanted:
        shown = [d for d in shown if _shown(d, wanted)]
    if shown or form == "json":
        click.echo(render(shown, form))
    errors = sum(item.severity == "error" for item in shown)
    if form == "text":
        entries, words, cards = outcome.counts
        read = (_many(entries, "entry", "entries"), _many(words, "word"), _many(cards, "card"))
        click.echo(
            f"{', '.join(read)}: "
            f"{_many(errors, 'error')}, {_many(len(shown) - errors, 'warning')}, "
            f"{outcome.ignored} excused",
            err=True,
        )
        for line in [] if errors else _rungs(root, {_relative(path, root) for path in paths}):
            click.echo(line, err=True)
    if errors or (strict and shown):
        ctx.exit(1)


def _many(count: int, one: str, more: str = "") -> str:
    return f"{count} {one if count == 1 else more or f'{one}s'}"


def _rungs(root: Path, named: set[str], most: int = 5) -> list[str]:
    """What the next rung of the ladder needs, for each entry that is named by its file."""
    if not 0 < len(named) <= most:
        return []
    from vidpost.catalog import lint
    from vidpost.catalog.loader import load
    from vidpost.catalog.models import Work

    catalog, lines = load(root), []
    for kind, entry in catalog.entries():
        if isinstance(entry, Work) and catalog.files[kind, entry.id] in named:
            rung, missing = lint.ahead(catalog, kind, entry)
            if rung:
                needs = f"needs: {'; '.join(missing)}" if missing else "may be claimed"
                lines.append(f"{entry.id} is {entry.status}; {rung} {needs}")
    return lines


def _outcome(root: Path, no_contracts: bool, cache: bool) -> Outcome:
    """The result of the last check if nothing has changed since, else a new one.

    Of 0.6 s that a check of 600 entries takes, most is spent on importing and on looking at what
    was found in order a minute ago.
    """
    path = root / ".cache" / "check.json"
    today = datetime.datetime.now(datetime.UTC).date().isoformat()  # some checks know the day
    key = fingerprint([root / part for part in READ], today, str(no_contracts), __file__)
    if cache:
        try:
            stored = json.loads(path.read_bytes())
            if stored["key"] == key:
                found = tuple(Diagnostic(**item) for item in stored["diagnostics"])
                return Outcome(found, stored["ignored"], tuple(stored["counts"]))
        except (OSError, ValueError, KeyError, TypeError):
            pass  # none yet, or damaged
    catalog, report = _checked(root, no_contracts, cache)
    entries = sum(1 for _ in catalog.entries())
    counts = (entries, len(catalog.words), len(catalog.results))
    outcome = Outcome(tuple(report.diagnostics), report.ignored, counts)
    if cache:
        items = [asdict(item) for item in outcome.diagnostics]
        text = json.dumps(
            {"key": key, "diagnostics": items, "ignored": outcome.ignored, "counts": counts}
        )
        with suppress(OSError):  # a read-only checkout works without the cache
            write_text(path, text)
    return outcome


def _checked(root: Path, no_contracts: bool, cache: bool) -> tuple[Catalog, lint.Report]:
    from vidpost import contracts
    from vidpost.catalog import lint
    from vidpost.catalog.loader import load

    catalog = load(root, cache=cache)
    return catalog, lint.check(catalog, [] if no_contracts else contracts.check(catalog))


def _mend(root: Path, wanted: set[str], changed: bool, no_contracts: bool, closest: bool) -> None:
    """Mends what is wrong in the files that are shown, or in all; new ones get their form, too."""
    from vidpost.catalog import fix

    catalog, report = _checked(root, no_contracts, True)
    items = [d for d in report.diagnostics if not (changed or wanted) or _shown(d, wanted)]
    files = {*catalog.files.values(), *(item.file for item in items)}
    named = {file for file in files if any(_within(file, each) for each in wanted)}
    form = named - _committed(root) if named else ()
    for file in fix.fix(root, items, closest=closest, form=form):
        click.echo(f"mended {file}", err=True)


def _shown(item: Diagnostic, wanted: set[str]) -> bool:
    return any(_within(item.file, each) for each in wanted)


def _relative(path: Path, root: Path) -> str:
    if not path.exists():
        raise CatalogError(f"no file or folder {path}. Check the path.")
    try:
        return path.resolve().relative_to(root).as_posix()
    except ValueError:
        raise CatalogError(
            f"{path} is not inside {root.name}/. Name a file of this repository."
        ) from None


def _within(file: str, part: str) -> bool:
    return part == "." or file == part or file.startswith(f"{part}/")


def _committed(root: Path) -> set[str]:
    """Entries of the last commit, whose order of keys stays; none without git."""
    command = ["git", "-C", str(root), "ls-tree", "-r", "-z", "--name-only", "HEAD", "catalog"]
    try:
        done = subprocess.run(command, capture_output=True, check=True, timeout=30)
    except (OSError, subprocess.SubprocessError):
        return set()
    return set(done.stdout.decode("utf-8", "surrogateescape").split("\0"))


def _changed(root: Path) -> set[str]:
    """Files that differ from the last commit, untracked ones included, relative to the root."""
    command = ["git", "-C", str(root), "status", "--porcelain=v1", "-z", "--untracked-files=all"]
    try:
        done = subprocess.run(command, capture_output=True, check=True, timeout=30)
    except (OSError, subprocess.SubprocessError):
        raise CatalogError("--changed needs git and a repository. Leave it out.") from None
    fields = done.stdout.decode("utf-8", "surrogateescape").split("\0")
    return {field[3:] for field in fields if len(field) > 3}
