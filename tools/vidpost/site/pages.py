"""Every generated page: entries, tables, taxonomy, and the pages that are made from all of them."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from heapq import nsmallest
from itertools import groupby, islice
from typing import Any, NamedTuple

from markupsafe import Markup

from vidpost.catalog import examples, graph, lint
from vidpost.catalog.diagnostics import CODES
from vidpost.catalog.loader import normalise
from vidpost.catalog.models import (
    KINDS,
    RUNGS,
    BenchmarkEntry,
    Entry,
    MethodEntry,
    ReportedNumber,
    ResultCard,
    Work,
)
from vidpost.catalog.module import BASELINE_DOES, read_hooks
from vidpost.export.bibtex import bibtex
from vidpost.export.tables import COLUMNS, LIST
from vidpost.export.text import plain
from vidpost.site import claims, compute, figures, guide, tables
from vidpost.site import context as ctx
from vidpost.site.context import PLURAL, TITLE, Site
from vidpost.site.fields import describe_models
from vidpost.site.render import Renderer, base, raw
from vidpost.site.text import number

MOST_ROWS = 30
"""Rows of reported numbers on a method's page, which must stay light."""

Pages = Iterator[tuple[str, str]]
"""(path below docs/, text)."""

TEMPLATES = {
    "method": "method",
    "benchmark": "benchmark",
    "dataset": "dataset",
    "metric": "metric",
    "survey": "survey_entry",
}


def pages(site: Site, renderer: Renderer, known: frozenset[str]) -> Pages:
    """All Markdown pages.

    Args:
        site: The catalogue and what was worked out about it.
        renderer: Remembers the addresses that pages link to.
        known: Addresses of pages that pictures may link to.
    """
    for kind, entry in site.catalog.entries():
        yield entry_page(site, renderer, kind, entry)
    yield from taxonomy(site, renderer)
    for kind in PLURAL:
        yield (
            f"{PLURAL[kind]}.md",
            renderer.page(f"{PLURAL[kind]}.md", "table", **tables.table(site, kind)),
        )
    yield home(site, renderer, known)
    yield from guide.pages(site, renderer, known)
    yield timeline(site, renderer)
    yield from results(site, renderer)
    yield compute.page(site, renderer)
    yield claims.page(site, renderer)
    yield whats_new(site, renderer)
    yield compare(site, renderer)
    yield first(site, renderer)
    yield api(site, renderer)
    yield hooks(site, renderer)
    yield (
        "contribute/fields.md",
        renderer.page("contribute/fields.md", "fields", models=describe_models()),
    )
    shown = examples.read(site.catalog.root)
    yield (
        "contribute/codes.md",
        renderer.page("contribute/codes.md", "codes", codes=CODES, examples=shown),
    )


# --- entries --------------------------------------------------------------------------------


def entry_page(site: Site, renderer: Renderer, kind: str, entry: Entry) -> tuple[str, str]:
    """The page of one entry."""
    path = f"catalog/{PLURAL[kind]}/{entry.id}.md"
    file = site.file(kind, entry.id)
    back: dict[str, list[str]] = defaultdict(list, site.backlinks.get(entry.id, {}))
    trail = [(f"{PLURAL[kind]}/", TITLE[kind])]
    values: dict[str, Any] = {}
    if isinstance(entry, Work):
        if entry.taxonomy and entry.taxonomy[0] in site.catalog.words:
            leaf = site.catalog.words[entry.taxonomy[0]]
            trail.append((f"taxonomy/{leaf.id}/", leaf.name))
        text = bibtex(entry)
        values["bibtex"] = raw(text.replace("`", "'")) if text else None
        values["near"] = _near(site, kind, entry)
    if isinstance(entry, MethodEntry):
        values |= _method(site, entry)
    elif isinstance(entry, BenchmarkEntry):
        full = boards(site, entry.id)
        values |= {
            "metrics": _Lookup(site.catalog.metrics),
            "boards": [board for board in full if board["stated"] and len(board["rows"]) > 1][:3],
            "protocols": len(full),
            "count": sum(len(board["rows"]) for board in full),
            "reproductions": _by_protocol(site.cards(kind="reproduction", benchmark=entry.id)),
            "miniatures": _by_protocol(site.cards(kind="miniature", benchmark=entry.id)),
        }
    page = renderer.page(
        path, TEMPLATES[kind], entry=entry, file=file, source=renderer.edit_url(file),
        back=back, trail=trail, weight=ctx.weight(site, entry), changed=site.changed.get(file),
        json_path=f"api/v1/{PLURAL[kind]}/{entry.id}.json", **values,
    )  # fmt: skip
    return path, page


