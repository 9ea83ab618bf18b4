"""Where a paper is found: arXiv, a DOI, the ACL Anthology, OpenReview, a .bib file, or any page.

`identify` reads a reference in any spelling without asking anybody; `fetch` then asks its source
once. Every source fills the same `Found`.
"""

from __future__ import annotations

import datetime
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from pydantic import ValidationError

from vidpost.add import arxiv, bib, web
from vidpost.add.arxiv import Found, one_line
from vidpost.catalog.diagnostics import CatalogError
from vidpost.catalog.models import Paper

if TYPE_CHECKING:
    import httpx

CROSSREF = "https://api.crossref.org/works/"
ANTHOLOGY = "https://aclanthology.org/"
OPENREVIEW = "https://api2.openreview.net/notes"

_DOI = re.compile(r"(?i:doi:\s*|(?:https?://)?(?:dx\.)?doi\.org/)?(10\.\d{4,9}/[^\s\"<>{}|\\^`]+)")
_ACL = re.compile(
    r"(?i:https?://)?(?:www\.)?(?:aclanthology\.org|aclweb\.org/anthology)/"
    r"([A-Za-z0-9][A-Za-z0-9.-]{2,60}?)(?:\.pdf|\.bib)?/?(?:[?#].*)?"
)
_OPENREVIEW = re.compile(
    r"(?i:https?://)?(?:www\.)?openreview\.net/(?:forum|pdf|attachment)\?(?:[^#]*&)?"
    r"id=([A-Za-z0-9_-]{5,40})(?:[&#].*)?"
)
_URL = re.compile(r"https?://[^\s\"<>{}|\\^`]{3,300}")

Kind = Literal["arxiv", "doi", "acl", "openreview", "bib", "url"]


class Source(NamedTuple):
    """A reference that was understood.

    Attributes:
        kind: Where it points.
        id: What it is called there: an id, a path, or an address.
    """

    kind: Kind
    id: str


def identify(text: str) -> Source:
    """What a reference means; nobody is asked.

    Raises:
        CatalogError: It is none of the known forms.
    """
    text = text.strip()
    try:
        return Source("arxiv", str(arxiv.parse_ref(text)))
    except CatalogError:
        pass
    if text.lower().endswith(".bib") and "://" not in text:
        return Source("bib", text)
    patterns: tuple[tuple[Kind, re.Pattern[str]], ...] = (
        ("acl", _ACL),
        ("openreview", _OPENREVIEW),
        ("doi", _DOI),
    )
    for kind, pattern in patterns:
        if match := pattern.fullmatch(text):
            return Source(kind, match[1])
    if _URL.fullmatch(text):
        return Source("url", text)
    raise CatalogError(
        f"'{text[:100]}' is no paper's id or address. Write an arXiv id such as 2503.21776, a DOI, "
        "an address of arXiv, Hugging Face, OpenReview or the ACL Anthology, or a .bib file."
    )


def template(source: Source) -> Found:
    """What is known about a paper without asking anybody; its title says TODO."""
    kind, id_ = source
    title = f"TODO: title of {'arXiv ' if kind == 'arxiv' else ''}{id_}"
    if kind == "arxiv":
        ref = arxiv.parse_ref(id_)
        return Found(
            Paper(
                title=f"TODO: title of arXiv {ref.id}",
                arxiv_id=ref.id,
                version=ref.version,
                year=arxiv.year_of(ref.id),
            )
        )
    try:
        if kind == "doi":
            return Found(Paper(title=title, doi=id_))
        if kind == "openreview":
            return Found(Paper(title=title, openreview=id_))
        url = f"{ANTHOLOGY}{id_}/" if kind == "acl" else id_
        return Found(Paper(title=title, url=url))
    except ValidationError as error:
        raise CatalogError(f"'{id_[:100]}' does not fit an entry. Write it by hand.") from error


