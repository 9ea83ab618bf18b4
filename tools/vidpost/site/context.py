"""What the pages need to know about the catalogue, worked out once a build."""

from __future__ import annotations

import datetime
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from vidpost.catalog import graph
from vidpost.catalog.loader import Catalog, normalise
from vidpost.catalog.models import (
    RUNGS,
    BenchmarkEntry,
    Claim,
    DatasetEntry,
    Entry,
    MethodEntry,
    Paper,
    ReportedNumber,
    ResultCard,
    Setting,
    TaxonomyWord,
    Work,
)
from vidpost.catalog.module import Hook, Module, baseline_does, read_module
from vidpost.catalog.preset import leaves, read_mapping
from vidpost.site.text import number

PLURAL = {"method": "methods", "benchmark": "benchmarks", "dataset": "datasets",
          "metric": "metrics", "survey": "surveys"}  # fmt: skip
"""Kind -> the word in addresses."""

TITLE = {"method": "Methods", "benchmark": "Benchmarks", "dataset": "Data sets",
         "metric": "Metrics", "survey": "Surveys"}  # fmt: skip

ONE = {"method": "method", "benchmark": "benchmark", "dataset": "data set",
       "metric": "metric", "survey": "survey"}  # fmt: skip

STATUS = {
    "listed": "Listed: in the catalogue, not described yet",
    "described": "Described: idea, rewards and data in our own words",
    "linked": "Linked: official code pinned to a commit",
    "runnable": "Runnable: a miniature runs on a laptop",
    "reproduced": "Reproduced: a card agrees with the reported number",
}
"""Rung -> the chip's words."""

WORD_KINDS = {
    "pillar": "Pillars and their leaves",
    "challenge": "Challenges that video adds",
    "reward_aspect": "What rewards look at",
    "task": "What questions ask",
    "protocol_item": "What to state beside a score",
}
"""Kind of word -> heading on the taxonomy page."""


@dataclass(frozen=True)
class Claimed:
    """A claim and what the miniature says about it.

    Attributes:
        claim: The claim.
        verdict: supported, not supported, undecided, or not tested.
        evidence: Difference with interval, test and number of questions; "" if not tested.
        difference: First compared method minus the second; None if not tested.
        interval: Of the difference; None without one.
        card: Key of the card that says so; "" if not tested.
    """

    claim: Claim
    verdict: str
    evidence: str
    difference: float | None = None
    interval: tuple[float, float] | None = None
    card: str = ""


