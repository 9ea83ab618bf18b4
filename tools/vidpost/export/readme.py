"""The layout of the survey's companion list, made from the catalogue.

Sections follow Figure 3 of the survey, each work has one row, newest first. The list this replaces
had rows twice, empty and wrong links, and columns that slipped; here a row is made from one entry,
and an address that is not of the right form for its column is left out (`vidpost check` and the
entry's page say more).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote, urlsplit

from vidpost.catalog import graph
from vidpost.catalog.loader import Catalog
from vidpost.catalog.models import BenchmarkEntry, Entry, SurveyEntry, Work
from vidpost.export.bibtex import bibtex
from vidpost.export.tables import data_links, month
from vidpost.export.text import plain

HEADINGS = {
    "sft": "Video-LMM SFT for Reasoning",
    "rl": "Reinforced Video-LMMs",
    "tts": "Test-Time Scaling in Video Reasoning",
    "bench": "Benchmarks for Video Reasoning",
    "survey": "Related Surveys",
}
"""Top words of the taxonomy -> the companion list's headings, in the order of Figure 3."""

SURVEY_ARXIV = "2510.05034"

COLUMNS = "| Title | Paper | Code | Dataset | Venue |\n| :--- | :---: | :---: | :---: | :---: |"

_SPECIAL = re.compile(r"([\\`*_\[\]<>|$~])")


def escape(text: object) -> str:
    """Text as Markdown that shows it, also inside a table."""
    return _SPECIAL.sub(r"\\\1", plain(text).replace("&", "&amp;"))


def well_formed(url: str, role: str) -> str | None:
    """The address if it fits its column, mended where that is safe; None if it does not fit.

    Views of a page (`/tree/main`, `/blob/...`), tokens and versions are cut off; what remains must
    be a paper, a repository or a data set, not an organisation or a collection.

    Args:
        url: Address from the catalogue.
        role: paper, code or data.
    """
    try:
        parts = urlsplit(url.strip())
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.hostname or "." not in parts.hostname:
        return None
    host, path = parts.hostname.removeprefix("www."), parts.path.rstrip("/")
    if host == "arxiv.org":
        found = re.fullmatch(r"/(?:abs|pdf)/(.+?)(?:v\d+)?(?:\.pdf)?", path)
        return f"https://arxiv.org/abs/{found[1]}" if found else None
    if host in ("huggingface.co", "github.com"):
        path = re.sub(r"/(?:tree|blob|resolve|viewer)(?:/.*)?$", "", path)
        data = host == "huggingface.co" and role == "data"
        shape = r"/datasets/[^/]+/[^/]+" if data else r"(?:/spaces)?/[^/]+/[^/]+"
        if not re.fullmatch(shape, path) or path.startswith("/collections/"):
            return None
        return f"https://{host}{quote(path, safe='/.-_')}"
    query = "" if host == "zenodo.org" else parts.query
    address = f"{parts.scheme}://{parts.netloc}{parts.path}{'?' if query else ''}{query}"
    return quote(address, safe="/:?#@!$&,;=%~+.-_")


def placed(catalog: Catalog, entry: Work) -> tuple[str, str]:
    """(top word, word below it) under which an entry's only row stands.

    The entry's first leaf decides; benchmarks and surveys go to their own section wherever else
    they belong.
    """
    words = [word for word in entry.taxonomy if word in catalog.words]
    wanted = {BenchmarkEntry: "bench", SurveyEntry: "survey"}.get(type(entry))
    lines = [[word, *graph.ancestors(catalog, word)] for word in words]
    lines.sort(key=lambda line: line[-1] != wanted)  # stable: the first leaf otherwise
    if not lines:
        return (wanted or "", wanted or "")
    line = lines[0]
    return line[-1], line[-2] if len(line) > 1 else line[-1]


def is_work(entry: Entry) -> bool:
    """Whether an entry is a published work: it has a paper, or came with one."""
    return isinstance(entry, Work) and bool(
        (entry.paper and entry.paper.link) or entry.released_with
    )


def _newest_first(entry: Work) -> tuple[str, str]:
    paper = entry.paper
    when = month(paper) or str((paper and paper.year) or "")
    number = (paper.arxiv_id or "") if paper else ""
    return f"{when:<7}{number}", entry.id


