"""`vidpost diff`: what a method changes, from its module and its presets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import click

from vidpost.catalog.diagnostics import CatalogError
from vidpost.catalog.loader import Catalog, load
from vidpost.catalog.models import MethodEntry
from vidpost.catalog.module import BASELINE_DOES, Hook, Module, baseline_does, read_module
from vidpost.catalog.preset import leaves, load_preset
from vidpost.cli.browse import JSON, dump, table, wrapped

Row = tuple[str, Any, Any]
"""(key, in a, in b)."""


@dataclass(frozen=True)
class Side:
    """One of the two methods that are compared.

    Attributes:
        id: Its id.
        folder: Where its presets lie.
        module: Its method.py.
        base: That of its baseline; None for a baseline.
    """

    id: str
    folder: Path
    module: Module
    base: Module | None

    def does(self, name: str) -> tuple[str, str, str]:
        """What happens at a hook: in words, where, and the code if there is any."""
        for module in (self.module, self.base):
            hook = next((h for h in module.hooks if h.name == name), None) if module else None
            if hook is not None and module is not None:
                return " ".join(hook.does), f"{module.path}:{hook.lines[0]}", _code(module, hook)
        base = self.base.id if self.base else self.id
        return baseline_does(name, base), "", ""


@click.command()
@click.argument("name")
@click.argument("other", required=False)
@JSON
def diff(name: str, other: str | None, as_json: bool) -> None:
    """Show what a method changes, beside its baseline or beside another method.

    Hooks and preset keys that differ, and scores of result cards under one protocol.

    \b
    Examples:
      vidpost diff video-r1
      vidpost diff video-r1 tw-grpo
      vidpost diff video-r1 --json
    """
    catalog = load()
    given = _side(catalog, name)
    second = _side(catalog, other) if other else None
    if second is None and given.base is not None:
        a, b = _side(catalog, str(given.base.id)), given
    elif second is None:
        a, b = None, given  # a baseline, beside the engine's defaults
    else:
        a, b = given, second
    hooks = _hooks(a, b)
    presets = {
        f"{file}.yaml": _differences(_preset(a, file) if a else None, _preset(b, file))
        for file in ("paper", "mini")
    }
    if second is None:
        presets["mini.yaml against paper.yaml"] = _differences(
            _preset(b, "paper"), _preset(b, "mini")
        )
    presets = {title: rows for title, rows in presets.items() if rows}
    scores = _scores(catalog, a.id, b.id) if a else []
    left = a.id if a else "default"
    if as_json:
        named = {title: list(map(_named, rows)) for title, rows in presets.items()}
        data = {
            "a": a.id if a else None,
            "b": b.id,
            "hooks": hooks,
            "presets": named,
            "scores": list(map(_named, scores)),
        }
        click.echo(dump(data))
        return
    click.echo(f"{b.id} against {left}" if second is None else f"{left} and {b.id}")
    width = max(len(left), len(b.id)) + 1
    for row in hooks:
        click.echo(f"\n{row['hook']}")
        for key, side in (("a", left), ("b", b.id)):
            at = f"  ({row[f'{key}_code']})" if row[f"{key}_code"] else ""
            click.echo(wrapped(f"  {side + ':':{width}} {row[key]}{at}"))
    for title, changes in [*presets.items(), ("scores, same protocol", scores)]:
        if changes:
            own = ("key", "paper", "mini") if "against" in title else ("key", left, b.id)
            click.echo(f"\n{title}:")
            click.echo(table([(k, _shown(x), _shown(y)) for k, x, y in changes], own))


def _side(catalog: Catalog, name: str) -> Side:
    _, entry = catalog.find(name, "method")
    assert isinstance(entry, MethodEntry)
    root = catalog.root / "reproductions"
    folder = root / ("baselines" if entry.is_baseline else "methods") / entry.id
    module = read_module(catalog.root, folder / "method.py")
    if module is None:
        raise CatalogError(
            f"{entry.id} has no module yet; its status is '{entry.status}'. "
            f"`vidpost show {entry.id}` shows what is known."
        )
    base = read_module(catalog.root, root / "baselines" / (module.baseline or "") / "method.py")
    return Side(entry.id, folder, module, base)


def _hooks(a: Side | None, b: Side) -> list[dict[str, str]]:
    """The hooks at which two methods differ, in the order in which they act."""
    rows = []
    for name in BASELINE_DOES:
        old = a.does(name) if a else (baseline_does(name, b.id), "", "")
        new = b.does(name)
        if (old[0], old[2]) != (new[0], new[2]):
            keys = ("hook", "a", "b", "a_code", "b_code")
            rows.append(dict(zip(keys, (name, old[0], new[0], old[1], new[1]), strict=True)))
    return rows


def _code(module: Module, hook: Hook) -> str:
    first, last = hook.lines
    return "\n".join(module.source.splitlines()[first - 1 : last])


def _preset(side: Side, name: str) -> dict[str, Any] | None:
    """Dotted key -> value of a preset, None if there is no such file."""
    path = side.folder / f"{name}.yaml"
    if not path.is_file():
        return None
    return dict(leaves(load_preset(path).model_dump(mode="json", exclude={"sources", "method"})))


def _differences(old: dict[str, Any] | None, new: dict[str, Any] | None) -> list[Row]:
    """Where two presets differ; [] if one of them is missing."""
    if old is None or new is None:
        return []
    keys = dict.fromkeys([*old, *new])
    return [(key, old.get(key), new.get(key)) for key in keys if old.get(key) != new.get(key)]


def _scores(catalog: Catalog, a: str, b: str) -> list[Row]:
    """Mean scores of result cards that measure the same thing in the same way."""

    def known(name: str) -> dict[tuple[str, ...], list[float]]:
        found: dict[tuple[str, ...], list[float]] = {}
        for card in catalog.cards_of(name).values():
            key = (card.kind, card.benchmark, card.task, card.metric, card.fingerprint)
            found.setdefault(key, []).append(card.score)
        return found

    first, second = known(a), known(b)
    return [
        (" ".join(key[:4]), round(fmean(first[key]), 4), round(fmean(second[key]), 4))
        for key in first
        if key in second
    ]


def _named(row: Row) -> dict[str, Any]:
    return dict(zip(("key", "a", "b"), row, strict=True))


def _shown(value: Any) -> str:
    return "unset" if value is None else str(value)
