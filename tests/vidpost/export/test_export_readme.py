"""The README against the defects of the list it replaces; numbers are those of that record."""

from __future__ import annotations

import datetime
import re
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import markdown
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vidpost.catalog.loader import Catalog, find_root, load
from vidpost.catalog.models import MethodEntry, Paper, Work
from vidpost.export.readme import HEADINGS, anchor, escape, readme, well_formed
from vidpost.export.text import plain

CATALOG = load(find_root(Path(__file__)))
TEXT = readme(CATALOG, list(CATALOG.entries()))
LINK = re.compile(r"\[([^\]]+)\]\(([^)]*)\)")


class Row(NamedTuple):
    section: str
    leaf: str
    title: str
    paper: str
    code: str
    data: str
    venue: str

    @property
    def arxiv(self) -> str:
        found = re.search(r"arxiv\.org/abs/([^)]+)\)", self.paper)
        return found[1] if found else ""


def parsed(text: str) -> list[Row]:
    found, section, leaf = [], "", ""
    for line in text.splitlines():
        if line.startswith("### "):
            section, leaf = line[4:], ""
        elif line.startswith("#### "):
            leaf = line[5:]
        elif line.startswith("| ") and not line.startswith(("| Title", "| :---")):
            cells = [part.strip() for part in re.split(r"(?<!\\)\|", line)[1:-1]]
            assert len(cells) == 5, line
            found.append(Row(section, leaf, *cells))
    return found


ROWS = parsed(TEXT)


def own(row: Row) -> bool:
    """Whether a row has a paper of its own, rather than that of the work it came with."""
    return not re.search(r" \(with .+\)$", row.title)


def test_every_work_has_exactly_one_row() -> None:
    titles = Counter(row.title for row in ROWS)
    for _, entry in CATALOG.entries():
        if not isinstance(entry, Work):
            continue
        if entry.paper and entry.paper.link:
            assert titles[escape(entry.paper.title)] == 1, entry.id
        elif entry.released_with:
            parent = CATALOG.find(entry.released_with)[1]
            assert titles[escape(f"{entry.name} (with {parent.name})")] == 1, entry.id
    works = [e for _, e in CATALOG.entries() if isinstance(e, Work) and e.survey]
    assert len(works) > 200  # those the survey treats are among them
    assert len(ROWS) == len(titles) == sum(titles.values())  # defect 3


def test_sections_are_in_the_order_of_figure_3() -> None:
    order = list(dict.fromkeys(row.section for row in ROWS))
    assert order[: len(HEADINGS)] == list(HEADINGS.values())
    for top, heading in HEADINGS.items():
        leaves = list(dict.fromkeys(r.leaf for r in ROWS if r.section == heading))
        below = [w.name for w in CATALOG.words.values() if w.parent == top]
        assert leaves in ([name for name in below if name in leaves], [""])


def test_1_wrong_arxiv_ids() -> None:
    by_id = {row.arxiv: row.title for row in ROWS if own(row)}
    assert "2407.05513" not in by_id and "2312.17322" not in by_id
    assert "2508.11538" in by_id and "2312.17432" in by_id  # Veason-R1, Vid-LLM survey


def test_2_no_link_is_empty_and_every_row_has_a_paper() -> None:
    for row in ROWS:
        assert LINK.search(row.paper), row
    assert "]()" not in TEXT
    assert "2509.14033" in {row.arxiv for row in ROWS}  # SAIL-VL2 had none


def test_4_one_paper_is_not_listed_under_two_titles() -> None:
    links = Counter(row.paper for row in ROWS if own(row))
    assert [link for link, n in links.items() if n > 1] == []
    assert not re.search(r"arxiv\.org/\S+v\d+\)", TEXT)


def test_5_columns_hold_what_they_are_for() -> None:
    for row in ROWS:
        assert "](" not in row.title and "](" not in row.venue, row
        labels = {"paper": {"Paper"}, "code": {"GitHub", "Code"}, "data": {"Dataset"}}
        for column, allowed in labels.items():
            text = getattr(row, column)
            assert {label for label, _ in LINK.findall(text)} <= allowed
            assert LINK.sub("", text).strip() == "", row  # nothing but links


def test_6_and_7_no_code_or_data_of_another_project() -> None:
    def row(arxiv: str) -> Row:
        return next(row for row in ROWS if row.arxiv == arxiv and own(row))

    assert "viqagent" not in row("2504.10443").code.lower()  # TDC
    assert "VLM-R1" not in row("2506.03097").data  # EgoVLM


def test_8_and_9_data_links_are_pages_of_data_sets() -> None:
    for row in ROWS:
        for _, url in LINK.findall(row.data):
            assert "?" not in url and "token" not in url, row
            if "huggingface.co" in url:
                assert re.fullmatch(r"https://huggingface\.co/datasets/[^/]+/[^/]+", url), row
        for _, url in LINK.findall(row.code):
            if "github.com" in url:
                assert re.fullmatch(r"https://github\.com/[^/]+/[^/]+", url), row


def test_10_rtv_bench_has_the_repositorys_own_id() -> None:
    assert "datasets/RTVBench/RTV-Bench" not in TEXT


def test_12_benchmarks_are_in_the_benchmarks_section() -> None:
    for name in CATALOG.benchmarks.values():
        adjacent = all(word.startswith("adjacent") for word in name.taxonomy)
        if name.paper and name.paper.link and not adjacent:
            row = next(row for row in ROWS if row.title == escape(name.paper.title))
            assert row.section == HEADINGS["bench"], name.id