@dataclass
class Site:
    """The catalogue, its back-links, modules, presets and dates.

    Attributes:
        catalog: The catalogue.
        url: Address of the site, with a slash at the end.
        repo: Address of the repository without a slash at the end; "" if it has none yet.
    """

    catalog: Catalog
    url: str
    repo: str
    _modules: dict[str, Module | None] = field(default_factory=dict, repr=False)

    @cached_property
    def backlinks(self) -> dict[str, dict[str, list[str]]]:
        """Entry id -> relation -> ids that point at it."""
        return graph.backlinks(self.catalog)

    @cached_property
    def by_word(self) -> dict[str, list[tuple[str, str]]]:
        """Word id -> (kind, id) of the entries below it."""
        return graph.entries_by_word(self.catalog)

    @cached_property
    def by_kind_and_word(self) -> dict[tuple[str, str], list[str]]:
        """(kind, word id) -> ids of the entries below the word, sorted."""
        found: dict[tuple[str, str], list[str]] = {}
        for word, members in self.by_word.items():
            for kind, name in members:
                found.setdefault((kind, word), []).append(name)
        return found

    @cached_property
    def kinds(self) -> dict[str, str]:
        """Entry id -> its kind."""
        return {entry.id: kind for kind, entry in self.catalog.entries()}

    @cached_property
    def changed(self) -> dict[str, str]:
        """File of the catalogue -> day of its last commit; empty outside a git repository."""
        try:
            log = subprocess.run(
                ["git", "log", "--format=%x00%cs", "--name-only", "--relative", "--", "catalog"],
                cwd=self.catalog.root, capture_output=True, text=True, timeout=20, check=True,
            ).stdout  # fmt: skip
        except (OSError, subprocess.SubprocessError):
            return {}
        days: dict[str, str] = {}
        for commit in log.split("\0")[1:]:
            day, *files = commit.split("\n")
            for file in filter(None, files):
                days.setdefault(file, day)
        return days

    @cached_property
    def newest(self) -> datetime.date:
        """The newest day named in the catalogue: the site's own date, equal for equal data."""
        days = [entry.added for _, entry in self.catalog.entries()]
        days += [card.date for card in self.catalog.results.values()]
        return max(days, default=datetime.date(2025, 10, 6))

    def entry(self, name: str) -> Entry | None:
        """The entry with this id, of whatever kind."""
        kind = self.kinds.get(name)
        return self.catalog.of_kind(kind)[name] if kind else None

    def path(self, name: str) -> str | None:
        """Address of an entry's page below the site's root; None if there is no such entry."""
        kind = self.kinds.get(name)
        return f"catalog/{PLURAL[kind]}/{name}/" if kind else None

    def file(self, kind: str, name: str) -> str:
        """The entry's YAML file, relative to the repository root."""
        return self.catalog.files[kind, name]

    def blob(self, path: str, lines: tuple[int, int] | None = None) -> str:
        """Address of a file in the repository's browser; "" without a repository."""
        if not self.repo:
            return ""
        anchor = f"#L{lines[0]}-L{lines[1]}" if lines else ""
        return f"{self.repo}/blob/main/{path}{anchor}"

    # --- code and presets -------------------------------------------------------------------

    def folder(self, entry: MethodEntry) -> Path:
        """The folder of a method's code, whether it exists or not."""
        part = "baselines" if entry.is_baseline else "methods"
        return self.catalog.root / "reproductions" / part / entry.id

    def module(self, name: str) -> Module | None:
        """A method's module, if it has one."""
        if name not in self._modules:
            entry = self.catalog.methods.get(name)
            found = entry and read_module(self.catalog.root, self.folder(entry) / "method.py")
            self._modules[name] = found or None
        return self._modules[name]

    def differences(self, entry: MethodEntry) -> list[tuple[str, tuple[str, ...], Hook]]:
        """(hook, what the baseline does, what the method does) of every hook a method sets."""
        module = self.module(entry.id)
        if module is None:
            return []
        base = self.module(module.baseline) if module.baseline else None
        theirs = {hook.name: hook.does for hook in base.hooks} if base else {}
        return [
            (hook.name, theirs.get(hook.name, (baseline_does(hook.name, module.baseline),)), hook)
            for hook in module.hooks
        ]

    def preset(self, entry: MethodEntry, name: str) -> dict[str, Any] | None:
        """The merged mapping of a preset, None if there is no such file."""
        path = self.folder(entry) / f"{name}.yaml"
        return read_mapping(path) if path.is_file() else None

    def hyperparameters(self, entry: MethodEntry) -> list[tuple[str, str, str, str]]:
        """(key, value in paper.yaml, value in mini.yaml or "", source) in the file's order."""
        paper = self.preset(entry, "paper")
        if paper is None:
            return []
        mini = self.preset(entry, "mini")
        sources: dict[str, str] = paper.get("sources") or {}
        changed = dict(leaves(mini)) if mini else {}
        rows = []
        for key, value in leaves({k: v for k, v in paper.items() if k != "sources"}):
            if key == "method":
                continue
            parts = key.split(".")
            heads = [".".join(parts[:end]) for end in range(len(parts), 0, -1)]
            source = next((sources[head] for head in heads if head in sources), "")
            other = shown(changed[key]) if key in changed and changed[key] != value else ""
            rows.append((key, shown(value), other, str(source)))
        return rows

    # --- numbers ----------------------------------------------------------------------------

    def cards(self, *, kind: str, method: str = "", benchmark: str = "") -> dict[str, ResultCard]:
        """Cards of a kind (miniature or reproduction), of a method or on a benchmark."""
        return {
            key: card
            for key, card in self.catalog.results.items()
            if card.kind == kind
            and (not method or card.method == method)
            and (not benchmark or card.benchmark == benchmark)
        }

    @cached_property
    def reported_on(self) -> dict[str, list[tuple[MethodEntry, ReportedNumber]]]:
        """Benchmark id -> every reported number with the method that reports it."""
        found: dict[str, list[tuple[MethodEntry, ReportedNumber]]] = {}
        for _, method in sorted(self.catalog.methods.items()):
            for item in method.reported:
                found.setdefault(item.benchmark, []).append((method, item))
        return found

    def claims(self, entry: MethodEntry) -> list[Claimed]:
        """The claims with what the newest miniature card that compares the two methods says."""
        found = []
        for claim in entry.claims:
            first = claim.compare[0] == entry.id
            other = claim.compare[1] if first else claim.compare[0]
            found.append(self._claimed(entry, claim, other, "paper", 1.0 if first else -1.0))
        return found

    def variants(self, entry: MethodEntry) -> list[Claimed]:
        """What the official code's rules do instead of the paper's, if a card compares the two."""
        for claim in entry.claims[:1]:
            same = {
                "id": "official_code",
                "statement": "The rules of the official code give the same score as the paper's.",
                "compare": (entry.id, entry.id),
                "expect": "equal",
                "source": "Our question: see where sources disagree.",
            }
            claim = claim.model_copy(update=same)
            found = self._claimed(entry, claim, entry.id, "official_code", 1.0)
            return [found] if found.card else []
        return []

    def _claimed(
        self, entry: MethodEntry, claim: Claim, against: str, variant: str, sign: float
    ) -> Claimed:
        """A claim with what the newest card of this variant says; `sign` turns its difference."""
        found = Claimed(claim, "not tested", "")
        tasks = ", ".join(claim.tasks) or "all"
        cards = self.cards(kind="miniature", method=entry.id).items()
        for key, card in sorted(cards, key=lambda item: item[1].date):
            same = (card.metric, card.task, card.variant) == (claim.metric, tasks, variant)
            for comparison in card.comparisons:
                if comparison.against != against or not same:
                    continue
                ends, bounds = None, ""
                if comparison.interval:
                    low, high = sorted(sign * end for end in comparison.interval)
                    ends = (low, high)
                    bounds = " [{:+.3f}, {:+.3f}]".format(*comparison.interval)
                found = Claimed(
                    claim,
                    claim.verdict(ends),
                    f"difference {comparison.difference:+.3f}{bounds}, {comparison.test}, "
                    f"n = {card.n}, seeds {', '.join(map(str, card.seeds))}",
                    sign * comparison.difference,
                    ends,
                    key,
                )
        return found

    # --- openness ---------------------------------------------------------------------------

    def openness(self, entry: MethodEntry) -> list[tuple[str, bool, str]]:
        """(what, whether it is open, where or why not) of a method."""
        code, paper = entry.code, entry.paper
        licence = entry.license or (code.license if code else None)
        free = bool(licence) and "none" not in str(licence).lower()
        recipe = (self.folder(entry) / "paper.yaml").is_file()
        return [
            ("Paper", bool(paper and paper.link), (paper and paper.link) or ""),
            ("Code", code is not None, code.url if code else entry.no_code or ""),
            ("Weights", bool(entry.weights), entry.weights[0].url if entry.weights else ""),
            ("Data", bool(entry.data_links), entry.data_links[0].url if entry.data_links else ""),
            ("Licence", free, licence or ""),
            ("Recipe", recipe, "every setting with its source, in paper.yaml" if recipe else ""),
        ]


