"""New works on arXiv that look like members of the catalogue.

The words and authors by which a work is judged come from the catalogue itself: names of methods
and benchmarks, and people with several entries. The feed is data; nothing of it is entered.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from vidpost.add import web
from vidpost.add.arxiv import API, one_line
from vidpost.catalog.diagnostics import CatalogError
from vidpost.catalog.loader import Catalog, normalise
from vidpost.catalog.models import Work

if TYPE_CHECKING:
    import httpx

_ATOM = "{http://www.w3.org/2005/Atom}"
LARGEST = 20_000_000  # bytes
PROLIFIC = 3
"""From so many entries on an author counts."""

QUERY = (
    'cat:cs.CV AND (abs:video OR abs:temporal) AND (abs:"reinforcement learning" OR abs:GRPO OR '
    'abs:"chain-of-thought" OR abs:"test-time" OR abs:"post-training" OR abs:"reward")'
)
"""What the API is asked for, newest first."""

TERMS: tuple[tuple[str, float], ...] = (
    (r"\bvideos?\b", 2.0),
    (r"\b(grpo|gspo|dapo|rlvr|dpo|reinforcement|rewards?|preference optimi[sz]ation)\b", 2.0),
    (r"\b(chain[- ]of[- ]thought|cot|reasoning|reasoner|think(ing)?)\b", 1.5),
    (r"\b(test[- ]time|self[- ]consistency|best[- ]of[- ]n|tree search|agentic|agents?)\b", 1.0),
    (r"\b(multimodal|vision[- ]language|lmms?|mllms?|vlms?|video[- ]llms?)\b", 1.5),
    (r"\b(temporal grounding|moment retrieval|long[- ]video|spatio[- ]temporal)\b", 1.0),
    (r"\b(diffusion|generation|synthesis|editing|avatar|rendering)\b", -2.0),
)
"""Pattern -> points for a title that has it; half for the abstract alone."""

NEEDED = 4.0
"""Points from which a work is shown."""


class Candidate(NamedTuple):
    """A work that may belong into the catalogue.

    Attributes:
        arxiv_id: Without version.
        title: On one line.
        authors: In order.
        published: Day of the first version, as ISO text.
        points: How much speaks for it.
        why: What counted.
    """

    arxiv_id: str
    title: str
    authors: tuple[str, ...]
    published: str
    points: float
    why: tuple[str, ...]


def fetch(count: int, transport: httpx.BaseTransport | None = None) -> bytes:
    """The newest works of the field from arXiv's API, one request.

    Raises:
        Unreachable: It does not answer.
    """
    params = {
        "search_query": QUERY,
        "sortBy": "submittedDate",
        "sortOrder": "descending",
        "max_results": str(count),
    }
    return web.get("arXiv", API, "new works", params, transport)


def candidates(catalog: Catalog, feed: bytes, *, since: str = "") -> list[Candidate]:
    """The works of a feed that look like members and are not in the catalogue, best first.

    Args:
        catalog: The catalogue.
        feed: An Atom answer of arXiv's API.
        since: ISO day; older works are left out.

    Raises:
        CatalogError: The feed is too large, has a DTD, or is no Atom.
    """
    if len(feed) > LARGEST:
        raise CatalogError(f"the feed is larger than {LARGEST} bytes. Ask for fewer works.")
    if b"<!DOCTYPE" in feed or b"<!ENTITY" in feed:
        raise CatalogError("the feed has a DTD. Use an answer of arXiv's API.")
    try:
        root = ET.fromstring(feed)
    except ET.ParseError as error:
        raise CatalogError(f"the feed is no XML ({error}). Use an answer of arXiv's API.") from None
    known, people = _known(catalog)
    found: dict[str, Candidate] = {}
    for element in root.findall(f"{_ATOM}entry"):
        work = _read(element)
        if work is None:
            continue
        arxiv_id, title, abstract, authors, published = work
        if arxiv_id in known or normalise(title) in known or published < since:
            continue
        points, why = _points(title, abstract, authors, people)
        if points >= NEEDED:
            found[arxiv_id] = Candidate(arxiv_id, title, authors, published, points, why)
    return sorted(found.values(), key=lambda c: (-c.points, c.arxiv_id))


def _known(catalog: Catalog) -> tuple[set[str], set[str]]:
    """Ids and titles that are there, and the authors of several entries."""
    known: set[str] = set()
    people: Counter[str] = Counter()
    for _, item in catalog.entries():
        if isinstance(item, Work) and item.paper:
            known.add(normalise(item.paper.title))
            if item.paper.arxiv_id:
                known.add(item.paper.arxiv_id)
            people.update({name.lower() for name in item.paper.authors})
    return known, {name for name, count in people.items() if count >= PROLIFIC}


def _read(element: ET.Element) -> tuple[str, str, str, tuple[str, ...], str] | None:
    def text(name: str) -> str:
        return one_line(element.findtext(f"{_ATOM}{name}") or "")

    match = re.search(r"arxiv\.org/abs/(\d{4}\.\d{4,5})(?:v\d+)?$", text("id"), re.ASCII)
    if match is None:
        return None
    names = tuple(
        one_line(author.findtext(f"{_ATOM}name") or "")[:100]
        for author in element.findall(f"{_ATOM}author")
    )
    return match[1], text("title")[:400], text("summary")[:5000], names, text("published")[:10]


def _points(
    title: str, abstract: str, authors: tuple[str, ...], people: set[str]
) -> tuple[float, tuple[str, ...]]:
    points, why = 0.0, []
    for pattern, worth in TERMS:
        in_title = re.search(pattern, title, re.IGNORECASE)
        in_text = in_title or re.search(pattern, abstract, re.IGNORECASE)
        if in_text and (worth > 0 or in_title):
            points += worth if in_title else worth / 2
            why.append(in_text[0].lower())
    both = [name for name in authors if name.lower() in people]
    if both:
        points += 1.0
        why.append(both[0])
    return points, tuple(why)


def read(path: Path) -> bytes:
    """A recorded feed.

    Raises:
        CatalogError: It cannot be read.
    """
    try:
        with path.open("rb") as file:
            return file.read(LARGEST + 1)
    except OSError as error:
        raise CatalogError(f"{path}: {error.strerror}. Check the path.") from None
