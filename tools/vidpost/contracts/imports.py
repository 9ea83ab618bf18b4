"""Who may import whom: the directions of the house, checked over the whole tree with `ast`."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from vidpost.catalog.cache import ContentCache, content_hash
from vidpost.catalog.diagnostics import Diagnostic

HEAVY = frozenset(
    {
        *("torch", "torchvision", "torchcodec", "transformers", "trl", "vllm", "accelerate"),
        *("peft", "datasets", "av", "numpy"),
    }
)
"""Packages that light code must work without."""

_BASE = ("reproductions.shared.method", "reproductions.shared.rewards", "reproductions.metrics")
_PURE = (*_BASE, "reproductions.shared.prompts")
_VIDEO = (
    *_PURE,
    "reproductions.shared.files",
    "reproductions.shared.video",
    "reproductions.shared.synthetic",
)
_DECODING = (
    *_PURE,
    "reproductions.shared.decoding",
    "reproductions.shared.inference.engine",
)
_ENGINE = (
    *_VIDEO,
    "reproductions.shared.models",
    "reproductions.shared.training",
    "reproductions.shared.inference",
    "reproductions.shared.decoding",
    "reproductions.shared.evaluation",
    "reproductions.shared.processes",
    "reproductions.shared.progress",
    "vidpost.catalog",  # result cards and presets: the one upward edge
)


@dataclass(frozen=True)
class Rule:
    """What the modules below a prefix may import.

    Attributes:
        prefix: Dotted name the rule is for; the longest matching prefix counts.
        ours: Our packages it may import, itself included where it may.
        heavy: Whether heavy packages may be imported: "never", "lazily" (inside a function) or
            "freely".
        lazy: Our packages it may import inside a function only.
        never: Packages that are forbidden in any case.
        standard_only: Whether only the standard library is allowed beside `ours`.
    """

    prefix: str
    ours: tuple[str, ...]
    heavy: str = "never"
    lazy: tuple[str, ...] = ()
    never: tuple[str, ...] = ()
    standard_only: bool = False


RULES = (
    Rule("vidpost", ("vidpost",)),
    Rule("vidpost.catalog", ("vidpost.catalog",)),
    Rule("vidpost.add", ("vidpost.catalog", "vidpost.add")),
    Rule("vidpost.export", ("vidpost.catalog", "vidpost.export")),
    Rule("vidpost.site", ("vidpost.catalog", "vidpost.export", "vidpost.site")),
    Rule("vidpost.contracts", ("vidpost.catalog", "vidpost.contracts")),
    Rule("vidpost.cli", ("vidpost",), heavy="lazily", lazy=("reproductions",)),
    Rule("reproductions", ("reproductions", "vidpost.catalog"), heavy="freely"),
    Rule("reproductions.shared.method", (), standard_only=True),
    Rule("reproductions.shared.rewards", _PURE),
    Rule("reproductions.shared.prompts", _PURE),
    Rule("reproductions.metrics", _PURE),
    Rule("reproductions.shared.video", _VIDEO, heavy="freely"),
    Rule("reproductions.shared.synthetic", _VIDEO, heavy="freely"),
    Rule("reproductions.shared.models", _ENGINE, heavy="freely"),
    Rule("reproductions.shared.training", _ENGINE, heavy="freely"),
    Rule("reproductions.shared.inference", _ENGINE, heavy="freely"),
    Rule("reproductions.shared.evaluation", _ENGINE, heavy="freely"),
    Rule("reproductions.shared.decoding", _DECODING),
    Rule("reproductions.benchmarks", (*_PURE, "reproductions.benchmarks")),
    Rule("reproductions.datasets", (*_PURE, "reproductions.datasets")),
)
"""The directions of DESIGN section 2. Methods have a rule of their own, made for each folder."""


def check(root: Path, *, cache: bool = True) -> Iterator[Diagnostic]:
    """Every import in tools/vidpost and reproductions that goes against the directions.

    Args:
        root: Repository root.
        cache: Whether to use and refresh `.cache/imports.json`; parsing is most of the work.
    """
    store = ContentCache(root / ".cache" / "imports.json" if cache else None, __file__)
    for base, package in (("tools", "vidpost"), (".", "reproductions")):
        for path in sorted((root / base / package).rglob("*.py")):
            parts = path.relative_to(root / base).with_suffix("").parts
            module = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            yield from _file(root, path, module, store)
    store.save()


def rule_for(module: str) -> Rule:
    """The rule of a module: the longest prefix, or the rule of its method folder."""
    parts = module.split(".")
    if parts[:2] in (["reproductions", "methods"], ["reproductions", "baselines"]):
        own = ".".join(parts[:3])
        ours = ("reproductions.shared", "reproductions.metrics", own)
        return Rule(own, ours, heavy="lazily", never=("trl", "vllm"))
    return max((r for r in RULES if _below(module, r.prefix)), key=lambda r: len(r.prefix))


def verdict(module: str, target: str, *, lazy: bool) -> str:
    """Why `module` may not import `target`, "" if it may.

    Args:
        module: Dotted name of the importing module.
        target: Dotted name of what is imported.
        lazy: Whether the import stands inside a function or under TYPE_CHECKING.
    """
    rule, top = rule_for(module), target.split(".")[0]
    if top in ("vidpost", "reproductions"):
        if any(_below(target, each) for each in rule.ours):
            return ""
        if any(_below(target, each) for each in rule.lazy):
            return "" if lazy else f"imports {target} at the top. Import it inside the function."
        return (
            f"imports {target}, which {rule.prefix} may not (see vidpost.contracts.imports). "
            "Move the shared part down."
        )
    if top in rule.never:
        return f"imports {top}, which {rule.prefix} never does. Use a hook."
    if top in HEAVY and (rule.heavy == "never" or (rule.heavy == "lazily" and not lazy)):
        remedy = "Import it inside the function." if rule.heavy == "lazily" else "Do without it."
        return f"imports {top}, but {rule.prefix} must work without it. {remedy}"
    if rule.standard_only and top not in sys.stdlib_module_names:
        return f"imports {top}; {rule.prefix} is standard library only. Do without it."
    return ""


def _below(module: str, prefix: str) -> bool:
    return module == prefix or module.startswith(prefix + ".")


def _file(root: Path, path: Path, module: str, store: ContentCache) -> Iterator[Diagnostic]:
    file = path.relative_to(root).as_posix()
    raw = path.read_bytes()
    key = content_hash(module.encode() + b"\0" + raw)  # relative imports depend on the module
    found = store.get(key)
    if found is None:
        try:
            tree = ast.parse(raw)
        except (SyntaxError, ValueError) as error:
            line = getattr(error, "lineno", None) or 1
            message = "not Python. Correct the syntax."
            yield Diagnostic(file, line, 1, "import-direction", "", message)
            return
        package = path.name == "__init__.py"
        found = [
            [node.lineno, node.col_offset + 1, target, lazy]
            for node, lazy in imports(tree.body)
            for target in _targets(node, module, package)
        ]
        store.put(key, found)
    for line, col, target, lazy in found:
        if message := verdict(module, target, lazy=lazy):
            yield Diagnostic(file, line, col, "import-direction", "", message)


def imports(
    body: list[ast.stmt], *, lazy: bool = False
) -> Iterator[tuple[ast.Import | ast.ImportFrom, bool]]:
    """(import, whether it is lazy) of every import among statements and their blocks.

    Lazy are imports inside functions, under `if TYPE_CHECKING` and under
    `if __name__ == "__main__"`.
    """
    for node in body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node, lazy
            continue
        guard = isinstance(node, ast.If) and ast.unparse(node.test).startswith(
            ("TYPE_CHECKING", "typing.TYPE_CHECKING", "__name__ ==")
        )
        inside = lazy or guard or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for name in ("body", "orelse", "finalbody"):
            yield from imports(getattr(node, name, []), lazy=inside)
        for block in (*getattr(node, "handlers", ()), *getattr(node, "cases", ())):
            yield from imports(block.body, lazy=inside)


def _targets(node: ast.Import | ast.ImportFrom, module: str, is_package: bool) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
        return
    base = node.module or ""
    if node.level:
        parts = module.split(".")
        parts = parts[: len(parts) - node.level + is_package]
        base = ".".join([*parts, base]) if base else ".".join(parts)
    # `from package import module` names a module; `from module import name` a member of one. Both
    # are judged by the longer name, which lies below the shorter.
    yield from (f"{base}.{alias.name}" for alias in node.names)