def shown(value: Any) -> str:
    """A setting as it is written in YAML."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "unset"
    if isinstance(value, list | tuple):
        return ", ".join(map(shown, value))
    return str(value)


def setting(item: Setting) -> str | None:
    """A protocol in words: "32 frames, 256x28x28, without subtitles"; None if nothing is known."""
    parts = []
    if item.frames is not None:
        text = str(item.frames)
        plural = "" if text == "1" else "s"
        parts.append(f"{text} frame{plural}" if text.replace("-", "").isdigit() else text)
    if item.fps is not None:
        parts.append(f"{number(item.fps)} fps")
    if item.resolution:
        parts.append(item.resolution)
    if item.subtitles is not None and "subtitles" not in (item.note or ""):
        parts.append("with subtitles" if item.subtitles else "without subtitles")
    if item.note:
        parts.append(item.note)
    return ", ".join(parts) or None


def protocol(card: ResultCard) -> str:
    """The protocol of a card in words."""
    p = card.protocol
    frames = f"{p.frames} frames" if p.frames else f"{number(p.fps)} fps" if p.fps else "all frames"
    parts = [frames]
    if p.max_frames and not p.frames:
        parts.append(f"at most {p.max_frames} frames")
    if p.pixels:
        parts.append(f"{p.pixels:,} pixels a frame")
    parts.append("with subtitles" if p.subtitles else "without subtitles")
    parts.append("greedy" if p.sampling.temperature == 0 else f"T = {p.sampling.temperature:g}")
    if p.sampling.n > 1:
        parts.append(f"{p.sampling.n} answers a question")
    if p.judge:
        parts.append(f"judge {p.judge}")
    return ", ".join(parts)


def year(entry: Entry) -> int | None:
    """Year of a work's paper."""
    paper = getattr(entry, "paper", None)
    return paper.year if paper else None


