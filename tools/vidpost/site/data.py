"""Files for machines: JSON API with JSON Schema, Atom feeds, BibTeX, badges, redirects."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from pydantic import BaseModel

from vidpost.catalog.models import KINDS, Entry, MethodEntry, ResultCard, TaxonomyWord, Work
from vidpost.export.bibtex import bibliography
from vidpost.export.text import plain
from vidpost.site import compare, figures
from vidpost.site import context as ctx
from vidpost.site.context import ONE, PLURAL, Site

VERSION = 1
Files = Iterator[tuple[str, str]]
"""(path below docs/, text)."""


def files(site: Site) -> Files:
    """All files that are not pages."""
    yield from api(site)
    yield "feed.xml", feed(site, None)
    for pillar in site.catalog.words_of("pillar"):
        yield f"api/feed-{pillar.id}.xml", feed(site, pillar.id)
    works = [entry for _, entry in site.catalog.entries() if isinstance(entry, Work)]
    yield "catalog.bib", bibliography(works)
    for name, entry in site.catalog.methods.items():
        yield f"api/badge/{name}.svg", figures.badge(entry.status)
        yield f"api/compare/{name}.json", _json(compare.column(site, entry), sort=False)
    yield from redirects(site)


# --- JSON -----------------------------------------------------------------------------------


def _json(value: Any, sort: bool = True) -> str:
    # Without indentation json uses its C encoder; a thousand entries are a second faster.
    return json.dumps(value, sort_keys=sort, ensure_ascii=False) + "\n"


def _dump(model: BaseModel) -> dict[str, Any]:
    return model.model_dump(mode="json")


def _row(site: Site, entry: Entry) -> dict[str, Any]:
    """An entry in a list: what tables and scripts need."""
    paper = entry.paper if isinstance(entry, Work) else None
    row: dict[str, Any] = {
        "id": entry.id,
        "name": entry.name,
        "aliases": list(entry.aliases),
        "summary": entry.summary,
        "added": entry.added.isoformat(),
        "url": f"{site.url}{site.path(entry.id)}",
    }
    if isinstance(entry, Work):
        row |= {
            "status": entry.status,
            "taxonomy": list(entry.taxonomy),
            "pillars": list(ctx.pillars(entry)),
            "title": paper.title if paper else None,
            "arxiv_id": paper.arxiv_id if paper else None,
            "year": paper.year if paper else None,
            "venue": paper.venue if paper else None,
            "paper": paper.link if paper else None,
            "code": entry.code.url if entry.code else None,
            "bibtex_key": entry.id if paper else None,
        }
    if isinstance(entry, MethodEntry):
        row |= {
            "baseline": entry.baseline,
            "is_baseline": entry.is_baseline,
            "reward_aspects": list(entry.reward_aspects),
            "challenges": list(entry.challenges),
            "numbers": len(entry.reported),
            "open": [what.lower() for what, there, _ in site.openness(entry) if there],
        }
    return row


def _full(site: Site, kind: str, entry: Entry) -> dict[str, Any]:
    """An entry in a file of its own: all fields, back-links, and for methods code and cards."""
    value: dict[str, Any] = {
        "kind": kind,
        "url": f"{site.url}{site.path(entry.id)}",
        "entry": _dump(entry),
        "backlinks": site.backlinks.get(entry.id, {}),
    }
    if isinstance(entry, MethodEntry):
        module = site.module(entry.id)
        value |= {
            "module": module.path if module else None,
            "hooks": [
                {"name": name, "does": list(hook.does), "baseline_does": list(base),
                 "lines": list(hook.lines)}
                for name, base, hook in site.differences(entry)
            ],
            "hyperparameters": [
                {"key": k, "paper": paper, "mini": mini or None, "source": source}
                for k, paper, mini, source in site.hyperparameters(entry)
            ],
            "cards": sorted(site.catalog.cards_of(entry.id)),
        }  # fmt: skip
    return value


def api(site: Site) -> Files:
    """Version 1 of the JSON API; a key is never removed within a version."""
    root = "api/v1/"
    catalog = site.catalog
    counts = {}
    for kind, plural in PLURAL.items():
        entries = sorted(catalog.of_kind(kind).items())
        counts[plural] = len(entries)
        yield (
            f"{root}{plural}.json",
            _json({"version": VERSION, "entries": [_row(site, entry) for _, entry in entries]}),
        )
        for name, entry in entries:
            yield f"{root}{plural}/{name}.json", _json(_full(site, kind, entry))
        yield f"{root}schema/{kind}.json", _json(_schema(kind))
    cards = [{"id": name, **_dump(card)} for name, card in sorted(catalog.results.items())]
    yield f"{root}results.json", _json({"version": VERSION, "cards": cards})
    numbers = [
        {"method": method.id, **_dump(item)}
        for _, method in sorted(catalog.methods.items())
        for item in method.reported
    ]
    yield f"{root}reported.json", _json({"version": VERSION, "numbers": numbers})
    words = [
        {**_dump(word), "entries": [name for _, name in site.by_word.get(word.id, ())]}
        for word in catalog.words.values()
    ]
    yield f"{root}taxonomy.json", _json({"version": VERSION, "words": words})
    yield f"{root}schema/result.json", _json(ResultCard.model_json_schema())
    yield f"{root}schema/word.json", _json(TaxonomyWord.model_json_schema())
    links = {
        name: f"{site.url}{root}{name}.json"
        for name in (*counts, "results", "reported", "taxonomy")
    }
    counts |= {"results": len(cards), "reported": len(numbers), "words": len(words)}
    yield f"{root}index.json", _json(
        {"version": VERSION, "updated": site.newest.isoformat(), "counts": counts, "links": links,
         "feed": f"{site.url}feed.xml", "bibtex": f"{site.url}catalog.bib",
         "license": "CC-BY-4.0"}
    )  # fmt: skip


def _schema(kind: str) -> dict[str, Any]:
    """JSON Schema of an entry's own file."""
    entry = KINDS[kind].model_json_schema()
    definitions = entry.pop("$defs", {})
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"A {ONE[kind]} in version {VERSION} of the API",
        "type": "object",
        "required": ["kind", "url", "entry", "backlinks"],
        "properties": {
            "kind": {"const": kind},
            "url": {"type": "string"},
            "entry": entry,
            "backlinks": {
                "type": "object",
                "additionalProperties": {"type": "array", "items": {"type": "string"}},
            },
        },
        "$defs": definitions,
    }