class _Lookup(dict[str, Any]):
    """A mapping in which absent keys are None, for templates."""

    def __missing__(self, key: str) -> None:
        return None


def _near(site: Site, kind: str, entry: Work) -> list[str]:
    """Up to eight entries of the kind that share most leaves, nearest first."""
    shared: Counter[str] = Counter()
    for word in entry.taxonomy:
        shared.update(site.by_kind_and_word.get((kind, word), ()))
    del shared[entry.id]
    most = max(shared.values(), default=0)
    if most == 1:  # all are equally near: the first by id
        return list(islice(shared, 8))
    return nsmallest(8, shared, key=lambda name: (-shared[name], name))


def _method(site: Site, entry: MethodEntry) -> dict[str, Any]:
    module = site.module(entry.id)
    longest = max((len(run) for run in re.findall("`+", module.source)), default=0) if module else 0
    numbers, sources = _numbers(entry)
    settings = [
        {"source": source, "rows": [row[:3] for row in rows]}
        for source, rows in groupby(site.hyperparameters(entry), key=lambda row: row[3])
    ]
    return {
        "module": module,
        "fence": raw("`" * max(3, longest + 1)),
        "differences": site.differences(entry),
        "numbers": numbers,
        "sources": sources,
        "reproductions": site.cards(kind="reproduction", method=entry.id),
        "miniatures": site.cards(kind="miniature", method=entry.id),
        "claims": site.claims(entry) + site.variants(entry),
        "hyperparameters": settings,
        "settings": sum(len(group["rows"]) for group in settings),
        "has_mini": (site.folder(entry) / "mini.yaml").is_file(),
        "openness": site.openness(entry),
    }


class Cell(NamedTuple):
    """One number of a table.

    Attributes:
        text: The number as printed, with its unit.
        flag: Why it is not verified, "" if it is.
    """

    text: str
    flag: str


def _printed(item: ReportedNumber) -> str:
    unit = {"%": " %", "seconds": " s"}.get(item.unit, "")
    return f"{item.value:g}{unit}"


def _flag(entry: MethodEntry, index: int) -> str:
    for path, why in entry.unverified.items():
        if path == f"reported[{index}]" or path.startswith(f"reported[{index}]."):
            return why
    return ""


def _numbers(entry: MethodEntry) -> tuple[dict[str, Any] | None, list[str]]:
    """Reported numbers as one table, and the sources that its rows point to.

    Few models that share most rows get a column each; else each row lists its models.
    """
    if not entry.reported:
        return None, []
    sources = list(dict.fromkeys(item.source for item in entry.reported))
    models = list(dict.fromkeys(item.model or entry.name for item in entry.reported))
    rows: dict[tuple[str, ...], dict[str, Any]] = {}
    for index, item in enumerate(entry.reported):
        words = ctx.setting(item.setting)
        row = rows.setdefault(
            (item.benchmark, item.split or "", item.metric, words or ""),
            {"benchmark": item.benchmark, "split": item.split, "metric": item.metric,
             "setting": words, "cells": {}, "sources": set()},
        )  # fmt: skip
        model = item.model or entry.name
        cell = Cell(_printed(item), _flag(entry, index))
        if (old := row["cells"].get(model)) is not None:  # two numbers for one cell: show both
            cell = Cell(f"{old.text}, {cell.text}", old.flag or cell.flag)
        row["cells"][model] = cell
        row["sources"].add(sources.index(item.source) + 1)
    total = len(rows)
    if total > MOST_ROWS:  # those that state their frames first; the boards have them all
        stated_first = sorted(rows, key=lambda key: not re.search(r"\d+ (?:frames|fps)", key[3]))
        kept = set(stated_first[:MOST_ROWS])
        rows = {key: row for key, row in rows.items() if key in kept}
    groups = []
    for name in dict.fromkeys(key[0] for key in rows):
        members = [row for key, row in rows.items() if key[0] == name]
        for row in members:
            row["sources"] = sorted(row["sources"])
        groups.append({"benchmark": name, "rows": members})
    filled = sum(len(row["cells"]) for row in rows.values())
    columns = models if len(models) <= 4 and filled >= len(models) * len(rows) / 2 else []
    table = {"columns": columns, "groups": groups, "shown": len(rows), "total": total}
    return table, sources