def month(entry: Entry) -> str | None:
    """Month of the first version, "2025-03", where the arXiv id tells it."""
    paper: Paper | None = getattr(entry, "paper", None)
    if paper is None or not paper.arxiv_id or "/" in paper.arxiv_id:
        return None
    digits = paper.arxiv_id
    return f"20{digits[:2]}-{digits[2:4]}" if digits[2:4] <= "12" else None


def authors(paper: Paper, most: int = 6) -> str | None:
    """Authors as one text, shortened to `most` names."""
    names = paper.authors or ((paper.first_author,) if paper.first_author else ())
    if not names:
        return None
    if not paper.authors:
        return f"{names[0]} and others"
    head = ", ".join(names[:most])
    return head if len(names) <= most else f"{head} and {len(names) - most} more"


def redirects(entry: Entry, taken: frozenset[str]) -> Iterator[str]:
    """Ids under which an entry may also be asked for: its aliases, spelled as ids."""
    for name in map(normalise, entry.aliases):
        if name and name != entry.id and name not in taken and len(name) <= 80:
            yield name


def pillars(entry: Entry) -> tuple[str, ...]:
    """Pillars of an entry, its own or those of its leaves."""
    if isinstance(entry, MethodEntry | BenchmarkEntry | DatasetEntry):
        return entry.pillars
    return ()


def search_words(item: Entry | TaxonomyWord) -> list[str]:
    """What people type besides the title: aliases, names in one word, the arXiv id."""
    paper: Paper | None = getattr(item, "paper", None)
    words = [name.lower() for name in item.aliases]
    words += ["".join(filter(str.isalnum, name)).lower() for name in (item.name, *item.aliases)]
    if paper and paper.arxiv_id:
        words.append(paper.arxiv_id)
    return [word for word in dict.fromkeys(words) if 0 < len(word) <= 40]


def weight(site: Site, entry: Entry) -> float:
    """How far up a page stands in search results: 1 for most, more for works much referred to."""
    links = sum(map(len, site.backlinks.get(entry.id, {}).values()))
    if isinstance(entry, Work):
        rung = RUNGS.index(entry.status)
        return round(1 + 0.15 * rung + 0.1 * min(links, 10), 2)
    return 0.5