def test_13_what_is_off_topic_stands_apart() -> None:
    sections = {row.arxiv: row.section for row in ROWS}
    for arxiv in ("2504.06214", "2412.07825", "2502.19400"):  # text LLM, images, made videos
        assert sections.get(arxiv, "Adjacent work") == "Adjacent work"
    assert any(row.section == "Adjacent work" for row in ROWS)


def test_14_titles_are_the_present_ones() -> None:
    for old in ("TimeZero", "Spatial-R1", "VersaVid-R1", "VideoDeepResearch", "ImplicitQA"):
        assert not any(row.title.startswith(old) for row in ROWS), old


def test_15_and_16_venues_and_labels_have_one_spelling() -> None:
    for row in ROWS:
        if row.venue:
            assert re.fullmatch(
                r"[A-Z][A-Za-z]*( MM)? 20\d\d( Findings| Workshops| Workshop on [A-Z].*)?",
                row.venue,
            )
            assert not row.venue.startswith("NIPS")
    labels = {label for row in ROWS for label, _ in LINK.findall(" ".join(row))}
    assert labels == {"Paper", "GitHub", "Dataset"} or labels == {
        "Paper", "GitHub", "Code", "Dataset"
    }  # fmt: skip


def test_17_rows_are_in_order_newest_first() -> None:
    groups: dict[tuple[str, str], list[str]] = {}
    for row in ROWS:
        if own(row) and re.fullmatch(r"\d{4}\.\d{5}", row.arxiv):
            groups.setdefault((row.section, row.leaf), []).append(row.arxiv)
    assert all(ids == sorted(ids, reverse=True) for ids in groups.values())
    assert max(map(len, groups.values())) > 20


def test_19_dates_are_stated_nowhere_but_in_the_venue() -> None:
    assert not re.search(r"^\|[^|]*\b20\d\d[-/]\d\d\b", TEXT, re.M)


def test_20_the_citation_is_whole() -> None:
    block = TEXT.split("```bibtex\n")[1].split("\n```")[0]
    assert block.count("{") == block.count("}") and "journal" not in block
    assert re.search(r"author = \{.+ and .+\}", block)


def test_21_and_22_no_pictures_and_contents_that_lead_somewhere() -> None:
    assert "![" not in TEXT
    anchors = {anchor(line.lstrip("# ")) for line in TEXT.splitlines() if line.startswith("#")}
    contents = TEXT.split("## Table of Contents")[1].split("\n## ")[0]
    targets = re.findall(r"\[([^\]]+)\]\(#([^)]+)\)", contents)
    assert len(targets) >= 6
    for label, target in targets:
        assert target in anchors and anchor(label) == target
    counts = [int(n) for n in re.findall(r"\((\d+)\)$", contents, re.M)]
    assert sum(counts) == len(ROWS)


def test_github_shows_a_table_for_every_heading() -> None:
    html = markdown.markdown(TEXT, extensions=["tables", "fenced_code"])
    assert html.count("<tr>") == len(ROWS) + html.count("<thead>")
    assert html.count("<table>") == TEXT.count("| Title | Paper | Code | Dataset | Venue |")


@pytest.mark.parametrize(
    ("url", "role", "mended"),
    [
        ("https://arxiv.org/abs/2506.09079v2", "paper", "https://arxiv.org/abs/2506.09079"),
        ("https://arxiv.org/pdf/2506.09079.pdf", "paper", "https://arxiv.org/abs/2506.09079"),
        ("https://huggingface.co/Ego-R1", "data", None),
        ("https://huggingface.co/collections/x/y-1", "data", None),
        ("https://huggingface.co/datasets/a/b/tree/main", "data",
         "https://huggingface.co/datasets/a/b"),
        ("https://github.com/a/b/blob/main/data.json", "data", "https://github.com/a/b"),
        ("https://zenodo.org/records/15870909?preview=1&token=abc", "data",
         "https://zenodo.org/records/15870909"),
        ("https://github.com/org", "code", None),
        ("javascript:alert(1)", "code", None),
        ("https://", "paper", None),
        ("https://exa[mple.org/", "paper", None),
        ("https://example.org/a)b|c d", "paper", "https://example.org/a%29b%7Cc%20d"),
    ],
)  # fmt: skip
def test_addresses_fit_their_column(url: str, role: str, mended: str | None) -> None:
    assert well_formed(url, role) == mended


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(exclude_categories=("Cs",)) | st.sampled_from("|[]()`*_<>\\&$~!#"),
               min_size=1, max_size=40).filter(plain))  # fmt: skip
def test_any_title_is_one_cell_and_no_markup(title: str) -> None:
    entry = MethodEntry(
        id="a", name="A", added=datetime.date(2026, 1, 1), status="listed", taxonomy=(),
        paper=Paper(title=title.strip() or "x", arxiv_id="2501.00001"),
    )  # fmt: skip
    text = readme(Catalog(CATALOG.root, words=CATALOG.words), [("method", entry)])
    (row,) = parsed(text)
    assert re.sub(r"\\([\\`*_\[\]<>|$~])", r"\1", row.title).replace("&amp;", "&") == plain(title)
    html = markdown.markdown(text, extensions=["tables"])
    cells = html.split("<tbody>")[1]
    assert re.findall(r"<(\w+)", cells) == ["tr", "td", "td", "a", "td", "td", "td"]
