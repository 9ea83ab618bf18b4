"""References in every spelling, and what Crossref, the Anthology and OpenReview answer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from add_fixtures import Answers

from vidpost.add import sources, web
from vidpost.add.sources import Source, identify
from vidpost.catalog.diagnostics import CatalogError

DOI = "10.1234/river.2026.5"
WORK = {
    "DOI": DOI.upper(),
    "title": ["Pebbles <i>and</i>\n Gravel"],
    "author": [{"given": "Ada", "family": "River"}, {"name": "The Stone Group"}],
    "issued": {"date-parts": [[2026, 3]]},
    "container-title": ["Riverbed Letters"],
}
BIB = '@inproceedings{a-b, title = "{S}tones", author = "Stein, B. and River, Ada", year = 2025}'
NOTE = {
    "id": "AbCdEfGhIj",
    "cdate": 1767225600000,
    "content": {
        "title": {"value": "Sand"},
        "authors": {"value": ["Ada River"]},
        "venue": {"value": "RIVER 2026 poster"},
    },
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("arXiv:2503.21776v2", Source("arxiv", "2503.21776v2")),
        ("https://doi.org/10.48550/arXiv.2503.21776", Source("arxiv", "2503.21776")),
        (f" doi:{DOI} ", Source("doi", DOI)),
        (f"https://dx.doi.org/{DOI}", Source("doi", DOI)),
        ("https://aclanthology.org/2025.acl-long.1.pdf", Source("acl", "2025.acl-long.1")),
        ("aclanthology.org/P19-1001/", Source("acl", "P19-1001")),
        ("https://openreview.net/pdf?id=AbCdEfGhIj", Source("openreview", "AbCdEfGhIj")),
        ("https://openreview.net/forum?n=x&id=AbCdEfGhIj#a", Source("openreview", "AbCdEfGhIj")),
        ("a/paper.bib", Source("bib", "a/paper.bib")),
        ("https://example.org/paper", Source("url", "https://example.org/paper")),
    ],
)  # fmt: skip
def test_identify(text: str, expected: Source) -> None:
    assert identify(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "video", "javascript:alert(1)", "file:///etc/passwd", "https://a b", "10.1/x", "x" * 9999],
)
def test_what_is_no_reference(text: str) -> None:
    with pytest.raises(CatalogError, match=r"no paper's id or address\. Write an arXiv id"):
        identify(text)


def fetch(reference: str, body: str, folder: Path) -> tuple[sources.Found, Answers]:
    transport = Answers((200, body))
    return sources.fetch(identify(reference), folder, transport), transport


def test_crossref(tmp_path: Path) -> None:
    found, transport = fetch(DOI, json.dumps({"message": WORK}), tmp_path)
    assert found.paper.title == "Pebbles and Gravel"
    assert found.paper.authors == ("Ada River", "The Stone Group")
    assert (found.paper.year, found.paper.doi, found.remark) == (2026, DOI, "Riverbed Letters")
    assert str(transport.requests[0].url) == f"{sources.CROSSREF}{DOI}"
    again = sources.fetch(identify(DOI), tmp_path, transport)
    assert (again, len(transport.requests)) == (found, 1)


def test_the_anthology(tmp_path: Path) -> None:
    found, transport = fetch("https://aclanthology.org/2025.acl-long.1/", BIB, tmp_path)
    assert (found.paper.title, found.paper.authors) == ("Stones", ("B. Stein", "Ada River"))
    assert found.paper.url == "https://aclanthology.org/2025.acl-long.1/"
    assert transport.requests[0].url.path == "/2025.acl-long.1.bib"


def test_openreview(tmp_path: Path) -> None:
    reference = "https://openreview.net/forum?id=AbCdEfGhIj"
    found, _ = fetch(reference, json.dumps({"notes": [NOTE]}), tmp_path)
    assert (found.paper.title, found.paper.openreview) == ("Sand", "AbCdEfGhIj")
    assert (found.paper.year, found.paper.link) == (2026, reference)
    assert found.remark == "RIVER 2026 poster"


@pytest.mark.parametrize(
    ("reference", "body"),
    [
        (DOI, "<html>"),
        (DOI, json.dumps({"message": {**WORK, "DOI": "10.1234/other"}})),
        (DOI, json.dumps({"message": {**WORK, "title": []}})),
        (DOI, json.dumps([])),
        (DOI, json.dumps({"message": {**WORK, "title": ["x" * 500]}})),
        ("openreview.net/forum?id=AbCdEfGhIj", json.dumps({"notes": []})),
        ("openreview.net/forum?id=AbCdEfGhIj", json.dumps({"notes": [{**NOTE, "id": "b"}]})),
        ("https://aclanthology.org/2025.acl-long.1", "<html>"),
    ],
)  # fmt: skip
def test_answers_that_are_refused(tmp_path: Path, reference: str, body: str) -> None:
    with pytest.raises(CatalogError):
        fetch(reference, body, tmp_path)
    assert list(tmp_path.iterdir()) == []  # a bad answer is not kept


def test_a_busy_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "WAITS", (0.0, 0.0))
    with pytest.raises(web.Unreachable, match="Crossref is busy \\(status 503, 3 tries\\)"):
        sources.fetch(identify(DOI), tmp_path, Answers((503, "")))


def test_a_page_is_never_asked(tmp_path: Path) -> None:
    found, transport = fetch("https://example.org/paper", "", tmp_path)
    assert transport.requests == []
    assert found.paper.title == "TODO: title of https://example.org/paper"
