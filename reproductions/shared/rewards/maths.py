"""Equality of mathematical answers: a rule of our own, and math_verify where a paper used it."""

from __future__ import annotations

import ast
import cmath
import operator
import re
import unicodedata
from collections.abc import Callable, Sequence
from fractions import Fraction
from importlib import import_module
from typing import Any

from reproductions.shared.rewards.numbers import words

_UNITS = words(
    "degree cm centimeter meter mile second minute hour day week month year foot feet inch yard"
)
_POWERS = {"million": 6, "billion": 9, "trillion": 12}
_OPERATORS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_LONGEST = 200
"""Longer expressions are compared as strings only."""
_EPS = 1e-9
"""Relative tolerance where roots make a value inexact."""

# -- values of expressions -------------------------------------------------------------------------


def _value(node: ast.AST, names: dict[str, Any]) -> Any:
    """Value of a small arithmetic expression, exact without roots; ValueError for anything else."""
    if isinstance(node, ast.Expression):
        return _value(node.body, names)
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        return Fraction(str(node.value))
    if isinstance(node, ast.Name) and node.id not in _CALLS:
        return names[node.id]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        value = _value(node.operand, names)
        return -value if isinstance(node.op, ast.USub) else value
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and len(node.args) == 1:
        if node.func.id not in _CALLS or node.keywords:
            raise ValueError("not arithmetic")
        value = complex(_value(node.args[0], names))
        return value**0.5 if node.func.id == "sqrt" else cmath.log(value)
    if isinstance(node, ast.BinOp):
        left, right = _value(node.left, names), _value(node.right, names)
        if isinstance(node.op, ast.Pow):
            return _power(left, right)
        if type(node.op) in _OPERATORS:
            return _OPERATORS[type(node.op)](left, right)
    raise ValueError("not arithmetic")


def _power(base: Any, exponent: Any) -> Any:
    if not (isinstance(base, Fraction) and isinstance(exponent, Fraction)):
        return complex(base) ** complex(exponent)
    if exponent.denominator != 1:
        return complex(base) ** float(exponent)
    if abs(exponent) > 64 or base.numerator.bit_length() > 256:
        raise ValueError("exponent out of range")
    return Fraction(base ** int(exponent))


_TOKEN = re.compile(r"(?:\d++(?:\.\d*+)?+|\.\d++)(?:e[+-]?\d++)?+|[^\W\d]\w*+|\*\*|.", re.DOTALL)
_CALLS = {"sqrt", "ln"}
_NAMES = {"pi", "mu", "nu", "xi"}
"""Names of several letters; any other word is a product of its letters."""


def _tokens(text: str) -> list[str]:
    """Tokens of an expression with every product written out: "2xy" is 2 * x * y."""
    tokens: list[str] = []
    found = _TOKEN.findall(re.sub(r"[ \t\f]+", " ", text.replace("^", "**")).strip())
    for token, after in zip(found, [*found[1:], ""], strict=False):
        if token == " " and not (tokens and tokens[-1][0].isdigit() and after.isdigit()):
            continue  # a blank between two numbers is no product but an error
        call = token in _CALLS and after == "("
        whole = call or token in _NAMES or "_" in token or not token[0].isalpha()
        for part in [token] if whole else re.findall(r"\d+|.", token):
            left = tokens[-1] if tokens else ""
            ends = left not in _CALLS and (left[-1:].isalnum() or left[-1:] in ("_", ".", ")"))
            number = part[0].isdigit() or (part[0] == "." and len(part) > 1)
            if ends and (part[0].isalpha() or part == "(" or (number and not left[0].isdigit())):
                tokens.append("*")
            tokens.append(part)
    return tokens


def same_value(a: str, b: str) -> bool:
    """Whether two arithmetic expressions have the same value; parsed as data, no eval.

    Variables, and pi, are replaced by fixed numbers of both signs, so that sqrt(x^2) is neither x
    nor -x.
    """
    if max(len(a), len(b)) > _LONGEST or re.search("0[xob]", f"{a} {b}"):
        return False
    if not unicodedata.is_normalized("NFKC", a + b):  # Python's parser would read the wide B as B
        return False
    sides = [_tokens(x) for x in (a, b)]
    letters = sorted({token for side in sides for token in side if token.isidentifier()})
    try:
        trees = [ast.parse("".join(side), mode="eval") for side in sides]
        for sign in (-1, 1):
            names = {x: Fraction(sign * (31 + 7 * i), 13 + i) for i, x in enumerate(letters)}
            x, y = (_value(tree, names) for tree in trees)
            exact = isinstance(x, Fraction) and isinstance(y, Fraction)
            if not (x == y if exact else abs(x - y) <= _EPS * max(1.0, abs(x))):
                return False
    except (
        ValueError,
        TypeError,
        KeyError,
        SyntaxError,
        ZeroDivisionError,
        OverflowError,
        RecursionError,
        MemoryError,
    ):
        return False
    return True


# -- normal forms ----------------------------------------------------------------------------------

