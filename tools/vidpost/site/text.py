"""Text of the catalogue as it may stand in a page: never markup, never a script, never a surprise.

Every character that means something to Markdown, to Jinja or to HTML becomes a numeric character
reference, which Python-Markdown passes through and every browser shows as the character itself. The
same escaped text is safe in Markdown, in raw HTML and in attribute values.
"""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import quote, urlsplit

from markupsafe import Markup

from vidpost.export.text import plain

ABSENT = "not reported"
"""What a page says where the catalogue says nothing."""

# One underscore between letters or digits is plain to Python-Markdown; nothing else it knows is.
_SPECIAL = re.compile(r"[^\w\s.,:;()/'@%?+\u0080-\U0010ffff-]|(?<![^\W_])_|_(?![^\W_])")
_START = re.compile(r"^(?:[-+:]|\d+(?=\.(?:\s|$)))")


def _reference(match: re.Match[str]) -> str:
    return "".join(f"&#{ord(char)};" for char in match[0])


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