def _by_protocol(cards: dict[str, ResultCard]) -> list[tuple[str, dict[str, ResultCard]]]:
    groups: dict[str, dict[str, ResultCard]] = {}
    for key, card in cards.items():
        groups.setdefault(card.fingerprint, {})[key] = card
    return sorted(groups.items())


def boards(site: Site, benchmark: str) -> list[dict[str, Any]]:
    """Boards of reported numbers: one for each metric, split, unit and protocol; largest first."""
    groups: dict[tuple[str, frozenset[str], str], list[dict[str, Any]]] = {}
    titles: dict[frozenset[str], str] = {}
    for method, item in site.reported_on.get(benchmark, ()):
        index = method.reported.index(item)
        said = (item.split, ctx.setting(item.setting) or "protocol not reported")
        # A split may be named after its protocol: "long, without subtitles", or only "long".
        words = dict.fromkeys(", ".join(filter(None, said)).split(", "))
        protocol = frozenset(words)
        titles.setdefault(protocol, ", ".join(words))
        groups.setdefault((item.metric, protocol, item.unit), []).append(
            {"model": item.model or method.name, "method": method.id, "value": item.value,
             "text": f"{item.value:g}", "source": item.source, "flag": _flag(method, index),
             "month": ctx.month(method),
             "stated": item.setting.frames is not None or item.setting.fps is not None}
        )  # fmt: skip
    result: list[dict[str, Any]] = []
    for (metric, protocol, unit), rows in groups.items():
        known = site.catalog.metrics.get(metric)
        down = known is not None and known.direction == "lower"
        rows.sort(key=lambda row: (row["value"] if down else -row["value"], row["model"]))
        title = f"{known.name if known else metric}, {titles[protocol]}"
        # Numbers whose frames nobody stated may differ in them: a list, but no common axis.
        stated = all(row["stated"] for row in rows)
        points = [(str(row["model"]), float(row["value"]), str(row["method"])) for row in rows]
        result.append(
            {"title": title, "unit": "percent" if unit == "%" else unit, "rows": rows,
             "stated": stated,
             "plot": figures.dots(title, unit, points) if stated and len(rows) > 2 else None}
        )  # fmt: skip
    result.sort(key=lambda board: (-len(board["rows"]), board["title"]))
    for place, board in enumerate(result):
        board["anchor"] = f"board-{place + 1}" if len(board["rows"]) > 1 else "singles"
    return result


# --- taxonomy -------------------------------------------------------------------------------


def taxonomy(site: Site, renderer: Renderer) -> Pages:
    """The tree, and one page a word."""
    groups = []
    for kind, heading in ctx.WORD_KINDS.items():
        tops = [
            word.id
            for word in site.catalog.words.values()
            if word.kind == kind or (word.kind == "leaf" and kind == "pillar")
            if word.parent not in site.catalog.words
        ]
        tops.sort(key=lambda name: site.catalog.words[name].kind != kind)  # pillars before leaves
        if tops:
            groups.append((heading, [_tree(site, name, {name}) for name in tops]))
    yield "taxonomy/index.md", renderer.page("taxonomy/index.md", "taxonomy", groups=groups)
    for word in site.catalog.words.values():
        path = f"taxonomy/{word.id}.md"
        above = graph.ancestors(site.catalog, word.id)
        members: dict[str, list[Entry]] = {}
        for kind, name in site.by_word.get(word.id, ()):
            members.setdefault(kind, []).append(site.catalog.of_kind(kind)[name])
        listed = [
            (TITLE[kind], kind, sorted(rows, key=_newest_first))
            for kind in KINDS
            if (rows := members.get(kind))
        ]
        beside = [
            name for name in graph.children(site.catalog, word.parent) if name != word.id
        ] if word.parent else []  # fmt: skip
        trail = [("taxonomy/", "Taxonomy")]
        trail += [(f"taxonomy/{name}/", site.catalog.words[name].name) for name in reversed(above)]
        yield path, renderer.page(
            path, "word", item=word, ancestors=above, groups=listed, trail=trail, beside=beside,
            below=graph.children(site.catalog, word.id),
            source=renderer.edit_url(site.file("word", word.id)),
        )  # fmt: skip


def _newest_first(entry: Entry) -> tuple[str, str]:
    when = ctx.month(entry) or str(ctx.year(entry) or "0000")
    return "".join(chr(ord("9") - ord(c) + ord("0")) if c.isdigit() else c for c in when), entry.id


