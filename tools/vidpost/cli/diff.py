"""`vidpost diff`: what a method changes, from its module and its presets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from vidpost.catalog.diagnostics import CatalogError
from vidpost.catalog.loader import load
from vidpost.catalog.models import MethodEntry
from vidpost.catalog.preset import leaves, load_preset
from vidpost.cli.browse import JSON, dump, table
from vidpost.site.delta import BASELINE_DOES, read_module


@click.command()
@click.argument("name")
@JSON
def diff(name: str, as_json: bool) -> None:
    """Show what a method changes: its hooks and its preset keys, beside the baseline's.

    \b
    Examples:
      vidpost diff video-r1
      vidpost diff video-r1 --json
    """
    catalog = load()
    _, entry = catalog.find(name, "method")
    assert isinstance(entry, MethodEntry)
    root = catalog.root
    part = "baselines" if entry.is_baseline else "methods"
    folder = root / "reproductions" / part / entry.id
    module = read_module(root, folder / "method.py")
    if module is None:
        raise CatalogError(
            f"{entry.id} has no module yet; its status is '{entry.status}'. "
            f"`vidpost show {entry.id}` shows what is known."
        )
    base = root / "reproductions/baselines" / (entry.baseline or "")
    hooks = [
        {
            "hook": hook.name,
            "baseline": BASELINE_DOES[hook.name],
            "method": " ".join(hook.does),
            "code": f"{module.path}:{hook.lines[0]}",
        }
        for hook in module.hooks
    ]
    paper, mini = _preset(folder / "paper.yaml"), _preset(folder / "mini.yaml")
    presets = {
        f"paper.yaml against {entry.baseline}": _differences(_preset(base / "paper.yaml"), paper),
        f"mini.yaml against {entry.baseline}": _differences(_preset(base / "mini.yaml"), mini),
        "mini.yaml against paper.yaml": _differences(paper, mini),
    }
    presets = {title: rows for title, rows in presets.items() if rows}
    if as_json:
        rows = {
            t: [dict(zip(("key", "from", "to"), r, strict=True)) for r in v]
            for t, v in presets.items()
        }
        click.echo(
            dump({"id": entry.id, "baseline": entry.baseline, "hooks": hooks, "presets": rows})
        )
        return
    click.echo(f"{entry.id} against {entry.baseline or 'nothing: it is a baseline'}")
    for each in hooks:
        click.echo(f"\n{each['hook']}  ({each['code']})")
        click.echo(f"  baseline: {each['baseline']}\n  method:   {each['method']}")
    for title, changes in presets.items():
        click.echo(f"\n{title}:")
        click.echo(table([(k, str(a), str(b)) for k, a, b in changes], ("key", "from", "to")))


def _preset(path: Path) -> dict[str, Any] | None:
    """Dotted key -> value of a preset, None if there is no such file."""
    if not path.is_file():
        return None
    return dict(leaves(load_preset(path).model_dump(mode="json", exclude={"sources", "method"})))


def _differences(
    old: dict[str, Any] | None, new: dict[str, Any] | None
) -> list[tuple[str, Any, Any]]:
    """(key, old, new) where two presets differ; [] if one of them is missing."""
    if old is None or new is None:
        return []
    keys = dict.fromkeys([*old, *new])
    return [(key, old.get(key), new.get(key)) for key in keys if old.get(key) != new.get(key)]
