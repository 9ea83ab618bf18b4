"""Entry against module: what method.py says equals what the catalogue says.

Everything is read with `ast`; no module is imported, so this runs without torch and on code that
nobody has reviewed yet.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from vidpost.catalog import preset
from vidpost.catalog.diagnostics import CatalogError, Diagnostic, closest
from vidpost.catalog.loader import Catalog, load_mapping
from vidpost.catalog.models import MethodEntry

LINES = ("Paper", "Catalog", "Baseline", "Delta", "Not reproduced")
"""Lines that the docstring of every method.py has."""

_NOT_HOOKS = ("id", "baseline", "trainer")


@dataclass(frozen=True)
class MethodFile:
    """What can be read from a method.py without running it.

    Attributes:
        file: Path relative to the root.
        docstring: Module docstring, "" if there is none.
        line: Line of `METHOD = Method(...)`, 1 if it is missing.
        keywords: Keyword -> its expression; None if METHOD is missing or not plain.
    """

    file: str
    docstring: str
    line: int
    keywords: dict[str, ast.expr] | None

    def text(self, name: str) -> str | None:
        """A keyword that is a plain string, else None."""
        node = (self.keywords or {}).get(name)
        value = node.value if isinstance(node, ast.Constant) else None
        return value if isinstance(value, str) else None

    def hooks(self) -> list[str]:
        """Hooks that are set, in the order of the file; `None` counts as unset."""
        return [
            name
            for name, node in (self.keywords or {}).items()
            if name not in _NOT_HOOKS and not (isinstance(node, ast.Constant) and not node.value)
        ]


def read(root: Path, file: str) -> MethodFile:
    """Reads a method.py.

    Raises:
        SyntaxError: It is not Python.
    """
    tree = ast.parse((root / file).read_text(encoding="utf-8"))
    docstring = ast.get_docstring(tree) or ""
    for node in tree.body:
        match node:
            case ast.Assign(targets=[ast.Name(id="METHOD")], value=ast.Call() as call):
                plain = not call.args and all(keyword.arg for keyword in call.keywords)
                keywords = {str(keyword.arg): keyword.value for keyword in call.keywords}
                return MethodFile(file, docstring, node.lineno, keywords if plain else None)
    return MethodFile(file, docstring, 1, None)


def known_hooks(root: Path) -> tuple[str, ...]:
    """The hooks that exist, from HOOKS in reproductions/shared/method.py; () if it is missing."""
    path = root / "reproductions/shared/method.py"
    if not path.is_file():
        return ()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        match node:
            case ast.AnnAssign(target=ast.Name(id="HOOKS"), value=ast.Tuple(elts=elements)):
                values = [each.value for each in elements if isinstance(each, ast.Constant)]
                return tuple(value for value in values if isinstance(value, str))
    return ()


def check(catalog: Catalog) -> Iterator[Diagnostic]:
    """All contracts between entries and the modules under reproductions/."""
    hooks = known_hooks(catalog.root)
    yield from _hook_names(catalog, hooks)
    for folder in ("methods", "baselines"):
        for path in sorted((catalog.root / "reproductions" / folder).glob("*/method.py")):
            yield from _method(catalog, path, hooks, baseline=folder == "baselines")
    for folder, kind in (("benchmarks", "benchmark"), ("datasets", "dataset")):
        for path in sorted((catalog.root / "reproductions" / folder).glob("[!_]*.py")):
            if path.stem not in catalog.of_kind(kind):
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
        found = read(root, file)
    except (SyntaxError, UnicodeDecodeError) as error:
        line = getattr(error, "lineno", None) or 1
        yield Diagnostic(file, line, 1, "no-method", "", "not Python. Correct the syntax.")
        return
    yield from _docstring(found, entry)
    if found.keywords is None:
        message = "no METHOD = Method(...) with plain keywords. Assign it at the top level."
        yield Diagnostic(file, found.line, 1, "no-method", "", message)
        return
    for what, right in (("id", entry.id), ("baseline", entry.baseline)):
        if found.text(what) != right:
            message = f"{what} is {found.text(what)!r}; the entry says {right!r}. Make them equal."
            yield Diagnostic(file, found.line, 1, "method-differs", "", message)
    mine, theirs = _ordered(found.hooks(), hooks), _ordered(entry.differs_in, hooks)
    if not baseline and mine != theirs:
        message = (
            f"overrides [{', '.join(mine)}]; the entry says differs_in [{', '.join(theirs)}]. "
            "Make them equal."
        )
        yield Diagnostic(file, found.line, 1, "hooks-differ", "", message)
    if not baseline:
        yield from _presets(catalog, path.parent)


def _ordered(names: tuple[str, ...] | list[str], hooks: tuple[str, ...]) -> list[str]:
    return sorted(names, key=lambda name: hooks.index(name) if name in hooks else len(hooks))


def _docstring(found: MethodFile, entry: MethodEntry) -> Iterator[Diagnostic]:
    given = {
        name: rest.strip()
        for name, _, rest in (line.partition(":") for line in found.docstring.splitlines())
        if name in LINES
    }
    for name in LINES:
        if not given.get(name):
            message = f"the docstring has no line '{name}: ...'. Add it."
            yield Diagnostic(found.file, 1, 1, "docstring", "", message)
    arxiv = entry.paper.arxiv_id if entry.paper else None
    for name, wanted in (("Catalog", entry.id), ("Paper", arxiv)):
        if given.get(name) and wanted and wanted not in given[name]:
            message = f"the docstring's {name} line does not name {wanted}. Correct it."
            yield Diagnostic(found.file, 1, 1, "docstring", "", message)


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
