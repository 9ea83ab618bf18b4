"""Small repositories as text: `--- path` starts a file, `--- expected` the messages."""

from __future__ import annotations

from pathlib import Path

from vidpost import contracts
from vidpost.catalog import lint, loader
from vidpost.catalog.diagnostics import render

FOLDER = Path(__file__).parents[2] / "data" / "broken"
BASE = (FOLDER / "_base.txt").read_text(encoding="utf-8")


def unpack(text: str, root: Path) -> list[str]:
    """Writes the files of a fixture below `root`; returns the expected messages."""
    parts = ("\n" + text).split("\n--- ")[1:]
    expected: list[str] = []
    for part in parts:
        name, _, body = part.partition("\n")
        if name == "expected":
            expected = body.splitlines()
            continue
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(body + "\n" if not body.endswith("\n") else body, encoding="utf-8")
    return expected


def problems(root: Path) -> list[str]:
    """Everything `vidpost check` says about the repository at `root`, one line a problem."""
    catalog = loader.load(root, cache=False)
    report = lint.check(catalog, contracts.check(catalog))
    return render(report.diagnostics).splitlines()
