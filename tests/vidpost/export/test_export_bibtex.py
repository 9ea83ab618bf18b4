from __future__ import annotations

import datetime
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vidpost.catalog.loader import find_root, load
from vidpost.catalog.models import MethodEntry, Paper, Work
from vidpost.export import csl
from vidpost.export.bibtex import bibliography, bibtex
from vidpost.export.text import plain

ROOT = find_root(Path(__file__))


def entry(name: str = "a", unverified: dict[str, str] | None = None, **paper: object) -> Work:
    return MethodEntry(
        id=name,
        name=name,
        added=datetime.date(2026, 1, 1),
        status="listed",
        taxonomy=(),
        paper=Paper.model_validate({"title": "T", **paper}),
        unverified=unverified or {},
    )


PRINTED = {
    r"\textbackslash{}": "\\", r"\textbraceleft{}": "{", r"\textbraceright{}": "}",
    r"\textasciitilde{}": "~", r"\textasciicircum{}": "^", r"\textless{}": "<",
    r"\textgreater{}": ">", r"\textbar{}": "|",
    **{f"\\{c}": c for c in "&%$#_"},
}  # fmt: skip


def printed(tex: str) -> str:
    """What LaTeX prints for escaped text; braces that only group are gone."""
    known = "|".join(map(re.escape, PRINTED))
    out = re.sub(rf"({known})|([{{}}])", lambda m: PRINTED[m[1]] if m[1] else "", tex)
    assert not re.search(r"\\[a-z]+(?!\w|\{)", re.sub(known, "", tex)), tex
    return out


def parse(text: str) -> dict[str, dict[str, str]]:
    """BibTeX as BibTeX itself reads it: what is outside of entries is a comment, a value ends where
    its braces do, and a backslash does not hide a brace. Key -> field -> value."""
    entries: dict[str, dict[str, str]] = {}
    at = 0
    while (start := text.find("@", at)) >= 0:
        head = re.compile(r"@(\w+)\{([^,\s{}\"#%~]+),\s*").match(text, start)
        assert head, text[start : start + 60]
        fields, at = {"": head[1]}, head.end()
        while text[at] != "}":
            name = re.compile(r"([a-z]+) = \{").match(text, at)
            assert name, text[at : at + 60]
            at = begin = name.end()
            depth = 1
            while depth:
                depth += (text[at] == "{") - (text[at] == "}")
                at += 1
            assert name[1] not in fields
            fields[name[1]] = text[begin : at - 1]
            at = re.compile(r",?\s*").match(text, at).end()  # type: ignore[union-attr]
        assert head[2] not in entries, f"two entries are called {head[2]}"
        entries[head[2]] = fields
        at += 1
    return entries


def people(value: str) -> list[str]:
    """Names of an author field, as BibTeX splits it: at " and " outside of braces."""
    parts, depth, last = [], 0, 0
    for at, char in enumerate(value):
        depth += (char == "{") - (char == "}")
        if depth == 0 and value.startswith(" and ", at):
            parts.append(value[last:at])
            last = at + 5
    return [*parts, value[last:]]


TEXT = st.text(
    st.characters(exclude_categories=("Cs",)) | st.sampled_from("\\{}%$&#_^~<>|@\"',= \n\t"),
    min_size=1,
    max_size=60,
).filter(lambda text: text.strip())


@settings(max_examples=300, deadline=None)
@given(TEXT, st.lists(TEXT, max_size=3), TEXT)
def test_any_text_comes_back(title: str, authors: list[str], venue: str) -> None:
    work = entry(title=title, authors=authors, venue=venue, year=2025, arxiv_id="2501.00001")
    found = parse(bibliography([work]))
    assert list(found) == ["a"]
    fields = found["a"]
    assert printed(fields.get("title", "")) == plain(title)
    names = [printed(name) for name in people(fields["author"])] if "author" in fields else []
    assert names == [plain(name) for name in authors if plain(name)]
    assert printed(fields.get("booktitle") or fields.get("journal") or "") == plain(venue)
    for value in fields.values():  # none of these may start a comment or a command of LaTeX
        assert not re.search(r"(?<!\\)[%$&#^~]", value.replace("arxiv.org", "")), value