def _tree(site: Site, name: str, seen: set[str]) -> dict[str, Any]:
    below = [each for each in graph.children(site.catalog, name) if each not in seen]
    seen |= set(below)
    word = site.catalog.words[name]
    return {
        "id": name,
        "origin": word.origin,
        "count": len(site.by_word.get(name, ())),
        "children": [_tree(site, each, seen) for each in below],
    }


# --- pages made from everything -------------------------------------------------------------


def home(site: Site, renderer: Renderer, known: frozenset[str]) -> tuple[str, str]:
    """The landing page: four numbers and four ways in."""
    catalog = site.catalog
    counts = [
        (len(catalog.methods), "methods", "methods/"),
        (len(catalog.benchmarks), "benchmarks", "benchmarks/"),
        (sum(len(m.reported) for m in catalog.methods.values()), "reported numbers", "results/"),
        (_runnable(site, catalog.methods), "methods to run", "methods/?status=runnable"),
    ]
    latest = sorted(
        (entry for _, entry in catalog.entries() if isinstance(entry, Work)),
        key=lambda entry: (entry.added, bool(entry.summary), ctx.month(entry) or ""),
        reverse=True,
    )[:5]
    # Addresses are checked without their query.
    page = renderer.page(
        "index.md", "home", numbers=counts, latest=latest,
        pipeline=figures.pipeline(base("index.md"), known),
    )  # fmt: skip
    return "index.md", page


def _runnable(site: Site, names: Any) -> int:
    return sum(
        site.catalog.methods[name].status in ("runnable", "reproduced")
        for name in names
        if name in site.catalog.methods
    )


def timeline(site: Site, renderer: Renderer) -> tuple[str, str]:
    """Works by month, newest first."""
    listed: dict[str, list[Entry]] = {}
    counts: dict[str, dict[str, int]] = {}
    for kind, entry in site.catalog.entries():
        if not isinstance(entry, Work) or (isinstance(entry, MethodEntry) and entry.is_baseline):
            continue
        if when := ctx.month(entry):
            row = counts.setdefault(when, {})
            row[kind] = row.get(kind, 0) + 1
        when = when or str(ctx.year(entry) or "Month not known")
        listed.setdefault(when, []).append(entry)
    order = sorted(listed, key=lambda when: when if when[0] in "12" else "", reverse=True)
    page = renderer.page(
        "timeline.md", "timeline", kinds=site.kinds,
        plot=figures.months(counts) if counts else Markup(""),
        years=[
            (year, [(when, sorted(listed[when], key=lambda e: e.id)) for when in months])
            for year, months in groupby(order, key=lambda when: when[:4])
        ],
    )  # fmt: skip
    return "timeline.md", page


def results(site: Site, renderer: Renderer) -> Pages:
    """All boards of a benchmark on a page, their index, and pictures of what is measured."""
    reported: list[dict[str, Any]] = []
    plots: list[Markup] = []
    total = 0
    for name, numbers in sorted(site.reported_on.items(), key=lambda item: -len(item[1])):
        total += len(numbers)
        entry = site.catalog.benchmarks.get(name)
        if entry is None:
            continue
        tables_ = boards(site, name)
        largest = tables_[0]
        path = f"results/{name}.md"
        yield path, renderer.page(
            path, "boards", entry=entry, count=len(numbers), protocols=len(tables_),
            trail=[("results/", "Results"), (str(site.path(name)), entry.name)],
            parts=_parts([board for board in tables_ if len(board["rows"]) > 1]),
            singles=[{**board["rows"][0], "title": board["title"], "unit": board["unit"]}
                     for board in tables_ if len(board["rows"]) == 1],
        )  # fmt: skip
        reported.append(
            {"path": f"results/{name}/", "name": entry.name, "numbers": len(numbers),
             "protocols": len(tables_), "methods": len({method.id for method, _ in numbers}),
             "anchor": largest["anchor"],
             "largest": f"{largest['title']} ({len(largest['rows'])})"}
        )  # fmt: skip
        points = [
            (row["month"], row["value"], row["model"])
            for row in largest["rows"]
            if row["month"] and largest["stated"]
        ]
        if len({when for when, _, _ in points}) >= 3 and len(plots) < 6:
            title = f"{entry.name}: {largest['title']}"
            plots.append(figures.years(title, largest["unit"], points))
    small = _by_board(site, "miniature")
    page = renderer.page(
        "results/index.md", "results", reported=reported, total=number(total), years=plots,
        reproductions=_by_board(site, "reproduction"), against=_against(site),
        miniatures=sum(len(cards) for _, _, cards in small), coverage=_coverage(site),
        rewards=_rewards(site),
        tried=sorted({card.method for _, _, cards in small for card in cards.values()}),
    )  # fmt: skip
    yield "results/index.md", page
    path = "results/miniatures.md"
    groups = [
        (print_, benchmark, ctx.protocol(next(iter(cards.values()))), cards)
        for print_, benchmark, cards in small
    ]
    if groups:
        yield path, renderer.page(path, "miniatures", groups=groups)