_TEXT = re.compile(r"^\\text\{(.+?)\}$")
_SYMBOLS = {"pi": "pi", "infty": "inf", "cup": "U", "cdot": "*", "times": "*", "div": "\u00f7"} | {
    "le": "\u2264", "leq": "\u2264", "ge": "\u2265", "geq": "\u2265", "ne": "\u2260",
    "neq": "\u2260", "pm": "\u00b1", "cap": "\u2229", "in": "\u2208", "circ": "\u2218",
}  # fmt: skip
_MACRO = re.compile(r"\\(?:([a-zA-Z]++)\s*+|(.?))", re.DOTALL)
_ARGUMENT = re.compile(r"\s*+(?:\{([^{}]*+)\}|(\\[a-zA-Z]++|[^\s\\{}]))")


def _math_form(text: str) -> str:
    r"""The normal form of the MATH data set's grader: fractions and roots with braces, no blanks.

    Raises:
        IndexError: Where a fraction or root has no argument.
        ValueError: For two units in `\text{ ..}`.
    """
    for old in ("\n", "\\!"):
        text = text.replace(old, "")
    for old, new in (("\\\\", "\\"), ("tfrac", "frac"), ("dfrac", "frac")):
        text = text.replace(old, new)
    for old in ("\\left", "\\right", "^{\\circ}", "^\\circ", "\\$"):
        text = text.replace(old, "")
    if "\\text{ " in text:
        text, _unit = text.split("\\text{ ")
    text = text.replace("\\%", "").replace("%", "").replace(" .", " 0.").replace("{.", "{0.")
    text = f"0{text}" if text.startswith(".") else text
    left, equals, right = text.partition("=")
    if equals and "=" not in right and len(left) <= 2:
        text = right
    if re.search(r"\\sqrt(?:\\sqrt|\Z)", text):
        raise IndexError("root without argument")
    text = re.sub(r"\\sqrt([^{])", r"\\sqrt{\1}", text).replace(" ", "")
    text = _braced_fractions(text)
    if text == "0.5":
        return "\\frac{1}{2}"
    quotient = re.fullmatch(r"(-?\d{1,99})/(-?\d{1,99})", text)
    if quotient and text == "/".join(str(int(x)) for x in quotient.groups()):
        return f"\\frac{{{quotient.group(1)}}}{{{quotient.group(2)}}}"
    return text


def _braced_fractions(text: str) -> str:
    """Fractions with both arguments in braces; an argument of one character may stand without.

    A fraction with one argument alone leaves the whole text as it is.

    Raises:
        IndexError: A fraction without arguments comes before such a one.
    """
    short = re.search(r"\\frac[^{]??(?=\\frac|\Z)", text, re.DOTALL)
    if short and short[0] == "\\frac":
        raise IndexError("fraction without argument")
    if short:
        return text

    def braced(found: re.Match[str]) -> str:
        over, under = found.groups()
        return f"\\frac{{{over}}}" + (f"{{{under}}}" if under else "")

    return re.sub(r"\\frac([^{])(?:(?=\{)|(.))", braced, text, flags=re.DOTALL)


def _first_form(answer: str) -> str:
    answer = answer.strip()
    inner = _TEXT.search(answer)
    answer = inner.group(1).strip() if inner else answer
    try:
        return _math_form(answer)
    except (IndexError, ValueError):
        return answer


def _spoken(text: str) -> str:
    """LaTeX as plain text: a/b for fractions, sqrt(x) for roots, unknown macros dropped."""
    text = text.replace("\\tfrac", "\\frac").replace("\\dfrac", "\\frac")
    text = text.replace("\\frac", " \\frac")
    for _ in range(20):  # innermost first
        before = text
        text = re.sub(
            rf"\\frac{_ARGUMENT.pattern}{_ARGUMENT.pattern}",
            lambda m: f"{m[1] if m[2] is None else m[2]}/{m[3] if m[4] is None else m[4]}",
            text,
        )
        text = re.sub(
            rf"\\sqrt(?:\[[^\]]*+\])?+{_ARGUMENT.pattern}",
            lambda m: f"sqrt({m[1] if m[2] is None else m[2]})",
            text,
        )
        if text == before:
            break
    text = re.sub(r"\\mbox\s*+\{[^{}]*+\}", "", text)
    text = re.sub("[{}]", "", _MACRO.sub(_macro, text))
    return text.replace("\u00b7", "*").replace("\u00d7", "*").strip()


def _macro(found: re.Match[str]) -> str:
    name, sign = found.groups()
    if name is None:
        return sign if sign in "%$#&_{}" else " " if sign and sign in ",;: " else ""
    if name in _SYMBOLS:
        return _SYMBOLS[name]
    if name[1:] != name[1:].lower():
        return ""
    try:
        kind = "CAPITAL" if name[0].isupper() else "SMALL"
        return unicodedata.lookup(f"GREEK {kind} LETTER {name.upper()}")
    except KeyError:
        return ""