def test_the_fields_of_a_real_paper() -> None:
    work = load(ROOT).methods["video_r1"]
    fields = parse(bibtex(work) or "")["video_r1"]
    assert fields[""] == "inproceedings"
    assert fields["eprint"] == "2503.21776" and fields["archiveprefix"] == "arXiv"
    assert fields["booktitle"] == "NeurIPS 2025"
    assert people(fields["author"])[0] == "Kaituo Feng" and len(people(fields["author"])) == 10


@pytest.mark.parametrize(
    ("venue", "kind", "field", "year"),
    [
        ("CVPR 2026", "inproceedings", "booktitle", "2026"),
        ("TPAMI 2025", "article", "journal", "2025"),
        (None, "misc", None, "2024"),
    ],
)
def test_the_venue_decides_kind_and_year(
    venue: str | None, kind: str, field: str | None, year: str
) -> None:
    work = entry(venue=venue, year=2024)
    fields = parse(bibtex(work) or "")["a"]
    assert fields[""] == kind and fields["year"] == year
    assert (fields.get(field) if field else None) == venue
    item = csl.item(work) or {}
    assert item["issued"] == {"date-parts": [[int(year)]]}
    assert item.get("container-title") == venue


def test_a_venue_that_nobody_checked_is_left_out_and_named() -> None:
    work = entry(venue="CVPR 2026", year=2024, unverified={"paper.venue": "one list only"})
    text = bibliography([work])
    assert "CVPR" not in text and "%% not verified: paper.venue\n@misc{a," in text
    assert (csl.item(work) or {})["note"] == "not verified: paper.venue"


def test_teams_and_unknown_authors() -> None:
    assert "author = {{Kimi Team} and others}," in (bibtex(entry(first_author="Kimi Team")) or "")
    assert "author = {{Foo, Jr.} and Ann van der Berg}," in (
        bibtex(entry(authors=["Foo, Jr.", "Ann van der Berg"])) or ""
    )
    assert "author" not in (bibtex(entry()) or "")
    assert csl.name("Ann van der Berg") == {"family": "van der Berg", "given": "Ann"}
    assert csl.name("Kimi Team") == {"literal": "Kimi Team"}
    assert csl.name("Chenjun") == {"literal": "Chenjun"}


@pytest.mark.parametrize(
    "own",
    [
        "@misc{x, title={A}",  # the companion list's: a brace is missing
        "@misc{x, title={A}} @misc{y, title={B}}",
        "@string{x, a}",
        "</pre><script>",
    ],
)
def test_a_broken_own_entry_is_replaced(own: str) -> None:
    assert bibtex(entry(bibtex=own)) == bibtex(entry())


def test_an_own_entry_keeps_the_key_of_the_catalogue() -> None:
    assert bibtex(entry(bibtex="@book{mine, title={A},\n}")) == "@book{a, title={A},\n}"


def test_the_whole_catalogue() -> None:
    catalog = load(ROOT)
    works = [e for _, e in catalog.entries() if isinstance(e, Work)]
    text = bibliography(works)
    found = parse(text)
    assert list(found) == sorted(e.id for e in works if e.paper)
    assert bibliography(reversed(works)) == text
    some = parse(bibliography(works[:7]))  # a key does not depend on what else is selected
    assert all(found[key] == fields for key, fields in some.items())
    links = [fields["eprint"] for fields in found.values() if "eprint" in fields]
    assert len(links) == len(set(links))
    items = [csl.item(e) for e in works if e.paper]
    assert [item["id"] for item in items if item] == [e.id for e in works if e.paper]
    assert all(item and item["title"] and item["URL"].startswith("http") for item in items)