def _parts(all_: list[dict[str, Any]], most: int = 8) -> list[tuple[str, list[dict[str, Any]]]]:
    """Boards in the parts of their page: the one without a heading is shown, others are folded.

    Few boards are all shown. Else those come first whose protocol says what frames were seen.
    """
    if len(all_) <= most:
        return [("", all_)]
    stated = [board for board in all_ if board["stated"]]
    parts = [
        ("", stated[:most]),
        ("Smaller boards whose frames are stated", stated[most:]),
        ("Boards without stated frames", [board for board in all_ if not board["stated"]]),
    ]
    return [(heading, part) for heading, part in parts if part]


def _by_board(site: Site, kind: str) -> list[tuple[str, str, dict[str, ResultCard]]]:
    groups: dict[tuple[str, str], dict[str, ResultCard]] = {}
    for key, card in site.cards(kind=kind).items():
        groups.setdefault((card.benchmark, card.fingerprint), {})[key] = card
    return [(print_, benchmark, cards) for (benchmark, print_), cards in sorted(groups.items())]


def _against(site: Site) -> list[Markup]:
    """A figure for each protocol under which something was reported and measured."""
    plots = []
    for print_, benchmark, cards in _by_board(site, "reproduction"):
        by_metric: dict[str, list[tuple[str, float, float, float, float, str]]] = {}
        for card in cards.values():
            method = site.catalog.methods.get(card.method)
            for number_ in method.reported if method else ():
                model = number_.model or card.method
                own = normalise(card.method) in normalise(model)  # a table lists others, too
                if own and lint.same_protocol(card, number_):
                    row = (
                        model,
                        number_.in_metric_unit(),
                        card.score,
                        *card.interval,
                        number_.source,
                    )
                    by_metric.setdefault(card.metric, []).append(row)
        for metric, rows in sorted(by_metric.items()):
            title = f"Reported against measured: {benchmark}, {metric}, protocol {print_}"
            unit = site.catalog.metrics[metric].unit if metric in site.catalog.metrics else metric
            plots.append(figures.against(title, unit, rows))
    return plots


def _coverage(site: Site) -> Any:
    """Methods by benchmarks: how many numbers each reported. The fullest 40 by 20."""
    filled: dict[tuple[str, str], int] = {}
    per_method: Counter[str] = Counter()
    per_benchmark: Counter[str] = Counter()
    for name, numbers in site.reported_on.items():
        entry = site.catalog.benchmarks.get(name)
        if entry is None:
            continue
        for method, _ in numbers:
            filled[method.name, entry.name] = filled.get((method.name, entry.name), 0) + 1
            per_method[method.id] += 1
            per_benchmark[name] += 1
    if not filled:
        return Markup("<p>None yet.</p>")
    rows = [site.catalog.methods[name] for name, _ in per_method.most_common(40)]
    columns = [site.catalog.benchmarks[name] for name, _ in per_benchmark.most_common(20)]
    return figures.grid(
        "Numbers that a method reports on a benchmark; the fullest 40 methods and 20 benchmarks",
        [(f"catalog/methods/{entry.id}/", entry.name) for entry in rows],
        [(f"catalog/benchmarks/{entry.id}/", entry.name) for entry in columns],
        filled, base("results/index.md"),
    )  # fmt: skip


