"""What a method.py says, read with `ast`: nothing is imported, nothing runs.

The site, `vidpost diff` and the contracts read modules through this one reader, so it also works
without torch and on code that nobody has reviewed yet.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path

from vidpost.catalog.diagnostics import CatalogError, Diagnostic

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

_OF_BASELINE = {
    ("dpo", "loss"): "DPO: -log sigmoid of the pair's margin over the reference",
    ("dpo", "build_group"): "G answers to one prompt; the best is preferred to the worst",
    ("sft", "loss"): "cross-entropy of the target's tokens",
}
_NOT_HOOKS = ("id", "baseline", "trainer")


def baseline_does(hook: str, baseline: str | None = None) -> str:
    """What happens where a method over this baseline, and the baseline itself, leave a hook unset.

    Args:
        hook: A key of `BASELINE_DOES`.
        baseline: Id of the baseline.
    """
    return _OF_BASELINE.get((baseline or "", hook), BASELINE_DOES[hook])


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
        line: Line of `METHOD = Method(...)`, from 1.
        id: Id of the method; None if it is no plain string.
        baseline: Id of the baseline, None if the method is one.
        hooks: Hooks it sets, in the order in which they act; `trainer` counts as one.
        named: Names of the hooks it sets, those included that nobody knows, without `trainer`.
    """

    path: str
    source: str
    headline: str
    facts: dict[str, str]
    line: int
    id: str | None
    baseline: str | None
    hooks: tuple[Hook, ...]
    named: tuple[str, ...]


def read_module(root: Path, path: Path) -> Module | None:
    """Reads a method module.

    Args:
        root: Repository root.
        path: The module; None is returned if it does not exist.

    Raises:
        CatalogError: It is not Python, or does not assign `METHOD = Method(...)`; with a
            diagnostic.
    """
    if not path.is_file():
        return None
    shown = path.relative_to(root).as_posix()
    try:
        source = path.read_text(encoding="utf-8")
        tree = ast.parse(source)
    except (SyntaxError, UnicodeDecodeError, ValueError) as error:
        message = "not Python. Correct the syntax."
        line = getattr(error, "lineno", None) or 1
        raise CatalogError(diagnostics=[_no_method(shown, line, message)]) from None
    line, call = _method_call(tree)
    if call is None:
        message = "no METHOD = Method(...) with plain keywords. Assign it at the top level."
        raise CatalogError(diagnostics=[_no_method(shown, line, message)])
    places = _places(tree)
    given = {str(keyword.arg): keyword.value for keyword in call.keywords}
    is_set = [name for name, value in given.items() if not _is_unset(value)]
    headline, facts = _docstring(ast.get_docstring(tree) or "")
    return Module(
        path=shown,
        source=source,
        headline=headline,
        facts=facts,
        line=line,
        id=_text(given.get("id")),
        baseline=_text(given.get("baseline")),
        hooks=tuple(
            Hook(name, *_describe(given[name], places)) for name in BASELINE_DOES if name in is_set
        ),
        named=tuple(name for name in is_set if name not in _NOT_HOOKS),
    )


def _no_method(file: str, line: int, message: str) -> Diagnostic:
    return Diagnostic(file, line, 1, "no-method", "", message)


def _is_unset(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and not node.value


def _text(node: ast.expr | None) -> str | None:
    value = node.value if isinstance(node, ast.Constant) else None
    return value if isinstance(value, str) else None


def _method_call(tree: ast.Module) -> tuple[int, ast.Call | None]:
    """Line and call of `METHOD = Method(...)`; no call if it is missing or not plain."""
    for node in tree.body:
        match node:
            case (
                ast.Assign(targets=[ast.Name(id="METHOD")], value=value)
                | ast.AnnAssign(target=ast.Name(id="METHOD"), value=value)
            ):
                plain = isinstance(value, ast.Call) and not value.args
                if plain and all(keyword.arg for keyword in value.keywords):  # type: ignore[union-attr]
                    return node.lineno, value  # type: ignore[return-value]
                return node.lineno, None
    return 1, None


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


def known_hooks(root: Path) -> tuple[str, ...]:
    """The hooks that exist, from HOOKS in reproductions/shared/method.py; () if it is missing."""
    for node in _contract(root):
        match node:
            case ast.AnnAssign(target=ast.Name(id="HOOKS"), value=ast.Tuple(elts=elements)):
                values = [each.value for each in elements if isinstance(each, ast.Constant)]
                return tuple(value for value in values if isinstance(value, str))
    return ()


def read_hooks(root: Path) -> list[tuple[str, str, str]]:
    """(hook, type, meaning) of every hook, from `Method` in reproductions/shared/method.py."""
    for node in _contract(root):
        if isinstance(node, ast.ClassDef) and node.name == "Method":
            types = {
                item.target.id: ast.unparse(item.annotation).removesuffix(" | None")
                for item in node.body
                if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name)
            }
            meanings = _attributes(ast.get_docstring(node) or "")
            return [(name, types[name], meanings.get(name, "")) for name in types]
    return []


def _contract(root: Path) -> list[ast.stmt]:
    path = root / "reproductions" / "shared" / "method.py"
    return ast.parse(path.read_text(encoding="utf-8")).body if path.is_file() else []


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
