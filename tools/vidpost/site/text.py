"""Text of the catalogue as it may stand in a page: never markup, never a script, never a surprise.

Every character that means something to Markdown, to Jinja or to HTML becomes a numeric character
reference, which Python-Markdown passes through and every browser shows as the character itself. The
same escaped text is safe in Markdown, in raw HTML and in attribute values.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from urllib.parse import quote, urlsplit

from markupsafe import Markup

ABSENT = "not reported"
"""What a page says where the catalogue says nothing."""

_SPECIAL = re.compile(r"[^\w\s.,;()/\u0080-\U0010ffff-]|_")
_START = re.compile(r"^(?:[-.(]|\d+(?=[.)]))")
_HIDDEN = frozenset({"Cc", "Cs", "Co", "Cn", "Zl", "Zp"})
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def _reference(match: re.Match[str]) -> str:
    return "".join(f"&#{ord(char)};" for char in match[0])


def visible(text: str) -> str:
    """Text without control characters, lone surrogates and marks that change its direction."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        char
        for char in text
        if char in " \t\n" or (unicodedata.category(char) not in _HIDDEN and char not in _BIDI)
    )


def plain(value: object) -> str:
    """One line of visible text, white space folded."""
    return " ".join(visible(" ".join(str(value).split())).split())


@lru_cache(maxsize=20_000)
def _escape(text: str) -> Markup:
    return Markup(_START.sub(_reference, _SPECIAL.sub(_reference, plain(text))))


def escape(value: object) -> Markup:
    """A value as text that means nothing but itself in Markdown, HTML and attributes.

    Markup made by our own templates passes unchanged; None is shown as `ABSENT`.
    """
    if isinstance(value, Markup):
        return value
    if value is None or value == "":
        return Markup(f'<span class="absent">{ABSENT}</span>')
    return _escape(value if isinstance(value, str) else str(value))


@lru_cache(maxsize=20_000)
def outside(address: str) -> Markup | None:
    """An address of another host for an `href`; None unless it is http or https with a host."""
    try:
        parts = urlsplit(address)
        host = parts.hostname
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not host:
        return None
    safe = quote(address, safe="/:?#@!$&,;=%~+.-_")
    return Markup(safe.replace("&", "&amp;"))


def number(value: float | int | None) -> str | None:
    """A number as people write it: 35.8, 260,000, 1e-06 as 0.000001."""
    if value is None:
        return None
    if isinstance(value, int) or float(value).is_integer():
        return f"{int(value):,}"
    return f"{value:.10f}".rstrip("0")


# The few LaTeX words that metric definitions use; anything else is shown as it is written.
_LATEX = {
    r"\\frac\{([^{}]*)\}\{([^{}]*)\}": r"(\1) / (\2)",
    r"\\(?:text|mathrm|operatorname|mathbb|mathbf)\{([^{}]*)\}": r"\1",
    r"\\sum": "∑", r"\\max": "max", r"\\min": "min", r"\\log": "log", r"\\exp": "exp",
    r"\\cdot": "·", r"\\times": "×", r"\\leq?": "≤", r"\\geq?": "≥", r"\\neq?": "≠",
    r"\\in\b": "∈", r"\\cap": "∩", r"\\cup": "∪", r"\\tau": "τ", r"\\alpha": "α",
    r"\\beta": "β", r"\\gamma": "γ", r"\\lambda": "λ", r"\\theta": "θ", r"\\delta": "δ",
    r"\\epsilon": "ε", r"\\hat\{([^{}]*)\}": "\\1\u0302", r"\\hat ?(\w)": "\\1\u0302",
    r"\\left|\\right|\\,|\\;|\\!|\\quad": " ", r"\\\{": "{", r"\\\}": "}", r"\\%": "%",
    r"\\(?:l|r)Vert|\\\|": "‖", r"\\ldots|\\dots": "…", r"\\sqrt\{([^{}]*)\}": r"√(\1)",
    r"\\to\b|\\rightarrow": "→", r"\\mid": "|", r"\\[lr]floor": "", r"\\pi\b": "π",
}  # fmt: skip


def formula(text: str) -> Markup:
    """A definition with the simple LaTeX between its dollar signs as Unicode and <sub>/<sup>."""
    parts = text.split("$")
    if len(parts) % 2 == 0:  # an odd dollar sign: not a formula
        return escape(text)
    shown = []
    for place, part in enumerate(parts):
        if place % 2 == 0:
            shown.append(_escape(part) if part.strip() else Markup(part))
            continue
        for _ in range(3):  # nested braces
            for pattern, replacement in _LATEX.items():
                part = re.sub(pattern, replacement, part)
        safe = str(_SPECIAL.sub(_reference, plain(part)))
        for mark, tag in (("&#95;", "sub"), ("&#94;", "sup")):
            safe = re.sub(
                rf"{mark}(?:&#123;((?:(?!&#12[35];).)*)&#125;|(\w))",
                lambda m, tag=tag: f"<{tag}>{m[1] if m[1] is not None else m[2]}</{tag}>",
                safe,
            )
        shown.append(Markup(f'<i class="math">{safe}</i>'))
    return Markup(" ").join(shown)