def _rewards(site: Site) -> Any:
    """Methods by reward aspect."""
    aspects = site.catalog.words_of("reward_aspect")
    filled: dict[tuple[str, str], int] = {}
    rows = []
    for _, method in sorted(site.catalog.methods.items()):
        used = {*method.reward_aspects, *(reward.aspect for reward in method.rewards)}
        if method.rewards or len(used) > 1:
            rows.append(method)
            for aspect in aspects:
                if aspect.id in used:
                    n = sum(reward.aspect == aspect.id for reward in method.rewards)
                    filled[method.name, aspect.name] = max(n, 1)
    if not rows:
        return Markup("<p>No method's rewards are described yet.</p>")
    columns = [a for a in aspects if any(key[1] == a.name for key in filled)]
    return figures.grid(
        "Reward aspects by method; the number counts the rewards with that aspect",
        [(f"catalog/methods/{entry.id}/", entry.name) for entry in rows[:80]],
        [(f"taxonomy/{aspect.id}/", aspect.name) for aspect in columns],
        filled, base("results/index.md"),
    )  # fmt: skip


def whats_new(site: Site, renderer: Renderer) -> tuple[str, str]:
    """Entries and cards by day, newest first."""
    days: dict[str, dict[str, list[Any]]] = {}
    for kind, entry in site.catalog.entries():
        days.setdefault(str(entry.added), {}).setdefault(kind, []).append(entry.id)
    for key, card in sorted(site.catalog.results.items()):
        days.setdefault(str(card.date), {}).setdefault("result", []).append((key, card.method))
    listed = [(day, list(days[day].items())) for day in sorted(days, reverse=True)]
    return "whats-new.md", renderer.page("whats-new.md", "whats_new", days=listed)


def compare(site: Site, renderer: Renderer) -> tuple[str, str]:
    """The page that puts methods side by side."""
    methods = sorted(site.catalog.methods.values(), key=lambda entry: plain(entry.name).lower())
    pairs = [
        (entry.id, entry.baseline)
        for entry in methods
        if entry.baseline and entry.status in ("linked", "runnable", "reproduced")
    ]
    return "compare.md", renderer.page("compare.md", "compare", methods=methods, pairs=pairs[:40])


def first(site: Site, renderer: Renderer, most: int = 15) -> tuple[str, str]:
    """Entries that a newcomer can take up a rung, those that others name most first."""
    rungs: dict[str, list[dict[str, Any]]] = {}
    for kind, entry in site.catalog.entries():
        if not isinstance(entry, Work) or (isinstance(entry, MethodEntry) and entry.is_baseline):
            continue
        rung, missing = lint.ahead(site.catalog, kind, entry)
        if rung and missing and rung != "reproduced":
            named = sum(map(len, site.backlinks.get(entry.id, {}).values()))
            folder = f"reproductions/{PLURAL[kind]}/{entry.id}/"
            short = [what.replace(folder, "").replace(" (missing)", "") for what in missing]
            row = {"id": entry.id, "kind": kind, "missing": short, "named": named}
            rungs.setdefault(entry.status, []).append(row)
    groups = [
        (rung, len(rows), sorted(rows, key=lambda row: (-row["named"], row["id"]))[:most])
        for rung, rows in sorted(rungs.items(), key=lambda item: RUNGS.index(item[0]))
    ]
    page = renderer.page("contribute/first.md", "first", groups=groups)
    return "contribute/first.md", page


def api(site: Site, renderer: Renderer) -> tuple[str, str]:
    """What the JSON files hold."""
    words = site.catalog.words
    page = renderer.page(
        "api/index.md", "api", url=site.url, columns=COLUMNS, separator=LIST,
        pillars=[word.id for word in site.catalog.words_of("pillar")],
        word_name=lambda name: words[name].name,
    )  # fmt: skip
    return "api/index.md", page


def hooks(site: Site, renderer: Renderer) -> tuple[str, str]:
    """The hooks reference, from the contract's own docstring."""
    users: dict[str, list[str]] = defaultdict(list)
    for name in sorted(site.catalog.methods):
        module = site.module(name)
        for hook in module.hooks if module else ():
            users[hook.name].append(name)
    rows = [
        {"name": name, "type": type_, "meaning": _sentence(meaning),
         "default": BASELINE_DOES[name], "users": users[name]}
        for name, type_, meaning in read_hooks(site.catalog.root)
        if name in BASELINE_DOES
    ]  # fmt: skip
    flow = figures.flow([str(row["name"]) for row in rows], base("reproduce/hooks.md"))
    return "reproduce/hooks.md", renderer.page("reproduce/hooks.md", "hooks", hooks=rows, flow=flow)


def _sentence(text: str) -> Markup:
    """A line of a docstring: capital first, what stands between backticks as code."""
    parts = (text[:1].upper() + text[1:]).split("`")
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if place % 2 else part
        for place, part in enumerate(parts)
    )