class _Readme:
    """The sections of one selection."""

    def __init__(self, catalog: Catalog, entries: Iterable[tuple[str, Entry]]) -> None:
        self.catalog = catalog
        self.by_id = {entry.id: entry for _, entry in catalog.entries()}
        self.works = [e for _, e in entries if isinstance(e, Work) and is_work(e)]
        self.groups: dict[tuple[str, str], list[Work]] = {}
        for entry in self.works:
            self.groups.setdefault(placed(catalog, entry), []).append(entry)
        tops = dict.fromkeys([*HEADINGS, *graph.children(catalog, None), ""])
        self.tops = [top for top in tops if any(key[0] == top for key in self.groups)]

    def heading(self, top: str) -> str:
        """Heading of a section."""
        word = self.catalog.words.get(top)
        return HEADINGS.get(top) or (word.name if word else "Not placed yet")

    def leaves(self, top: str) -> list[str]:
        """Words below a section that have rows, in the order of the taxonomy; the top last."""
        order = [*graph.children(self.catalog, top), top] if top else [top]
        return [leaf for leaf in order if (top, leaf) in self.groups]

    def sections(self) -> Iterator[str]:
        """Headings and tables."""
        for top in self.tops:
            yield f"### {self.heading(top)}"
            for leaf in self.leaves(top):
                if leaf != top:
                    word = self.catalog.words[leaf]
                    yield f"#### {escape(word.name)}\n\n{escape(word.definition)}"
                elif len(self.leaves(top)) > 1:
                    yield "#### Further works"
                found = sorted(self.groups[top, leaf], key=_newest_first, reverse=True)
                yield "\n".join([COLUMNS, *map(self.row, found)])
                if also := self.elsewhere(leaf, found):
                    yield f"Also here, with a row of their own elsewhere: {also}."

    def elsewhere(self, leaf: str, listed: list[Work]) -> str:
        """Names of selected works that carry the leaf but have their row in another table."""
        here = {entry.id for entry in listed}
        names = [
            escape(entry.name)
            for entry in self.works
            if entry.id not in here
            and any(leaf in (w, *graph.ancestors(self.catalog, w)) for w in entry.taxonomy)
        ]
        return ", ".join(sorted(names, key=str.lower)) if leaf not in self.tops else ""

    def row(self, entry: Work) -> str:
        """One work: title, paper, code, data set, venue."""
        paper = entry.paper
        title, venue, first = entry.name, "", ""
        if paper is not None:
            title = paper.title
            if paper.venue and "paper.venue" not in entry.unverified:
                venue = paper.venue
            first = _link("Paper", paper.link, "paper")
        elif entry.released_with:
            parent = self.by_id.get(entry.released_with)
            if isinstance(parent, Work) and parent.paper:
                title = f"{entry.name} (with {parent.name})"
                first = _link("Paper", parent.paper.link, "paper")
        code = _link("GitHub" if entry.code and "github.com" in entry.code.url else "Code",
                     entry.code.url if entry.code else None, "code")  # fmt: skip
        # One link a cell; where sources name two data sets, the entry has the right one first.
        data = (_link("Dataset", address, "data") for address, *_ in data_links(entry))
        cells = (escape(title), first, code, next(filter(None, data), ""), escape(venue))
        return f"| {' | '.join(cells)} |"


def _link(label: str, url: str | None, role: str) -> str:
    address = well_formed(url, role) if url else None
    return f"[{label}]({address})" if address else ""


def anchor(heading: str) -> str:
    """The anchor that GitHub gives a heading."""
    kept = re.sub(r"[^\w\- ]", "", heading.lower())
    return kept.replace(" ", "-")


def readme(catalog: Catalog, entries: Iterable[tuple[str, Entry]]) -> str:
    """The README of a selection.

    Args:
        catalog: The whole catalogue, for taxonomy and releasing works.
        entries: (kind, entry) pairs; metrics and our own baselines without a paper are left out.
    """
    made = _Readme(catalog, entries)
    contents = []
    for top in made.tops:
        count = sum(len(rows) for key, rows in made.groups.items() if key[0] == top)
        heading = made.heading(top)
        contents.append(f"- [{heading}](#{anchor(heading)}) ({count})")
    survey = next(
        (e for e in catalog.surveys.values() if e.paper and e.paper.arxiv_id == SURVEY_ARXIV), None
    )
    cite = bibtex(survey) if survey else None
    noun = "work" if len(made.works) == 1 else "works"
    parts = [
        "# Awesome-Video-LMM-Post-Training",
        f"{len(made.works)} {noun} on the post-training of video large multimodal models, in the "
        f"order of the taxonomy of [the survey](https://arxiv.org/abs/{SURVEY_ARXIV}). Each work "
        "has one row. Made from the vidpost catalogue by `vidpost export readme`: correct an "
        "entry there, not a row here.",
        "## Table of Contents",
        "\n".join([*contents, *(["- [Citation](#citation)"] if cite else [])]),
        "## Latest Research in Video-LMMs Post-Training",
        *made.sections(),
    ]
    if cite:
        parts += ["## Citation", f"```bibtex\n{cite}\n```"]
    return "\n\n".join(parts) + "\n"