def fetch(source: Source, cache: Path, transport: httpx.BaseTransport | None = None) -> Found:
    """Metadata of a paper from its source, asked once a week at most.

    Args:
        source: The paper. For "bib" the file is read; for "url" nobody is asked.
        cache: Folder of kept answers; it need not exist.
        transport: For tests.

    Raises:
        web.Unreachable: The source does not answer.
        CatalogError: It knows no such paper, or its answer cannot be read.
    """
    kind, id_ = source
    if kind == "arxiv":
        return arxiv.fetch(arxiv.parse_ref(id_), cache, transport)
    if kind == "bib":
        return bib.read(Path(id_))
    if kind == "url":
        return template(source)
    who, url, params = {
        "doi": ("Crossref", CROSSREF + _quoted(id_), None),
        "acl": ("the ACL Anthology", f"{ANTHOLOGY}{id_}.bib", None),
        "openreview": ("OpenReview", OPENREVIEW, {"id": id_}),
    }[kind]
    path = cache / f"{kind}-{re.sub(r'[^A-Za-z0-9.-]', '_', id_)}"
    body = web.kept(path)
    if body is None:
        body = web.get(who, url, id_, params, transport)
    try:
        read = {"doi": _crossref, "acl": _anthology, "openreview": _openreview}[kind]
        found = read(id_, body.decode("utf-8"))
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        path.unlink(missing_ok=True)
        raise CatalogError(
            f"{who}'s answer about {id_} cannot be read ({type(error).__name__}). {web.OFFLINE}"
        ) from error
    web.keep(path, body)
    return found


def _quoted(doi: str) -> str:
    from urllib.parse import quote

    return quote(doi, safe="/.()-_;:")


def _crossref(doi: str, text: str) -> Found:
    """A Crossref work: `message` with title, author, issued and container-title."""
    work = json.loads(text)["message"]
    if work["DOI"].lower() != doi.lower():
        raise KeyError("DOI")
    year = (work.get("issued", {}).get("date-parts") or [[None]])[0][0]
    names = [
        one_line(f"{a.get('given', '')} {a.get('family', '')}".strip() or a.get("name", ""))
        for a in work.get("author", [])
    ]
    title = re.sub(r"<[^>]{1,40}>", "", work["title"][0])  # Crossref marks up formulas in titles
    paper = Paper(
        title=one_line(title),
        authors=tuple(filter(None, names)),
        year=year if isinstance(year, int) else None,
        doi=doi,
    )
    return Found(paper, one_line(str((work.get("container-title") or [""])[0]))[:200])


def _anthology(id_: str, text: str) -> Found:
    """The Anthology's own BibTeX; the address without .bib is the paper's page."""
    found = bib.parse(text, f"the Anthology's BibTeX of {id_}")
    page = {"url": f"{ANTHOLOGY}{id_}/"}
    return Found(found.paper.model_copy(update=page), found.remark)


def _openreview(id_: str, text: str) -> Found:
    """A note of OpenReview's second API: each field of `content` is {"value": ...}."""
    notes = json.loads(text)["notes"]
    note = [n for n in notes if id_ in (n["id"], n.get("forum"))][0]  # noqa: RUF015 IndexError

    def value(name: str) -> Any:
        field = note["content"].get(name, "")
        return field.get("value", "") if isinstance(field, dict) else field

    published = note.get("pdate") or note.get("cdate")  # milliseconds since 1970
    paper = Paper(
        title=one_line(value("title")),
        authors=tuple(one_line(a) for a in value("authors") or ()),
        year=_year(published),
        openreview=id_,
    )
    return Found(paper, one_line(str(value("venue")))[:200])


def _year(milliseconds: Any) -> int | None:
    """The year of a time in milliseconds since 1970."""
    if not isinstance(milliseconds, int) or not 0 < milliseconds < 4e12:
        return None
    return datetime.datetime.fromtimestamp(milliseconds / 1000, datetime.UTC).year
