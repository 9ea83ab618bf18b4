"""Which entries a command is about: the filters that `list` and `export` share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from vidpost.catalog import graph
from vidpost.catalog.diagnostics import CatalogError, closest
from vidpost.catalog.loader import Catalog
from vidpost.catalog.models import RUNGS, BenchmarkEntry, DatasetEntry, Entry, MethodEntry, Work

F = TypeVar("F", bound=Callable[..., Any])


def filters(command: F) -> F:
    """The options --status, --pillar, --word and --year; they arrive as arguments of that name."""
    for option in (
        click.option("--year", type=click.IntRange(1950, 2100), help="Only works of this year."),
        click.option("--word", help="Only entries with this taxonomy word, or one below it."),
        click.option("--pillar", help="Only this pillar: sft, rl, tts."),
        click.option("--status", type=click.Choice(RUNGS), help="Only this rung of the ladder."),
    ):
        command = option(command)
    return command


@dataclass(frozen=True)
class Selection:
    """What is asked for; an empty or absent filter lets everything pass.

    Attributes:
        kinds: Kinds of entry.
        status: Rung of the ladder.
        pillar: Pillar, a taxonomy word.
        word: Taxonomy word, matched with the words below it.
        year: Year of the first version.
        names: Ids, names, aliases or arXiv ids.
    """

    kinds: Sequence[str] = ()
    status: str | None = None
    pillar: str | None = None
    word: str | None = None
    year: int | None = None
    names: Sequence[str] = ()

    def of(self, catalog: Catalog) -> list[tuple[str, Entry]]:
        """The selected (kind, entry) pairs, sorted by kind and id.

        Raises:
            CatalogError: A name or a word is not known.
        """
        known = [word.id for word in catalog.words_of("pillar")]
        if self.pillar and self.pillar not in known:
            raise CatalogError(f"no pillar '{self.pillar}'. There are {', '.join(known)}.")
        if self.word and self.word not in catalog.words:
            hint = closest(self.word, catalog.words) or "`vidpost list words` shows all."
            raise CatalogError(f"no taxonomy word '{self.word}'. {hint}")
        wanted = {catalog.find(name)[1].id for name in self.names}
        having = graph.entries_by_word(catalog)[self.word] if self.word else []
        return [
            (kind, entry)
            for kind, entry in catalog.entries()
            if (not self.kinds or kind in self.kinds)
            and (not wanted or entry.id in wanted)
            and (not self.status or (isinstance(entry, Work) and entry.status == self.status))
            and (not self.pillar or self.pillar in pillars(entry))
            and (not self.word or (kind, entry.id) in having)
            and (not self.year or year(entry) == self.year)
        ]


def pillars(entry: Entry) -> tuple[str, ...]:
    """Pillars of an entry, none for metrics and surveys."""
    return entry.pillars if isinstance(entry, MethodEntry | BenchmarkEntry | DatasetEntry) else ()


def year(entry: Entry) -> int | None:
    """Year of the first version of an entry's paper."""
    paper = entry.paper if isinstance(entry, Work) else None
    if paper is None:
        return None
    prefix = (paper.arxiv_id or "")[:2]
    return paper.year or (2000 + int(prefix) if prefix.isdigit() else None)