def _without_commas(text: str) -> str:
    """1,234,567 as 1234567; other commas stay."""
    return re.sub(r"(?<=\d),(?=\d{3}(?:\D|\Z))", "", text)


def _whole(text: str) -> bool:
    """Whether it is a number within 1e-7 of an integer."""
    try:
        value = float(_without_commas(text))
        return abs(value - round(value)) <= 1e-7
    except (ValueError, OverflowError):
        return False


def _second_form(text: str) -> str:
    """The lenient normal form: no units, currency or LaTeX, lower case, integers as integers."""
    inner = _TEXT.search(text)
    text = inner.group(1) if inner else text
    for old, new in (("\\%", "%"), ("\\$", "$"), ("$", ""), ("%", "")):
        text = text.replace(old, new)
    text = text.replace(" or ", " , ").replace(" and ", " , ")
    for word, power in _POWERS.items():
        text = text.replace(word, f"*10^{power}")
    for unit in _UNITS:
        text = re.sub(rf"{unit}(es)?(s)? *(\^[0-9]+)?", "", text)
    text = re.sub(r"\^ *\\circ", "", text)
    text = text[1:-1] if text[:1] == "{" and text[-1] == "}" else text
    text = re.sub(r",\\! *", "", text)
    try:
        value = float(text)
        text = str(round(value)) if abs(value - round(value)) <= 1e-7 else text
    except (ValueError, OverflowError):
        pass
    text = _spoken(text) if "\\" in text else text
    text = re.sub("- *", "-", text)
    text = re.sub("([0-9]) +([0-9])", r"\1+\2", text)  # mixed numbers
    text = text.replace(" ", "").replace("{", "").replace("}", "").lower()
    return str(int(float(text.replace(",", "")))) if _whole(text) else text


def _parts(text: str) -> list[str]:
    text = _without_commas(text)
    inner = text[1:-1]
    if inner and text[0] in "()[]" and text[-1] in "()[]" and not set("()[]") & set(inner):
        return [part.strip() for part in inner.split(",")]
    return [text] if text else []


def grade_answer(pred: str, gold: str) -> bool:
    r"""Equality as mathruler 0.1.0's `grade_answer`: two normal forms, then equal values by parts.

    "1/2" equals "0.5" and "\frac12", "1,000" equals "1000", "(B)" equals "(b)", "x^2" equals
    "x**2". An integer only equals something written as an integer, and fractions of integers only
    equal themselves.
    """
    pred = pred[: _LONGEST * 10]
    if _first_form(pred) == _first_form(gold):
        return True
    p, g = _second_form(pred), _second_form(gold)
    if p == g:
        return True
    if not p:
        return False
    ps, gs = _parts(p), _parts(g)
    if len(ps) != len(gs) or not gs or (len(gs) > 1 and (p[0], p[-1]) != (g[0], g[-1])):
        return False
    return all(_same_part(x, y) for x, y in zip(ps, gs, strict=True))


_FRACTION = re.compile(r"-?[0-9]+.?/0*[1-9][0-9]*.?$")


def _same_part(p: str, g: str) -> bool:
    if _FRACTION.match(p) and _FRACTION.match(g):
        return p == g
    if _whole(p) != _whole(g) or re.search(r"\^\(|\^[0-9]+\^|\^[0-9][0-9]", f"{g} {p}"):
        return False
    letters = {c for c in f"{p}{g}".replace("sqrt", "").replace("frac", "") if c.isalpha()}
    return len(letters) <= 2 and same_value(p, g)


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


def math_verify(pred: str, gold: str, *, letters: bool = False) -> bool:
    """Whether math_verify finds the gold in the text; False where it is not installed.

    The result depends on the version (0.9.0 checked) and on timeouts by signal, so only the exact
    variants of official rules use it.

    Args:
        pred: The completion.
        gold: The annotation.
        letters: Whether option letters are looked for too, and the sides swapped (VerIPO).
    """
    try:
        lib = import_module("math_verify")
    except ImportError:
        return False
    try:
        if letters:
            kinds = (
                lib.StringExtractionConfig,
                lib.LatexExtractionConfig,
                lib.ExprExtractionConfig,
            )
            found = lib.parse(pred, extraction_config=[kind() for kind in kinds])
            return bool(lib.verify(found, lib.parse(gold)))
        wanted, found = lib.parse(gold), lib.parse(pred)
        return bool(wanted and found and lib.verify(wanted, found))
    except Exception:  # any failure inside sympy's parsers counts as "not verified"
        return False


def parsed(text: str) -> list[Any] | None:
    """What math_verify reads in a text; None where it fails or is not installed."""
    try:
        return list(import_module("math_verify").parse(text))
    except Exception:  # any failure inside sympy's parsers
        return None


def verified(gold: Sequence[Any], found: Sequence[Any]) -> bool | None:
    """Whether two results of `parsed` agree by math_verify; None where it fails."""
    try:
        return bool(import_module("math_verify").verify(list(gold), list(found)))
    except Exception:  # any failure inside sympy's parsers
        return None
