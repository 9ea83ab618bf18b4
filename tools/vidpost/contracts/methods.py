"""Entry against module: what method.py says equals what the catalogue says.

Everything is read with `ast`; no module is imported, so this runs without torch and on code that
nobody has reviewed yet.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from vidpost.catalog import preset
from vidpost.catalog.diagnostics import CatalogError, Diagnostic, closest
from vidpost.catalog.loader import Catalog, load_mapping
from vidpost.catalog.models import MethodEntry
from vidpost.catalog.module import Module, known_hooks, read_module

LINES = ("Paper", "Catalog", "Baseline", "Delta", "Not reproduced")
"""Lines that the docstring of every method.py has."""


def check(catalog: Catalog) -> Iterator[Diagnostic]:
    """All contracts between entries and the modules under reproductions/."""
    hooks = known_hooks(catalog.root)
    yield from _hook_names(catalog, hooks)
    for folder in ("methods", "baselines"):
        for path in sorted((catalog.root / "reproductions" / folder).glob("*/method.py")):
            yield from _method(catalog, path, hooks, baseline=folder == "baselines")
    benchmarks = catalog.of_kind("benchmark")
    # Some train on the training split of a benchmark.
    trained_on = {*catalog.of_kind("dataset"), *benchmarks}
    for folder, known in (("benchmarks", benchmarks), ("datasets", trained_on)):
        for path in sorted((catalog.root / "reproductions" / folder).glob("[!_]*.py")):
            if path.stem not in known:
                yield _orphan(catalog.root, path, f"catalog/{folder}/{path.stem}.yaml")
    yield from _metrics(catalog)


def _hook_names(catalog: Catalog, hooks: tuple[str, ...]) -> Iterator[Diagnostic]:
    for entry in catalog.methods.values():
        for i, hook in enumerate(entry.differs_in):
            if hooks and hook not in hooks:
                message = f"no hook '{hook}'. {closest(hook, hooks) or 'See method.py, HOOKS.'}"
                file = catalog.files["method", entry.id]
                yield catalog.problem(file, "unknown-hook", f"differs_in[{i}]", message)


def _orphan(root: Path, path: Path, wanted: str) -> Diagnostic:
    file = path.relative_to(root).as_posix()
    return Diagnostic(file, 1, 1, "orphan", "", f"no {wanted}. Add it, or remove the module.")


def _method(
    catalog: Catalog, path: Path, hooks: tuple[str, ...], *, baseline: bool
) -> Iterator[Diagnostic]:
    root, name = catalog.root, path.parent.name
    file = path.relative_to(root).as_posix()
    entry = catalog.methods.get(name)
    if entry is None or entry.is_baseline != baseline:
        wanted = f"catalog/methods/{name}.yaml"
        yield _orphan(root, path, wanted + (" with is_baseline: true" if baseline else ""))
        return
    try:
        found = read_module(root, path)
    except CatalogError as error:
        yield from error.diagnostics
        return
    assert found is not None
    yield from _docstring(found, entry)
    for what, given, right in (
        ("id", found.id, entry.id),
        ("baseline", found.baseline, entry.baseline),
    ):
        if given != right:
            message = f"{what} is {given!r}; the entry says {right!r}. Make them equal."
            yield Diagnostic(file, found.line, 1, "method-differs", "", message)
    mine, theirs = _ordered(found.named, hooks), _ordered(entry.differs_in, hooks)
    if not baseline and mine != theirs:
        message = (
            f"overrides [{', '.join(mine)}]; the entry says differs_in [{', '.join(theirs)}]. "
            "Make them equal."
        )
        yield Diagnostic(file, found.line, 1, "hooks-differ", "", message)
    if not baseline:
        yield from _presets(catalog, path.parent)


def _ordered(names: tuple[str, ...], hooks: tuple[str, ...]) -> list[str]:
    return sorted(names, key=lambda name: hooks.index(name) if name in hooks else len(hooks))


def _docstring(found: Module, entry: MethodEntry) -> Iterator[Diagnostic]:
    given = found.facts
    for name in LINES:
        if not given.get(name):
            message = f"the docstring has no line '{name}: ...'. Add it."
            yield Diagnostic(found.path, 1, 1, "docstring", "", message)
    arxiv = entry.paper.arxiv_id if entry.paper else None
    for name, wanted in (("Catalog", entry.id), ("Paper", arxiv)):
        if given.get(name) and wanted and wanted not in given[name]:
            message = f"the docstring's {name} line does not name {wanted}. Correct it."
            yield Diagnostic(found.path, 1, 1, "docstring", "", message)


def _presets(catalog: Catalog, folder: Path) -> Iterator[Diagnostic]:
    """Presets validate, every value of paper has a source, mini changes only allowed keys."""
    for name in ("paper.yaml", "mini.yaml"):
        path = folder / name
        if not path.is_file():
            continue  # the ladder asks for them where they are needed
        file = path.relative_to(catalog.root).as_posix()
        problems: list[tuple[str, str]] = []
        try:
            merged = preset.read_mapping(path)
            if merged.get("method") != folder.name:
                problems.append(("method", f"not the folder's name. Write {folder.name}."))
            if name == "paper.yaml":
                for key in preset.without_source(merged):
                    problems.append((key, "no source. Add a line under sources."))
            else:  # whatever mini changes is our choice; the site labels it so
                for key in preset.forbidden_in_mini(load_mapping(path)):
                    problems.append((key, "mini may not change it. Remove it."))
            preset.load_preset(path)
        except CatalogError as error:
            yield from (replace(item, file=file) for item in error.diagnostics)
            for line in () if error.diagnostics else str(error).splitlines():
                where, colon, message = line.removeprefix(f"{path}: ").partition(": ")
                problems.append((where, message) if colon else ("", where))
        for where, message in problems:
            yield catalog.problem(file, "preset", where, message)


def _metrics(catalog: Catalog) -> Iterator[Diagnostic]:
    named = set()
    for metric in catalog.metrics.values():
        if metric.module is None:
            continue
        path = catalog.root / (metric.module.replace(".", "/") + ".py")
        named.add(path)
        if not path.is_file():
            message = f"no module {metric.module}. Correct the path, or write the module."
            file = catalog.files["metric", metric.id]
            yield catalog.problem(file, "orphan", "module", message)
    for path in sorted((catalog.root / "reproductions/metrics").glob("[!_]*.py")):
        if path not in named:
            yield _orphan(catalog.root, path, "metric entry with this module")
