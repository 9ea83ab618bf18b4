"""BibTeX from the fields of an entry."""

from __future__ import annotations

import re
import unicodedata

from vidpost.catalog.models import Work
from vidpost.site.text import plain, visible

_STOP = frozenset(
    ("a", "an", "the", "on", "in", "of", "for", "to", "with", "and", "from", "via", "towards",
     "toward", "is", "are", "how")
)  # fmt: skip
_SPECIAL = str.maketrans({c: f"\\{c}" for c in "&%$#_"} | {"\\": "", "{": "", "}": ""})


def _ascii(text: str) -> str:
    folded = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]", "", folded.lower())


def key(entry: Work) -> str:
    """The citation key: surname, year, first word of the title that means something."""
    paper = entry.paper
    if paper is None:
        return entry.id
    first = (paper.authors or (paper.first_author or "",))[0]
    surname = _ascii(first.split()[-1]) if first.split() else ""
    words = [w for w in paper.title.split() if _ascii(w) and w.lower() not in _STOP]
    return f"{surname or entry.id}{paper.year or ''}{_ascii(words[0]) if words else ''}"


def bibtex(entry: Work) -> str | None:
    """The entry's own BibTeX, or one made from its fields; None without a paper."""
    paper = entry.paper
    if paper is None:
        return None
    if paper.bibtex:
        return visible(paper.bibtex.replace("\r", "")).strip()
    names = paper.authors or ((paper.first_author, "others") if paper.first_author else ())
    fields = {
        "title": f"{{{plain(paper.title).translate(_SPECIAL)}}}",
        "author": " and ".join(plain(name).translate(_SPECIAL) for name in names if name),
        "year": str(paper.year or ""),
        "booktitle": plain(paper.venue).translate(_SPECIAL) if paper.venue else "",
        "doi": paper.doi or "",
        "url": paper.link or "",
    }
    kind = "inproceedings" if paper.venue else "misc"
    if paper.arxiv_id:
        fields |= {"eprint": paper.arxiv_id, "archiveprefix": "arXiv"}
    lines = [f"  {name} = {{{plain(value)}}}," for name, value in fields.items() if value]
    return "\n".join([f"@{kind}{{{key(entry)},", *lines, "}"])