# --- Atom -----------------------------------------------------------------------------------


def feed(site: Site, pillar: str | None) -> str:
    """Atom with the newest 50 entries and cards, all of them or those of one pillar."""
    items: list[tuple[datetime.date, str, str, str, str]] = []
    for kind, entry in site.catalog.entries():
        if pillar and pillar not in ctx.pillars(entry):
            continue
        about = entry.summary or ""
        if not about and isinstance(entry, Work) and entry.paper:
            about = entry.paper.title
        items.append(
            (entry.added, f"{site.url}{site.path(entry.id)}", f"New {ONE[kind]}: {entry.name}",
             about, "")
        )  # fmt: skip
    for name, card in site.catalog.results.items():
        method = site.catalog.methods.get(card.method)
        if method is None or (pillar and pillar not in method.pillars):
            continue
        about = f"{card.metric} {card.score:.3f} on {card.benchmark}, n = {card.n}"
        section = "miniature" if card.kind == "miniature" else "reproduced"
        address = f"{site.url}{site.path(method.id)}#{section}"
        heading = f"New {card.kind}: {method.name}"
        items.append((card.date, address, heading, about, f"?card={name}"))
    items.sort(key=lambda item: (item[0].toordinal(), item[1]), reverse=True)
    word = site.catalog.words.get(pillar) if pillar else None
    title = f"vidpost: {word.name}" if word else "vidpost: what is new"
    name = f"api/feed-{pillar}.xml" if pillar else "feed.xml"
    newest = max((day for day, *_ in items), default=site.newest)
    lines = [
        '<?xml version="1.0" encoding="utf-8"?>',
        '<feed xmlns="http://www.w3.org/2005/Atom">',
        f"<title>{escape(plain(title))}</title>",
        f"<id>{escape(site.url + name)}</id>",
        f'<link rel="self" href={quoteattr(site.url + name)}/>',
        f"<link href={quoteattr(site.url)}/>",
        f"<updated>{newest.isoformat()}T00:00:00Z</updated>",
        "<author><name>The vidpost authors</name></author>",
    ]
    for day, address, heading, about, tail in items[:50]:
        lines += [
            "<entry>",
            f"<title>{escape(plain(heading))}</title>",
            f"<id>{escape(address + tail)}</id>",
            f"<link href={quoteattr(address)}/>",
            f"<updated>{day.isoformat()}T00:00:00Z</updated>",
            f"<summary>{escape(plain(about))}</summary>",
            "</entry>",
        ]
    return "\n".join([*lines, "</feed>", ""])


# --- redirects ------------------------------------------------------------------------------


def redirects(site: Site) -> Files:
    """Small pages that send aliases and hyphenated ids to the entry."""
    taken = frozenset(site.kinds)
    made: set[str] = set()
    for kind, entry in site.catalog.entries():
        for name in ctx.redirects(entry, taken):
            path = f"catalog/{PLURAL[kind]}/{name}/index.html"
            if path not in made:
                made.add(path)
                target = f"../{entry.id}/"
                yield (
                    path,
                    (
                        '<!doctype html><html lang="en"><meta charset="utf-8">'
                        f'<title>Moved</title><meta name="robots" content="noindex">'
                        f'<meta http-equiv="refresh" content="0; url={target}">'
                        f'<link rel="canonical" href="{target}">'
                        f'<p>This entry is at <a href="{target}">{entry.id}</a>.</p></html>\n'
                    ),
                )
