"""What a pull request does to the catalogue, as one Markdown comment.

    python -m vidpost.cli.summary --base origin/main > summary.md

Text from entries is quoted as code: a comment is no place for strangers' Markdown.
"""

from __future__ import annotations

import argparse
import subprocess
from collections.abc import Iterable
from pathlib import Path

from vidpost import contracts
from vidpost.catalog import lint
from vidpost.catalog.diagnostics import CatalogError
from vidpost.catalog.loader import Catalog, find_root, load
from vidpost.catalog.models import FOLDERS, MethodEntry, Work

MARKER = "<!-- vidpost:summary:v1 -->"
MOST = 30
"""Entries shown one by one."""


def changed(root: Path, base: str) -> dict[str, str]:
    """Path -> "A", "M", "D" of files under catalog/ that differ from where `base` was left.

    Raises:
        CatalogError: git does not know `base`.
    """
    command = ["git", "-C", str(root), "diff", "--name-status", "--no-renames", "-z",
               f"{base}...HEAD", "--", "catalog"]  # fmt: skip
    try:
        done = subprocess.run(command, capture_output=True, check=True, timeout=60)
    except (OSError, subprocess.SubprocessError):
        raise CatalogError(
            f"git cannot compare with '{base}'. Fetch it, or name another."
        ) from None
    parts = done.stdout.decode("utf-8", "replace").split("\0")
    return dict(zip(parts[1::2], parts[0::2], strict=False))


def summarise(catalog: Catalog, files: dict[str, str]) -> str:
    """The comment about changed files."""
    report = lint.check(catalog, contracts.check(catalog))
    by_file = {file: key for key, file in catalog.files.items()}
    what = {"A": "new", "M": "changed", "D": "removed"}
    rows: list[str] = []
    notes: list[str] = []
    for file, letter in sorted(files.items())[:MOST]:
        kind, name = by_file.get(file, ("", Path(file).stem))
        entry = catalog.of_kind(kind).get(name) if kind in FOLDERS.values() else None
        problems = [d for d in report.diagnostics if d.file == file]
        errors = sum(d.severity == "error" for d in problems)
        status = entry.status if isinstance(entry, Work) else "-"
        rows.append(
            f"| `{file}` | {what.get(letter, letter)} | {status} | {errors} | "
            f"{len(problems) - errors} |"
        )
        if isinstance(entry, Work):
            notes += _notes(catalog, kind, entry)
    lines = [MARKER, f"### {len(files)} files of the catalogue", ""]
    if rows:
        lines += ["| File | | Rung | Errors | Warnings |", "|---|---|---|---|---|", *rows, ""]
    if len(files) > MOST:
        lines += [f"and {len(files) - MOST} more.", ""]
    outside = sum(d.severity == "error" for d in report.diagnostics if d.file not in files)
    if outside:
        lines += [f"Errors in files that this does not touch: {outside}.", ""]
    lines += ["The pages as they will be: artifact `site` of the check `ci / light`.", ""]
    entries = [f for f, letter in files.items() if letter == "A" and not f.endswith(".json")]
    if len(entries) > 1:
        lines += [f"{len(entries)} new files; one entry a pull request is easier to review.", ""]
    return "\n".join([*lines, *notes]).rstrip() + "\n"


def _notes(catalog: Catalog, kind: str, entry: Work) -> Iterable[str]:
    """Facts and what the next rung needs."""
    paper = entry.paper
    if paper is not None:
        people = ", ".join(paper.authors[:3]) or paper.first_author or "authors missing"
        yield f"**{kind} `{entry.id}`**"
        yield ""
        yield _quote(f"{paper.title}\n{people}, {paper.year or 'year missing'}")
    if isinstance(entry, MethodEntry):
        numbers = f"{len(entry.reported)} reported numbers, {len(entry.unverified)} unverified"
        yield f"- baseline `{entry.baseline}`, differs in `{list(entry.differs_in)}`, {numbers}"
    rung, missing = lint.ahead(catalog, kind, entry)
    if missing:
        yield f"- for the rung `{rung}` it needs: {'; '.join(missing)}"
    elif rung:
        yield f"- it may already claim the rung `{rung}`"
    yield ""


def _quote(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines()) + "\n"


def main(arguments: list[str] | None = None) -> None:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(prog="python -m vidpost.cli.summary")
    parser.add_argument("--base", default="origin/main")
    given = parser.parse_args(arguments)
    root = find_root()
    print(summarise(load(root), changed(root, given.base)), end="")


if __name__ == "__main__":
    main()
