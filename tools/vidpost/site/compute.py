"""Accuracy against compute: what test-time methods buy and what it costs, from result cards.

Only what one model answered to the same questions under the same protocol shares a picture.
Miniatures never stand beside measurements of published models.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from vidpost.catalog.models import MethodEntry, ResultCard, Score
from vidpost.site import figures
from vidpost.site.context import Site, protocol
from vidpost.site.render import Renderer

GREEDY = "decode"
"""The baseline of test-time methods: one greedy answer."""
VOTES = "self_consistency"
COSTS = ("calls", "tokens_in", "tokens_out", "frames", "frames_decoded", "seconds")
AXES = {
    "Tokens a question, read and written": ("tokens_in", "tokens_out"),
    "Model calls a question": ("calls",),
    "Frames a question, encoded": ("frames",),
    "Frames a question, decoded": ("frames_decoded",),
    "Seconds a question": ("seconds",),
}
"""Title of a picture -> the costs that are added up along it."""


@dataclass(frozen=True)
class Point:
    """A method under one protocol: its score, and what an answer costs on average.

    Attributes:
        method: Id.
        equal_to: For votes that cost as much as another method, that method; else "".
        card: Key of the card that says so.
        seeds: Number of runs.
        n: Questions of all of them.
        score: Mean over them.
        ends: Lowest and highest score of a run.
        interval: The card's interval, if the card is about this method.
        cost: Of `COSTS`, a question; None where the card does not say.
    """

    method: str
    equal_to: str
    card: str
    seeds: int
    n: int
    score: float
    ends: tuple[float, float]
    interval: tuple[float, float] | None
    cost: dict[str, float | None]

    def along(self, axis: str) -> float | None:
        """Where the point stands on an axis; None if the card does not say."""
        parts = [self.cost[name] for name in AXES[axis]]
        known = [part for part in parts if part is not None]
        return sum(known) if len(known) == len(parts) else None


@dataclass(frozen=True)
class Group:
    """Points that may share a picture.

    Attributes:
        title: Benchmark, task, metric and protocol.
        facts: What all of them have in common: model, engine, protocol, device.
        points: Cheapest first.
        plots: One picture for each cost that the cards state.
    """

    title: str
    facts: str
    points: list[Point]
    plots: list[Any]


def is_test_time(entry: MethodEntry | None) -> bool:
    """Whether a method spends compute when answering, or is what such methods start from."""
    return entry is not None and (entry.id == GREEDY or "tts" in entry.pillars)


Rows = dict[tuple[str, str], list[Score]]
"""(method, the method that votes cost as much as, or "") -> its runs."""


def runs(card: ResultCard) -> Rows:
    """What a card says about accuracy and cost: of its method, its baseline, and votes as costly.

    Rows of a claim are "<method>, seed <n>"; those of a run are "<stage>+<method>", or the stage
    for its one greedy answer.
    """
    rows: Rows = {}
    for row in card.scores:
        if row.cost is None or row.task != card.task:
            continue
        name = re.sub(r", seed \d+$", "", row.name)
        if "+" in name:
            name = name.partition("+")[2]
        elif name == card.checkpoint.stage:
            name = GREEDY
        elif name == row.name:
            continue  # an earlier checkpoint: another model
        votes = name.startswith(VOTES) and card.method != VOTES
        method = VOTES if votes else name
        rows.setdefault((method, card.method if votes else ""), []).append(row)
    if not rows:
        whole = Score(name=card.method, task=card.task, n=card.n, score=card.score, cost=card.cost)
        rows[card.method, ""] = [whole]
    return rows


def points(cards: dict[str, ResultCard]) -> list[Point]:
    """The points of one card, or of the runs of one method with different seeds."""
    rows: Rows = {}
    for card in cards.values():
        for who, found in runs(card).items():
            rows.setdefault(who, []).extend(found)
    key, first = next(iter(cards.items()))
    return [
        Point(
            method=method,
            equal_to=equal_to,
            card=key,
            seeds=len(found),
            n=sum(row.n for row in found),
            score=fmean(row.score for row in found),
            ends=(min(row.score for row in found), max(row.score for row in found)),
            interval=first.interval if method == first.method and len(cards) == 1 else None,
            cost={name: _each(name, found) for name in COSTS},
        )
        for (method, equal_to), found in rows.items()
    ]


def _each(name: str, found: list[Score]) -> float | None:
    """A cost a question; None if one of the runs does not say."""
    values = [getattr(row.cost, name) for row in found]
    return None if None in values else sum(values) / sum(row.n for row in found)


def _together(cards: dict[str, ResultCard]) -> list[dict[str, ResultCard]]:
    """Cards one by one, but runs that differ in nothing but one seed each as one."""
    found: dict[str, dict[str, ResultCard]] = {}
    for key, card in sorted(cards.items(), key=lambda item: (item[1].date, item[0])):
        overrides = {k: v for k, v in card.overrides.items() if k != "seed"}
        run = f"{card.method}/{card.preset}/{overrides}"
        run = run if len(card.seeds) == 1 else key
        same = found.setdefault(run, {})
        # The newest of the runs with a seed counts.
        for old in [k for k, c in same.items() if c.seeds == card.seeds]:
            del same[old]
        same[key] = card
    return list(found.values())


def groups(site: Site, kind: str) -> list[Group]:
    """The cards of a kind, by what may share a picture; those with most methods first.

    A method that several cards of a group name counts once, as those with most seeds have it.
    The single runs behind a card over several seeds are left to the method's page.
    """
    shared: dict[tuple[Any, ...], dict[str, ResultCard]] = {}
    # Cards of a variant compare two sets of rules for one method, not methods.
    cards_of = {k: card for k, card in site.cards(kind=kind).items() if card.variant == "paper"}
    over_seeds = {card.method for card in cards_of.values() if len(card.seeds) > 1}
    for key, card in cards_of.items():
        if len(card.seeds) == 1 and card.method in over_seeds:
            continue
        if is_test_time(site.catalog.methods.get(card.method)):
            asked = (card.benchmark, card.benchmark_revision, card.task, card.metric)
            same = (*asked, card.fingerprint, card.model or "", card.engine or "")
            shared.setdefault(same, {})[key] = card
    found = []
    for same, cards in sorted(shared.items()):
        best: dict[tuple[str, str], Point] = {}
        own: set[str] = set()
        for part in _together(cards):
            for point in points(part):
                old = best.get((point.method, point.equal_to))
                # Of cards with as many seeds the method's own counts, then the newest.
                mine = point.method == part[point.card].method
                if old is None or (point.seeds, mine) >= (old.seeds, old.method in own):
                    best[point.method, point.equal_to] = point
                    own |= {point.method} if mine else set()
        if len(best) < 2:
            continue
        found.append(_group(site, same, list(cards.values()), list(best.values())))
    return sorted(found, key=lambda group: -len(group.points))


def _group(site: Site, same: tuple[Any, ...], cards: list[ResultCard], found: list[Point]) -> Group:
    benchmark, revision, task, metric, print_, model, engine = same
    names = {"metric": metric, "benchmark": benchmark}
    for kind in names:
        entry = site.entry(names[kind])
        names[kind] = entry.name if entry else names[kind]
    if benchmark == "synthetic":
        names["benchmark"] = "synthetic clips"
    asked = names["benchmark"] if task == "all" else f"{names['benchmark']}: {task}"
    devices = sorted({f"{card.hardware.device}" for card in cards})
    facts = [f"model {model}" if model else "", f"engine {engine}" if engine else "",
             protocol(cards[0]), f"questions {revision}", f"protocol {print_}",
             "; ".join(devices)]  # fmt: skip
    found.sort(key=lambda point: (point.along(next(iter(AXES))) or 0.0, point.method))
    title = f"{names['metric']} on {asked}"
    plots = []
    for axis in AXES:
        drawn = [
            figures.Spot(_name(site, point), point.score, point.ends, cost, _look(point))
            for point in found
            if (cost := point.along(axis)) is not None
        ]
        if len(drawn) > 1 and len({spot.cost for spot in drawn}) > 1:
            plots.append(figures.compute(title, axis, drawn))
    return Group(title, ", ".join(filter(None, facts)), found, plots)


def _name(site: Site, point: Point) -> str:
    """What stands beside a point; votes as costly as a method stay without a name."""
    entry = site.catalog.methods.get(point.method)
    return "" if point.equal_to else (entry.name if entry else point.method).partition(" (")[0]


def _look(point: Point) -> str:
    return "greedy" if point.method == GREEDY else "votes" if point.method == VOTES else "method"


def page(site: Site, renderer: Renderer) -> tuple[str, str]:
    """The page of pictures and tables, with the methods that have no card yet."""
    shown = {kind: groups(site, kind) for kind in ("reproduction", "miniature")}
    done = {p.method for kind in shown.values() for group in kind for p in group.points}
    open_ = [
        name
        for name, entry in sorted(site.catalog.methods.items())
        if is_test_time(entry) and name not in done and site.preset(entry, "mini") is not None
    ]
    return "compute.md", renderer.page(
        "compute.md", "compute", measured=shown["reproduction"], miniatures=shown["miniature"],
        missing=open_, ask=[name for name in open_ if site.catalog.methods[name].claims][:1],
    )  # fmt: skip
