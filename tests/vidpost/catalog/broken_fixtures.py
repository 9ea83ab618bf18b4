"""Small repositories as text, read by the same function as the site's page of codes."""

from __future__ import annotations

from pathlib import Path

from vidpost import contracts
from vidpost.catalog import examples, lint, loader
from vidpost.catalog.diagnostics import render

FOLDER = Path(__file__).parents[2] / "data" / "broken"
BASE = (FOLDER / "_base.txt").read_text(encoding="utf-8")


def unpack(text: str, root: Path) -> list[str]:
    """Writes the files of a fixture below `root`; returns the expected messages."""
    fixture = examples.parse(text)
    for name, body in fixture.files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(body, encoding="utf-8")
    return list(fixture.expected)


def problems(root: Path) -> list[str]:
    """Everything `vidpost check` says about the repository at `root`, one line a problem."""
    catalog = loader.load(root, cache=False)
    report = lint.check(catalog, contracts.check(catalog))
    return render(report.diagnostics).splitlines()
