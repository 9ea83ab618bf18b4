r"""Tags in a completion: `<think>..</think><answer>..</answer>` and their kin.

Everything here is linear in the length of the text. The usual regular expressions
(`<answer>\s*(.*?)\s*</answer>`) take cubic time on a completion of blanks; plain searching gives
the same result.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, Literal

Anchor = Literal["full", "prefix", "suffix", "search"]


def text_of(completion: Any) -> str:
    """The text of a completion: a string, or TRL's message list (content of the first message).

    Content given as parts (`[{"type": "text", "text": ...}]`) is joined; anything else is "".
    """
    if isinstance(completion, str):
        return completion
    if isinstance(completion, dict):
        return text_of(completion.get("content"))
    if isinstance(completion, Sequence) and completion:
        first = completion[0]
        if isinstance(first, dict) and "content" in first:
            return text_of(first["content"])
        return "".join(
            p["text"] for p in completion if isinstance(p, dict) and isinstance(p.get("text"), str)
        )
    return ""


def iter_tags(text: str, tag: str, *, dotall: bool = True) -> Iterator[str]:
    """Contents of all `<tag>..</tag>` from left to right, shortest match, not stripped.

    Args:
        text: The completion.
        tag: Tag name without brackets.
        dotall: Whether the content may hold line feeds.
    """
    opening, closing = f"<{tag}>", f"</{tag}>"
    start = text.find(opening)
    while start >= 0:
        inner = start + len(opening)
        end = text.find(closing, inner)
        if end < 0:
            return
        feed = -1 if dotall else text.find("\n", inner, end)
        if feed < 0:
            yield text[inner:end]
            start = text.find(opening, end + len(closing))
        else:
            start = text.find(opening, feed + 1)


def find_tag(
    text: str,
    tag: str = "answer",
    *,
    which: Literal["first", "last"] = "first",
    dotall: bool = True,
    strip: bool = True,
) -> str | None:
    """Content of the first or last `<tag>`, None if there is no closed one."""
    found: str | None = None
    for content in iter_tags(text, tag, dotall=dotall):
        found = content
        if which == "first":
            break
    return found.strip() if found is not None and strip else found


def extract_tag(
    text: str,
    tag: str = "answer",
    *,
    which: Literal["first", "last"] = "first",
    dotall: bool = True,
    strip: bool = True,
    default: str = "",
) -> str:
    """As `find_tag`, with `default` where no closed tag is found."""
    found = find_tag(text, tag, which=which, dotall=dotall, strip=strip)
    return default if found is None else found


def unclosed_tag(text: str, tag: str = "answer") -> str | None:
    """Stripped content of the first `<tag>`; the closing tag may be missing."""
    start = text.find(f"<{tag}>")
    if start < 0:
        return None
    inner = start + len(tag) + 2
    end = text.find(f"</{tag}>", inner)
    return text[inner : end if end >= 0 else None].strip()


def is_sequence(
    text: str,
    tags: Sequence[str] = ("think", "answer"),
    *,
    anchor: Anchor = "full",
    gaps: Sequence[str] = (),
) -> bool:
    r"""Whether the text is `<t1>..</t1> blanks <t2>..</t2> ..`, as the usual regex would say.

    Contents may hold anything, other tags included (the regex `.*?` with DOTALL).

    Args:
        text: The completion; strip it before if the rule does.
        tags: Tag names in order.
        anchor: "full": the whole text; "prefix": text may follow; "suffix": text may precede;
            "search": both.
        gaps: Regex between tag i and i+1, default blanks (`\s*`). Must match without
            backtracking over a closing tag.
    """
    first, last = f"<{tags[0]}>", f"</{tags[-1]}>"
    at = text.find(first) if anchor in ("suffix", "search") else 0
    if at < 0 or not text.startswith(first, at):
        return False
    at += len(first)
    for i, (left, right) in enumerate(pairwise(tags)):
        gap = gaps[i] if gaps else r"\s*"
        # The leftmost joint leaves most room for what follows, so no backtracking is needed.
        joint = re.compile(f"</{left}>{gap}<{right}>").search(text, at)
        if joint is None:
            return False
        at = joint.end()
    if anchor in ("full", "suffix"):
        return text.endswith(last) and len(text) - len(last) >= at
    return text.find(last, at) >= 0


def count_tags(text: str, *tags: str) -> dict[str, int]:
    """Number of opening and closing tags: keys are `<tag>` and `</tag>`."""
    return {mark: text.count(mark) for tag in tags for mark in (f"<{tag}>", f"</{tag}>")}
