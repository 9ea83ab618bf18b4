"""Equality of mathematical answers: a rule of our own, and math_verify where a paper used it."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable
from fractions import Fraction
from importlib import import_module
from typing import Any

from reproductions.shared.rewards.numbers import words

_UNITS = words(
    "degree cm centimeter meter mile second minute hour day week month year foot feet inch yard"
)
_OPERATORS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_LONGEST = 200
"""Longer expressions are compared as strings only."""


def _value(node: ast.AST, names: dict[str, Fraction]) -> Fraction:
    """Exact value of a small arithmetic expression; ValueError for anything else."""
    if isinstance(node, ast.Expression):
        return _value(node.body, names)
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return Fraction(str(node.value))
    if isinstance(node, ast.Name) and len(node.id) == 1:
        return names.setdefault(node.id, Fraction(31 + 7 * len(names), 13))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        value = _value(node.operand, names)
        return -value if isinstance(node.op, ast.USub) else value
    if isinstance(node, ast.BinOp):
        left, right = _value(node.left, names), _value(node.right, names)
        if isinstance(node.op, ast.Pow):
            if right.denominator != 1 or abs(right) > 64 or left.numerator.bit_length() > 256:
                raise ValueError("exponent out of range")
            return Fraction(left ** int(right))
        if type(node.op) in _OPERATORS:
            return Fraction(_OPERATORS[type(node.op)](left, right))
    raise ValueError("not arithmetic")


def same_value(a: str, b: str) -> bool:
    """Whether two arithmetic expressions have the same exact value; parsed as data, no eval.

    Variables of one letter are replaced by fixed numbers in the order of their names.
    """
    if max(len(a), len(b)) > _LONGEST or not (a + b).isascii():
        return False
    letters = sorted(set(re.findall("[a-z]", a + b)))
    names = {x: Fraction(31 + 7 * i, 13 + i) for i, x in enumerate(letters)}
    try:
        trees = [ast.parse(x.replace("^", "**"), mode="eval") for x in (a, b)]
        return _value(trees[0], dict(names)) == _value(trees[1], dict(names))
    except (ValueError, SyntaxError, ZeroDivisionError, OverflowError, RecursionError, MemoryError):
        return False


def _plain(text: str) -> str:
    """Answer without the usual LaTeX dressing, blanks, units; lower case."""
    text = text.strip()
    inner = re.fullmatch(r"\\text\{(.+)\}", text)
    text = inner.group(1) if inner else text
    for old, new in (("\\%", "%"), ("\\$", "$"), ("$", ""), ("%", "")):
        text = text.replace(old, new)
    text = text.replace(" or ", " , ").replace(" and ", " , ")
    for unit in _UNITS:
        text = re.sub(rf"{unit}(es)?(s)? *(\^[0-9]+)?", "", text)
    text = re.sub(r"\^ *\\circ", "", text)
    text = re.sub(r"\\[dt]?frac\{([^{}]*)\}\{([^{}]*)\}", r"(\1)/(\2)", text)
    text = re.sub(r"\\(?:boxed|text|mathrm|mathbf|left|right)", "", text)
    text = text.replace(" ", "").replace("{", "").replace("}", "").lower()
    if re.fullmatch(r"-?\d{1,3}(,\d{3})+(\.\d+)?", text):
        text = text.replace(",", "")
    if re.fullmatch(r"-?\d{1,300}\.0*", text):
        text = text.split(".")[0]
    return text


def _parts(text: str) -> list[str]:
    if len(text) > 2 and text[0] in "([" and text[-1] in ")]" and not set("()[]") & set(text[1:-1]):
        return text[1:-1].split(",")
    return [text]


def grade_answer(pred: str, gold: str) -> bool:
    """Equality in the manner of mathruler's `grade_answer`: LaTeX, units, tuples, exact values.

    "1/2" equals "0.5", "1,000" equals "1000", "(B)" equals "b", "x^2" equals "x**2". An integer
    only equals something written as an integer.
    """
    p, g = pred[: _LONGEST * 10], gold
    if p.strip() == g.strip():
        return True
    p, g = _plain(p), _plain(g)
    if p == g:
        return True
    if not p:
        return False
    ps, gs = _parts(p), _parts(g)
    if len(ps) != len(gs) or (len(gs) > 1 and (p[0], p[-1]) != (g[0], g[-1])):
        return False
    return all(_same_part(x, y) for x, y in zip(ps, gs, strict=True))


def _same_part(p: str, g: str) -> bool:
    if p == g:
        return True
    whole = [bool(re.fullmatch(r"-?\d+", x)) for x in (p, g)]
    if whole[0] != whole[1] or all(re.fullmatch(r"-?\d+/0*[1-9]\d*", x) for x in (p, g)):
        return False
    return len(set(re.findall("[a-z]", p + g))) <= 2 and same_value(p, g)


def boxed(text: str) -> str | None:
    r"""Content of the last `\boxed{..}` with balanced braces, None if there is none."""
    start = text.rfind("\\boxed{")
    if start < 0:
        return None
    depth = 0
    for i in range(start + 6, len(text)):
        depth += (text[i] == "{") - (text[i] == "}")
        if depth == 0:
            return text[start + 7 : i]
    return None


def math_verify(pred: str, gold: str) -> bool:
    """Whether math_verify finds the gold in the text; False where it is not installed.

    The result depends on the version (0.9.0 checked) and on timeouts by signal, so only the exact
    variants of official rules use it.
    """
    try:
        lib = import_module("math_verify")
    except ImportError:
        return False
    try:
        wanted, found = lib.parse(gold), lib.parse(pred)
        return bool(wanted and found and lib.verify(wanted, found))
    except Exception:  # any failure inside sympy's parsers counts as "not verified"
        return False
