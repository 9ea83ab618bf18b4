"""A BibTeX file with one entry, for papers that are not on arXiv."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

from pydantic import ValidationError

from vidpost.add.arxiv import Found, one_line, parse_ref, year_of
from vidpost.catalog.diagnostics import CatalogError
from vidpost.catalog.models import Paper

LARGEST = 100_000  # bytes


def read(path: Path) -> Found:
    """The paper of a .bib file.

    Raises:
        CatalogError: It cannot be read, holds no entry or more than one, or has no title.
    """
    try:
        if path.stat().st_size > LARGEST:
            raise CatalogError(f"{path}: larger than {LARGEST} bytes. Keep only the paper's entry.")
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CatalogError(f"{path}: not a readable UTF-8 file. Check the path.") from error
    return parse(text, str(path))


def parse(text: str, path: str) -> Found:
    """The paper of a BibTeX text; `path` names it in messages.

    Raises:
        CatalogError: It holds no entry or more than one, or has no title.
    """
    starts = [
        match
        for match in re.finditer(r"^[ \t]*@(\w+)\s*\{[^,{}]*,", text, re.MULTILINE)
        if match[1].lower() not in ("string", "comment", "preamble")
    ]
    if len(starts) != 1:
        raise CatalogError(f"{path}: {len(starts)} entries. Keep exactly one: the paper's.")
    fields = _fields(text, starts[0].end())
    arxiv = None
    if fields.get("archiveprefix", "").lower() == "arxiv" or "arxiv.org" in fields.get("url", ""):
        with suppress(CatalogError):  # an eprint of another archive
            arxiv = parse_ref(fields.get("eprint") or fields.get("url", ""))
    year, authors = fields.get("year", ""), fields.get("author", "")
    url, doi = fields.get("url", ""), re.sub(r"^https?://\S*?(?=10\.)", "", fields.get("doi", ""))
    try:
        paper = Paper(
            title=fields.get("title", ""),
            arxiv_id=arxiv.id if arxiv else None,
            authors=tuple(map(_name, filter(None, re.split(r"\s+and\s+", authors)))),
            year=(year_of(arxiv.id) if arxiv else None)
            or (int(year) if re.fullmatch(r"\d{4}", year, re.ASCII) else None),
            url=None if arxiv or not url else url,
            doi=doi or None,
        )
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"]))
        raise CatalogError(f"{path}: {where} is missing or odd. Correct it.") from error
    return Found(paper, (fields.get("booktitle") or fields.get("journal") or "")[:200])


def _fields(text: str, at: int) -> dict[str, str]:
    """Name -> value of `name = {value}`, `name = "value"` and `name = 2025`, from `at` on."""
    found: dict[str, str] = {}
    start = re.compile(r"\s*,?\s*([\w-]+)\s*=\s*")
    while match := start.match(text, at):
        at = match.end()
        begin, depth, quoted = at, 0, text[at : at + 1] == '"'
        at += quoted
        while at < len(text):
            char = text[at]
            if depth == 0 and (char == '"' if quoted else char in ",}"):
                break
            depth += (char == "{") - (char == "}")
            at += 1
        at += quoted
        value = re.sub(r"(?<!\\)[{}\"]", "", text[begin:at])
        found.setdefault(match[1].lower(), one_line(value))
    return found


def _name(author: str) -> str:
    """`Last, First` as `First Last`."""
    last, comma, first = author.partition(",")
    return f"{first.strip()} {last.strip()}" if comma else author.strip()
