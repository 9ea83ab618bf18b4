"""The guide: pages whose text is ours and whose lists and counts are the catalogue's.

The text stands in `templates/survey.md.j2` and `templates/guide/`; an entry is named there by its
id, as `link("video_r1")`, so a name or an address that changes is right everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from vidpost.catalog import graph
from vidpost.catalog.models import Entry, MethodEntry
from vidpost.export.readme import SURVEY_ARXIV
from vidpost.site import context as ctx
from vidpost.site import figures
from vidpost.site.context import Site
from vidpost.site.render import Renderer, base

PAGES = {
    "survey.md": ("survey", "The field in ten minutes"),
    "survey/sft.md": ("guide/sft", "Supervised fine-tuning"),
    "survey/rl.md": ("guide/rl", "Reinforcement learning"),
    "survey/tts.md": ("guide/tts", "Test-time scaling"),
    "survey/rewards.md": ("guide/rewards", "Reward design"),
    "survey/protocol.md": ("guide/protocol", "Evaluation protocol"),
    "survey/open.md": ("guide/open", "Open challenges"),
}
"""Page -> (template, title)."""


@dataclass(frozen=True)
class Leaf:
    """A word in a list.

    Attributes:
        id: The word.
        definition: What it means.
        size: Entries that carry it, or a word below it.
        newest: Ids of the newest works among them.
    """

    id: str
    definition: str
    size: int
    newest: list[str]


def pages(site: Site, renderer: Renderer, known: frozenset[str]) -> Iterator[tuple[str, str]]:
    """All pages of the guide.

    Args:
        site: The catalogue and what was worked out about it.
        renderer: Remembers the addresses that pages link to.
        known: Addresses of pages that the pipeline may link to.
    """
    shared = _values(site)
    for path, (template, title) in PAGES.items():
        values = {**shared, "title": title, "pipeline": figures.pipeline(base(path), known)}
        values["source"] = renderer.edit_url(f"tools/vidpost/site/templates/{template}.md.j2")
        yield path, renderer.page(path, template, **values)


def _values(site: Site) -> dict[str, Any]:
    """What the templates count and list."""
    catalog = site.catalog
    numbers = [item for method in catalog.methods.values() for item in method.reported]
    settings = [item.setting for item in numbers]
    ours = [
        entry.id
        for entry in catalog.surveys.values()
        if entry.paper and entry.paper.arxiv_id == SURVEY_ARXIV
    ]

    def leaves(parent: str) -> list[Leaf]:
        return [_leaf(site, name) for name in graph.children(catalog, parent)]

    def words(kind: Any) -> list[Leaf]:
        return [_leaf(site, word.id) for word in catalog.words_of(kind)]

    def count(word: str, kind: str = "method") -> int:
        return len(site.by_kind_and_word.get((kind, word), ()))

    def runnable(word: str) -> list[str]:
        return [
            name
            for name in site.by_kind_and_word.get(("method", word), ())
            if catalog.methods[name].status in ("runnable", "reproduced")
        ]

    return {
        "survey_id": ours[0] if ours else None,
        "leaves": leaves,
        "words_of": words,
        "definition": lambda name: catalog.words[name].definition,
        "count": count,
        "runnable": runnable,
        "numbers": {
            "all": len(numbers),
            "methods": sum(bool(method.reported) for method in catalog.methods.values()),
            "benchmarks": len({item.benchmark for item in numbers}),
            "frames": sum(s.frames is not None or s.fps is not None for s in settings),
            "resolution": sum(s.resolution is not None for s in settings),
            "subtitles": sum(s.subtitles is not None for s in settings),
        },
        "protocols": _protocols(site),
    }


def _leaf(site: Site, name: str) -> Leaf:
    members = site.by_word.get(name, ())
    found = [site.catalog.of_kind(kind)[each] for kind, each in members]
    works = [entry for entry in found if ctx.month(entry) and not _is_ours(entry)]
    works.sort(key=lambda entry: (ctx.month(entry) or "", entry.id), reverse=True)
    word = site.catalog.words[name]
    return Leaf(name, word.definition, len(members), [entry.id for entry in works[:3]])


def _is_ours(entry: Entry) -> bool:
    return isinstance(entry, MethodEntry) and entry.is_baseline


def _protocols(site: Site, most: int = 6) -> list[tuple[str, int, int, int]]:
    """(benchmark, numbers, protocols, numbers without frames) of those reported on most."""
    rows = []
    for name, items in site.reported_on.items():
        settings = [item.setting for _, item in items]
        open_ = sum(s.frames is None and s.fps is None for s in settings)
        if name in site.catalog.benchmarks:
            rows.append((name, len(items), len({ctx.setting(s) for s in settings}), open_))
    return sorted(rows, key=lambda row: (-row[1], row[0]))[:most]
