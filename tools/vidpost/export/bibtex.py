"""BibTeX from the fields of an entry.

The citation key is the entry's id: unique, and it stays when a title, an author or a venue is
corrected. `docs/catalog.bib` and `vidpost export bibtex` are both made by `bibliography`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import quote

from vidpost.catalog.models import Paper, Work
from vidpost.export.text import plain, visible

JOURNALS = frozenset(
    ("IJCV", "JMLR", "TACL", "TCSVT", "TIP", "TKDE", "TMLR", "TMM", "TOMM", "TPAMI", "TVCG")
)
"""Venues that are journals; all others count as conferences."""

# A brace of its own would end the field: BibTeX counts braces, with or without a backslash.
_SPECIAL = str.maketrans(
    {c: f"\\{c}" for c in "&%$#_"}
    | {"\\": r"\textbackslash{}", "{": r"\textbraceleft{}", "}": r"\textbraceright{}",
       "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}",
       ">": r"\textgreater{}", "|": r"\textbar{}"}
)  # fmt: skip
_PEOPLE = frozenset({"team", "group", "lab", "labs", "consortium", "collaboration", "project"})


def escape(text: object) -> str:
    """Text as LaTeX that prints it: no command, no comment, no unbalanced brace."""
    return plain(text).translate(_SPECIAL)


def is_body(name: str) -> bool:
    """Whether an author is a team rather than a person."""
    words = name.lower().split()
    return bool(words) and words[-1] in _PEOPLE


def authors(paper: Paper) -> tuple[tuple[str, ...], bool]:
    """(authors that are known, whether there are more)."""
    names = tuple(filter(plain, paper.authors))
    if names or not paper.first_author:
        return names, False
    return (paper.first_author,), True


def venue_of(entry: Work) -> tuple[str, str, int | None]:
    """(kind of BibTeX entry, venue, year), from the venue where one is known and verified.

    The year is that of the venue, for example 2026 for a paper of "CVPR 2026" that came to arXiv
    the year before.
    """
    paper = entry.paper
    if paper is None or not paper.venue or "paper.venue" in entry.unverified:
        return "misc", "", paper.year if paper else None
    found = re.search(r"\b(?:19|20)\d{2}\b", paper.venue)
    kind = "article" if paper.venue.split()[0] in JOURNALS else "inproceedings"
    return kind, paper.venue, int(found[0]) if found else paper.year


def _author(name: str) -> str:
    escaped = escape(name)
    # BibTeX splits names at commas and at the word "and"; a pair of braces keeps them whole.
    whole = is_body(name) or "," in escaped or re.search(r"\band\b|\bothers\b", name)
    return f"{{{escaped}}}" if whole else escaped


def _own(entry: Work) -> str | None:
    """The entry's own BibTeX under the entry's key, None if it is not one well-formed entry."""
    text = visible((entry.paper.bibtex if entry.paper else None) or "").strip()
    start = re.match(r"@(\w+)\s*\{\s*[^,\s{}]+\s*,", text)
    if start is None or start[1].lower() in ("string", "comment", "preamble"):
        return None
    depth = 0
    for at, char in enumerate(text):
        depth += (char == "{") - (char == "}")
        if depth == 0 and char == "}" and at != len(text) - 1:
            return None
    return f"@{start[1]}{{{entry.id},{text[start.end() :]}" if depth == 0 else None


def bibtex(entry: Work) -> str | None:
    """The entry's own BibTeX, or one made from its fields; None without a paper."""
    paper = entry.paper
    if paper is None:
        return None
    if (own := _own(entry)) is not None:
        return own
    kind, venue, year = venue_of(entry)
    names, more = authors(paper)
    fields = {
        "title": f"{{{escape(paper.title)}}}",
        "author": " and ".join([*map(_author, names), *(["others"] if more else [])]),
        "year": str(year or ""),
        "journal" if kind == "article" else "booktitle": escape(venue),
        "doi": quote(plain(paper.doi or ""), safe="/:;()<>.,_-+"),
        "url": quote(plain(paper.link or ""), safe="/:?#@!$&,;=%~+.-_()"),
    }
    if paper.arxiv_id:
        fields |= {"eprint": paper.arxiv_id, "archiveprefix": "arXiv"}
    lines = [f"  {name} = {{{value}}}," for name, value in fields.items() if value]
    return "\n".join([f"@{kind}{{{entry.id},", *lines, "}"])


def bibliography(entries: Iterable[Work]) -> str:
    """BibTeX of every paper, sorted by key; above each stands its id, and what is not verified."""
    parts = []
    for entry in sorted(entries, key=lambda entry: entry.id):
        if text := bibtex(entry):
            open_ = [path for path in entry.unverified if path.startswith("paper.")]
            note = f"%% not verified: {', '.join(map(plain, open_))}\n" if open_ else ""
            parts.append(f"% {entry.id}\n{note}{text}\n")
    return "\n".join(parts)
