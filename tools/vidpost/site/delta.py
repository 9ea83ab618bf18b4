"""What a method changes, read from its module with `ast`: nothing is imported, nothing runs."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path

from vidpost.catalog.loader import CatalogError

BASELINE_DOES: dict[str, str] = {
    "stages": "one stage",
    "prepare_data": "data as given",
    "prompt": "question and answer instruction",
    "frames": "uniformly spaced frames",
    "build_group": "G answers to one prompt over one view of the video",
    "rewards": "accuracy and format",
    "reward_weights": "every reward counts once",
    "shape_rewards": "the weighted sum",
    "advantages": "(reward - group mean) / group standard deviation",
    "token_weights": "every token counts once",
    "loss": "clipped surrogate with a KL penalty",
    "format_target": "the answer as given",
    "loss_mask": "all tokens of the answer",
    "decode": "one greedy answer",
    "trainer": "the shared trainer",
}
"""What happens where a method leaves a hook unset, in the order in which the hooks act."""


@dataclass(frozen=True)
class Hook:
    """One hook that a method sets.

    Attributes:
        name: Name of the hook.
        does: What the method does there: first paragraphs of the docstrings, or the value.
        lines: (first, last) line of the code in method.py, from 1.
    """

    name: str
    does: tuple[str, ...]
    lines: tuple[int, int]


@dataclass(frozen=True)
class Module:
    """A method.py.

    Attributes:
        path: Path relative to the repository root.
        source: Its text.
        headline: First paragraph of the docstring.
        facts: The fixed lines of the docstring: Paper, Baseline, Delta, Not reproduced, ...
        baseline: Id of the baseline, None if the method is one.
        hooks: Hooks it sets, in the order in which they act.
    """

    path: str
    source: str
    headline: str
    facts: dict[str, str]
    baseline: str | None
    hooks: tuple[Hook, ...]


def read_module(root: Path, path: Path) -> Module | None:
    """Reads a method module.

    Args:
        root: Repository root.
        path: The module; None is returned if it does not exist.

    Raises:
        CatalogError: It is not Python, or does not assign `METHOD = Method(...)`.
    """
    if not path.is_file():
        return None
    shown = path.relative_to(root).as_posix()
    source = path.read_text(encoding="utf-8")
    try:
        tree = ast.parse(source)
    except SyntaxError as error:
        raise CatalogError(f"{shown}:{error.lineno}: not Python: {error.msg}. Mend it.") from None
    call = _method_call(tree)
    if call is None:
        raise CatalogError(f"{shown}:1: no METHOD = Method(...) with plain keywords. Add it.")
    places = _places(tree)
    given = {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}
    hooks = tuple(
        Hook(name, *_describe(given[name], places))
        for name in BASELINE_DOES
        if name in given and not _is_none(given[name])
    )
    baseline = given.get("baseline")
    named = baseline.value if isinstance(baseline, ast.Constant) else None
    headline, facts = _docstring(ast.get_docstring(tree) or "")
    return Module(
        path=shown,
        source=source,
        headline=headline,
        facts=facts,
        baseline=named if isinstance(named, str) else None,
        hooks=hooks,
    )


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _method_call(tree: ast.Module) -> ast.Call | None:
    for node in tree.body:
        target: ast.expr | None = None
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            target = node.targets[0]
        elif isinstance(node, ast.AnnAssign):
            target = node.target
        else:
            continue
        if isinstance(target, ast.Name) and target.id == "METHOD":
            value = node.value
            return value if isinstance(value, ast.Call) else None
    return None


def _places(tree: ast.Module) -> dict[str, ast.stmt]:
    """Name -> the statement at module level that binds it."""
    found: dict[str, ast.stmt] = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found[node.name] = node
        elif isinstance(node, ast.ImportFrom | ast.Import):
            for alias in node.names:
                found[alias.asname or alias.name] = node
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    found[target.id] = node
    return found


def _describe(
    value: ast.expr, places: dict[str, ast.stmt]
) -> tuple[tuple[str, ...], tuple[int, int]]:
    items = value.elts if isinstance(value, ast.Tuple | ast.List) else [value]
    texts = []
    spans: list[ast.stmt] = []
    for item in items:
        place = places.get(item.id) if isinstance(item, ast.Name) else None
        name = ast.unparse(item)
        if isinstance(place, ast.FunctionDef | ast.ClassDef):
            spans.append(place)
            texts.append(_headline(ast.get_docstring(place) or "") or name)
        elif isinstance(place, ast.ImportFrom):
            texts.append(f"{name} from {place.module}")
        elif isinstance(place, ast.Assign):
            spans.append(place)
            texts.append(f"{name} = {_short(ast.unparse(place.value))}")
        else:
            texts.append(_short(name))
    first = spans[0] if spans else value
    return tuple(texts), (first.lineno, first.end_lineno or first.lineno)


def _short(text: str, limit: int = 160) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def _headline(docstring: str) -> str:
    return _short(" ".join(docstring.split("\n\n")[0].split()).rstrip("."), 240)


def _docstring(text: str) -> tuple[str, dict[str, str]]:
    """The first paragraph, and the `Key: value` lines with their continuation lines."""
    headline, _, rest = text.partition("\n\n")
    facts: dict[str, str] = {}
    key = ""
    for line in rest.splitlines():
        name, colon, value = line.partition(":")
        if colon and name[:1].isupper() and len(name) <= 16 and not line.startswith(" "):
            key, facts[name] = name, value.strip()
        elif key and line.strip():
            facts[key] = f"{facts[key]} {line.strip()}".strip()
        else:
            key = ""
    return " ".join(headline.split()), facts


def read_hooks(root: Path) -> list[tuple[str, str, str]]:
    """(hook, type, meaning) of every hook, from `Method` in reproductions/shared/method.py."""
    path = root / "reproductions" / "shared" / "method.py"
    if not path.is_file():
        return []
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef) and node.name == "Method":
            types = {
                item.target.id: ast.unparse(item.annotation).removesuffix(" | None")
                for item in node.body
                if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name)
            }
            meanings = _attributes(ast.get_docstring(node) or "")
            return [(name, types[name], meanings.get(name, "")) for name in types]
    return []


def _attributes(docstring: str) -> dict[str, str]:
    """The `Attributes:` section of a Google-style docstring."""
    found: dict[str, str] = {}
    _, _, section = docstring.partition("Attributes:")
    name = ""
    for line in section.splitlines():
        head, colon, text = line.strip().partition(": ")
        if colon and line.startswith("    ") and not line.startswith("     "):
            name, found[head] = head, text
        elif name and line.strip():
            found[name] += f" {line.strip()}"
    return found
