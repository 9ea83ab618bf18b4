"""arXiv: every spelling of an id, and title, authors and year by one request to its Atom API.

An answer is kept for a week under `.cache/add/`. The abstract is never read.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pydantic import ValidationError

from vidpost.add import web
from vidpost.add.web import OFFLINE
from vidpost.catalog.diagnostics import CatalogError
from vidpost.catalog.models import Paper

if TYPE_CHECKING:
    import httpx

API = "https://export.arxiv.org/api/query"

_ATOM = "{http://www.w3.org/2005/Atom}"
_ARXIV = "{http://arxiv.org/schemas/atom}"

_ID = r"\d{2}(?:0[1-9]|1[0-2])\.\d{4,5}|[a-z-]+(?:\.[A-Z]{2})?/\d{7}"
_REF = re.compile(
    r"(?i:arxiv:\s*|(?:https?://)?(?:www\.|export\.)?arxiv\.org/(?:abs|pdf|html)/"
    r"|(?:https?://)?(?:www\.)?(?:huggingface\.co|hf\.co)/papers/"
    r"|(?:https?://)?(?:(?:dx\.)?doi\.org/)?10\.48550/arxiv\.)?"
    rf"({_ID})(?:v([1-9]\d?))?(?:\.pdf)?/?(?:[?#].*)?",
    re.ASCII,
)


class Ref(NamedTuple):
    """A paper on arXiv.

    Attributes:
        id: Without version.
        version: None if the newest is meant.
    """

    id: str
    version: int | None = None

    def __str__(self) -> str:
        return self.id if self.version is None else f"{self.id}v{self.version}"


class Found(NamedTuple):
    """What is known about a paper.

    Attributes:
        paper: As it goes into the entry.
        remark: What its source says about the venue, as free text; "" if nothing.
    """

    paper: Paper
    remark: str = ""


def parse_ref(text: str) -> Ref:
    """The paper that a reference in any spelling means.

    Raises:
        CatalogError: It is no arXiv id or address.
    """
    match = _REF.fullmatch(text.strip())
    if match is None:
        raise CatalogError(
            f"'{text[:100]}' is no arXiv id or address. Write one such as 2503.21776."
        )
    return Ref(match[1], int(match[2]) if match[2] else None)


def fetch(ref: Ref, cache: Path, transport: httpx.BaseTransport | None = None) -> Found:
    """Metadata of a paper, from the cache or from arXiv.

    Args:
        ref: The paper.
        cache: Folder of kept answers; it need not exist.
        transport: For tests.

    Raises:
        Unreachable: No answer, or 429 or 503 three times.
        CatalogError: arXiv knows no such paper, or its answer cannot be read.
    """
    path = cache / f"{str(ref).replace('/', '_')}.xml"
    body = web.kept(path)
    if body is not None:
        try:
            return parse(body, ref)
        except CatalogError:
            pass  # damaged
    query = {"id_list": str(ref), "max_results": "1"}
    body = web.get("arXiv", API, str(ref), query, transport)
    found = parse(body, ref)
    web.keep(path, body)
    return found


def parse(body: bytes, ref: Ref) -> Found:
    """Reads an Atom answer.

    Raises:
        CatalogError: It is no Atom, has a DTD, or is about another paper or none.
    """
    unreadable = f"arXiv's answer about {ref} cannot be read"
    try:
        text = body.decode("utf-8")
        if "<!DOCTYPE" in text or "<!ENTITY" in text:
            raise CatalogError(f"{unreadable}: it has a DTD. {OFFLINE}")
        feed = ET.fromstring(text)
    except (UnicodeDecodeError, ET.ParseError) as error:
        raise CatalogError(f"{unreadable}: no XML. {OFFLINE}") from error
    entry = feed.find(f"{_ATOM}entry")
    # An unknown id is answered with status 200, and an entry that is called "Error" or none.
    match = re.search(rf"arxiv\.org/abs/({_ID})v(\d+)$", _text(entry, f"{_ATOM}id"), re.ASCII)
    if entry is None or match is None or match[1] != ref.id:
        raise CatalogError(f"arXiv knows no paper {ref}. Check the id.")
    doi = _text(entry, f"{_ARXIV}doi")
    published = _text(entry, f"{_ATOM}published")[:4]
    names = [_text(author, f"{_ATOM}name") for author in entry.findall(f"{_ATOM}author")]
    try:
        paper = Paper(
            title=_text(entry, f"{_ATOM}title"),
            arxiv_id=ref.id,
            version=int(match[2]),
            authors=tuple(filter(None, names)),
            year=year_of(ref.id) or (int(published) if published.isdecimal() else None),
            doi=doi if re.fullmatch(r"10\.\S+", doi) else None,
        )
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"]))
        raise CatalogError(f"{unreadable}: {where} is missing or odd. {OFFLINE}") from error
    remark = _text(entry, f"{_ARXIV}journal_ref") or _text(entry, f"{_ARXIV}comment")
    return Found(paper, remark[:200])


def year_of(arxiv_id: str) -> int | None:
    """The year in an id such as 2503.21776; None for ids from before April 2007."""
    return 2000 + int(arxiv_id[:2]) if arxiv_id[:2].isdecimal() else None


def one_line(text: str) -> str:
    """Text with its line breaks and runs of blanks made one blank, unprintable parts left out."""
    return "".join(each for each in " ".join(text.split()) if each.isprintable())


def _text(element: ET.Element | None, name: str) -> str:
    return "" if element is None else one_line(element.findtext(name) or "")
