"""CSL-JSON from the fields of an entry, for Zotero, pandoc and other citation processors."""

from __future__ import annotations

from typing import Any

from vidpost.catalog.models import Work
from vidpost.export.bibtex import authors, is_body, venue_of
from vidpost.export.text import plain

TYPES = {"article": "article-journal", "inproceedings": "paper-conference", "misc": "article"}
"""Kind of BibTeX entry -> CSL type; a preprint is an "article" of the publisher arXiv."""


def name(text: str) -> dict[str, str]:
    """A name as CSL: the last word is the family name, with the small words before it."""
    words = plain(text).split()
    if len(words) < 2 or is_body(text) or "," in text:
        return {"literal": " ".join(words)}
    start = len(words) - 1
    while start > 1 and words[start - 1].islower():
        start -= 1
    return {"family": " ".join(words[start:]), "given": " ".join(words[:start])}


def item(entry: Work) -> dict[str, Any] | None:
    """One item, None without a paper. Its id is the entry's, as in BibTeX."""
    paper = entry.paper
    if paper is None:
        return None
    kind, venue, year = venue_of(entry)
    names, more = authors(paper)
    value: dict[str, Any] = {
        "id": entry.id,
        "type": TYPES[kind],
        "title": plain(paper.title),
        "title-short": plain(entry.name),
        "author": [*map(name, names), *([{"literal": "others"}] if more else [])],
        "issued": {"date-parts": [[year]]} if year else {},
        "container-title": plain(venue),
        "DOI": paper.doi or "",
        "URL": paper.link or "",
    }
    if paper.arxiv_id:
        value["number"] = f"arXiv:{paper.arxiv_id}"
        if kind == "misc":
            value["publisher"] = "arXiv"
    open_ = [path for path in entry.unverified if path.startswith("paper.")]
    if open_:
        value["note"] = f"not verified: {', '.join(map(plain, open_))}"
    return {key: part for key, part in value.items() if part}
