"""What papers claim, tested in miniature: every claim of the catalogue with its verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from vidpost.catalog.models import MethodEntry, ResultCard
from vidpost.site import figures
from vidpost.site.context import Claimed, Site
from vidpost.site.render import Renderer

VERDICTS = ("supported", "not supported", "undecided")


@dataclass(frozen=True)
class Tested:
    """A claim that a card has an answer to.

    Attributes:
        entry: Whose claim it is.
        found: The claim and its verdict.
        card: The card that says so.
    """

    entry: MethodEntry
    found: Claimed
    card: ResultCard

    @property
    def name(self) -> str:
        """Of the method, with the claim where it has several."""
        several = len(self.entry.claims) > 1 and self.found.claim in self.entry.claims
        return f"{self.entry.name} ({self.found.claim.id})" if several else self.entry.name


def tested(site: Site) -> tuple[list[Tested], list[str]]:
    """Claims with a verdict, largest difference first, and the methods whose claims have none."""
    cards = site.cards(kind="miniature")
    done, open_ = [], []
    for name, entry in sorted(site.catalog.methods.items()):
        for found in site.claims(entry):
            if found.card and found.interval is not None:
                done.append(Tested(entry, found, cards[found.card]))
            elif name not in open_:
                open_.append(name)
    return sorted(done, key=lambda t: -(t.found.difference or 0.0)), open_


def variants(site: Site) -> list[Tested]:
    """The rules of official codes against those of the papers, largest difference first."""
    cards = site.cards(kind="miniature")
    done = [
        Tested(entry, found, cards[found.card])
        for _, entry in sorted(site.catalog.methods.items())
        for found in site.variants(entry)
        if found.interval is not None
    ]
    return sorted(done, key=lambda t: -(t.found.difference or 0.0))


def forest(title: str, rows: list[Tested]) -> Any:
    """The differences of some claims in one picture; None if there is none."""
    spans = [
        figures.Span(
            row.name,
            row.found.difference or 0.0,
            row.found.interval or (0.0, 0.0),
            row.found.verdict.replace(" ", "-"),
        )
        for row in rows
    ]
    axis = "Difference of the mean score, method minus what it is compared with"
    axis += ", with its 95 % interval over seeds"
    return figures.forest(title, axis, spans) if spans else None


def page(site: Site, renderer: Renderer) -> tuple[str, str]:
    """The page of all claims: a picture and a table for each kind of methods, and the variants."""
    done, open_ = tested(site)
    parts = [
        (
            "training",
            "Training methods",
            [t for t in done if "decode" not in t.found.claim.compare],
        ),
        ("tts", "Test-time methods", [t for t in done if "decode" in t.found.claim.compare]),
        ("variants", "Rules of the official code against the paper's", variants(site)),
    ]
    counts = {verdict: sum(t.found.verdict == verdict for t in done) for verdict in VERDICTS}
    return "claims.md", renderer.page(
        "claims.md", "claims", counts=counts, total=len(done), missing=open_,
        parts=[(key, title, rows, forest(title, rows)) for key, title, rows in parts],
    )  # fmt: skip
