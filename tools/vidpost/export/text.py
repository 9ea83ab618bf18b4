"""Text of the catalogue without what nobody sees: control characters and marks of direction."""

from __future__ import annotations

import unicodedata

_HIDDEN = frozenset({"Cc", "Cs", "Co", "Cn", "Zl", "Zp"})
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


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
