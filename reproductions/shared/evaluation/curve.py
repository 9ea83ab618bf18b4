"""Accuracy against compute: test-time methods at several budgets, and votes at equal cost.

Each point is one method with one budget on the same questions. For each of them self-consistency
answers as well, with as many votes as cost the same tokens, so that a method is never compared with
less compute than its own. Costs are means a question; the plot has one panel a cost.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from reproductions.shared.decoding.voting import self_consistency
from reproductions.shared.evaluation import plots
from reproductions.shared.evaluation.cards import finite_interval, paired_facts
from reproductions.shared.evaluation.runner import cost_of, evaluate
from reproductions.shared.evaluation.statistics import compare, score_interval
from reproductions.shared.evaluation.strategies import (
    SELF_CONSISTENCY,
    VOTE_TEMPERATURE,
    equal_votes,
)
from reproductions.shared.files import write_json, write_text
from reproductions.shared.inference.answers import CachedGenerator
from reproductions.shared.inference.engine import Generator, Sampling
from reproductions.shared.method import RewardFunction, Sample

KNOBS = ("max_frames", "answers", "rounds", "segments", "width", "frames")
"""What a budget is, in the order of choice: the first that the method's settings have."""
STEPS = (0.25, 0.5, 1.0, 2.0)
"""Default budgets, as multiples of what the preset spends."""
COSTS = {
    "tokens": "tokens a question, read and written",
    "frames": "frames a question, shown to the model",
    "calls": "model calls a question",
    "seconds": "seconds a question",
}
"""Cost -> its axis."""
GREEDY = "greedy"

Decode = Callable[[Sample, Generator], Any]


class CurveError(ValueError):
    """A sweep cannot be made as asked."""


@dataclass(frozen=True)
class Budget:
    """One point that is to be measured.

    Attributes:
        method: Id.
        knob: The setting that is the budget; "" for one greedy answer.
        value: Its value.
        decode: The strategy with this budget.
        key: What tells its answers from those of others: settings and code.
    """

    method: str
    knob: str
    value: int
    decode: Decode
    key: str

    @property
    def name(self) -> str:
        """Name of its file."""
        return f"{self.method}-{self.knob}-{self.value}" if self.knob else self.method


@dataclass(frozen=True)
class Point:
    """What was measured.

    Attributes:
        method: Id.
        knob: The setting that is the budget.
        value: Its value.
        n: Questions.
        score: Share of right answers.
        interval: 95 %, clustered by video.
        tokens: Mean a question, read and written.
        tokens_in: Mean a question, read.
        tokens_out: Mean a question, written.
        frames: Mean a question, shown.
        frames_decoded: Mean a question, decoded.
        calls: Mean a question.
        seconds: Mean a question; what earlier points decoded and encoded is in memory already.
        failed: Questions whose strategy failed; they count as wrong.
        equal_to: For self-consistency, the points whose tokens it was given.
        resumed: Some answers came from an earlier, stopped call, so seconds are too low.
    """

    method: str
    knob: str
    value: int
    n: int
    score: float
    interval: tuple[float, float] | None
    tokens: float
    tokens_in: float
    tokens_out: float
    frames: float
    frames_decoded: float
    calls: float
    seconds: float
    failed: int
    equal_to: tuple[str, ...] = ()
    resumed: bool = False


def knob_of(settings: Mapping[str, Any]) -> str:
    """Which setting is a method's budget.

    Raises:
        CurveError: None of its settings is one.
    """
    for knob in KNOBS:
        if settings.get(knob):
            return knob
    raise CurveError(f"no budget among its settings ({', '.join(KNOBS)}). Leave the method out.")


def default_budgets(value: int, knob: str) -> list[int]:
    """Budgets around the preset's own; frames stay even."""
    unit = 2 if "frames" in knob else 1
    return sorted({max(unit, unit * round(value * step / unit)) for step in STEPS})


def sweep(
    samples: Sequence[Sample],
    budgets: Sequence[Budget],
    score: RewardFunction,
    sampling: Sampling,
    folder: Path,
    *,
    identity: str,
    cached: Callable[[Path, str], CachedGenerator],
    batch: int = 64,
    max_calls: int = 512,
    shown: Callable[[str, int], Any],
) -> dict[str, Any]:
    """Measure all points.

    Args:
        samples: The questions.
        budgets: The points; one greedy answer is measured in any case.
        score: Accuracy with TRL's reward signature.
        sampling: Of one plain answer.
        folder: Takes predictions/, answers/, curve.json, curve.md and curve.svg; what was finished
            there is kept.
        identity: Of model and protocol.
        cached: (folder, name of the point) -> the engine with a journal of its own. Points do not
            share one: an answer that is found again would cost nothing.
        batch: Questions in work at a time.
        max_calls: Model calls a question, at most.
        shown: (name, number of questions) -> context manager with `add`.

    Returns:
        As curve.json.
    """
    if not samples:
        raise CurveError("no questions to ask.")
    warm = replace(sampling, temperature=VOTE_TEMPERATURE)

    def measure(budget: Budget) -> tuple[list[dict[str, Any]], bool]:
        engine = cached(folder / "answers", f"{identity}/{budget.key}")
        before = engine.counts().requests
        try:
            with shown(budget.name, len(samples)) as progress:
                records = evaluate(
                    engine, samples, score, folder / "predictions" / f"{budget.name}.jsonl",
                    sampling, fingerprint=f"{identity}/{budget.key}", batch=batch,
                    decode=budget.decode, max_calls=max_calls, progress=progress.add,
                )  # fmt: skip
        finally:
            hits = engine.counts().hits
            engine.close()
        # Without a new miss the whole point was read from its predictions, seconds and all.
        return records, bool(before and hits)

    def plain(sample: Sample, engine: Generator) -> Any:
        return self_consistency(sample, engine, 1, sampling).text

    def votes(n: int) -> Decode:
        return lambda sample, engine: self_consistency(sample, engine, n, warm)

    measured: dict[str, tuple[Budget, list[dict[str, Any]], bool]] = {}

    def add(budget: Budget) -> list[dict[str, Any]]:
        if budget.name not in measured:
            measured[budget.name] = (budget, *measure(budget))
        return measured[budget.name][1]

    greedy = add(Budget(GREEDY, "", 1, plain, GREEDY))
    equal: dict[str, list[str]] = {}
    partner: dict[str, str] = {}
    for budget in budgets:
        records = add(budget)
        if budget.method != SELF_CONSISTENCY:
            n = equal_votes(greedy, records)
            rival = Budget(SELF_CONSISTENCY, "answers", n, votes(n), f"{SELF_CONSISTENCY}/{n}")
            # The method's own votes are sampled by its preset; these by the baseline's rule.
            rival = replace(rival, method=f"{SELF_CONSISTENCY}_equal")
            add(rival)
            equal.setdefault(rival.name, []).append(budget.name)
            partner[budget.name] = rival.name
    points = [
        _point(budget, records, tuple(equal.get(name, ())), resumed)
        for name, (budget, records, resumed) in measured.items()
    ]
    result = {
        "n": len(samples),
        "videos": len({s.video or s.id for s in samples}),
        "points": [asdict(p) for p in points],
        "comparisons": [
            _compared(name, measured[name][1], rival, measured[rival][1])
            for name, rival in partner.items()
        ],
    }
    write(folder, result)
    return result


def _point(
    budget: Budget, records: Sequence[Mapping[str, Any]], equal_to: tuple[str, ...], resumed: bool
) -> Point:
    n, cost = len(records), cost_of(records)
    found = score_interval(
        [float(r["score"]) for r in records], [str(r["video"] or r["id"]) for r in records]
    )
    mean = {k: round(v / n, 4) for k, v in cost.items()}
    return Point(
        method=budget.method,
        knob=budget.knob,
        value=budget.value,
        n=n,
        score=found.estimate,
        interval=finite_interval(found.low, found.high),
        tokens=round(mean["tokens_in"] + mean["tokens_out"], 4),
        tokens_in=mean["tokens_in"],
        tokens_out=mean["tokens_out"],
        frames=mean["frames"],
        frames_decoded=mean["frames_decoded"],
        calls=mean["calls"],
        seconds=mean["seconds"],
        failed=sum("failure" in r for r in records),
        equal_to=equal_to,
        resumed=resumed,
    )


def _compared(
    name: str,
    records: Sequence[Mapping[str, Any]],
    rival: str,
    votes: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """A point against votes of the same cost, paired by question."""
    test = compare(
        [float(r["score"]) for r in votes],
        [float(r["score"]) for r in records],
        [str(r["video"] or r["id"]) for r in records],
    )
    return {"point": name, "against": rival} | paired_facts(test)


def write(folder: Path, result: Mapping[str, Any]) -> None:
    """Write curve.json, curve.md and curve.svg."""
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "curve.json", dict(result))
    write_text(folder / "curve.md", table(result))
    write_text(folder / "curve.svg", svg(result))


def table(result: Mapping[str, Any]) -> str:
    """All points as a Markdown table, and each against votes of the same cost."""
    rows = [
        f"# Accuracy against compute\n\n{result.get('title', '')}".rstrip(),
        "",
        f"{result['n']} questions about {result['videos']} videos; 95 % intervals; costs are means "
        "a question.",
        "",
        "| method | budget | accuracy | tokens in | tokens out | frames | decoded | calls | s |",
        "|---|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for p in result["points"]:
        ends = (
            " [{:.1f}, {:.1f}]".format(*(100 * e for e in p["interval"])) if p["interval"] else ""
        )
        failed = f", {p['failed']} failed" if p["failed"] else ""
        budget = f"{p['knob']} {p['value']}" if p["knob"] else "one answer"
        seconds = f"{p['seconds']:.3f}{'*' if p['resumed'] else ''}"
        rows.append(
            f"| {p['method']} | {budget} | {100 * p['score']:.1f}{ends}{failed} "
            f"| {p['tokens_in']:.0f} | {p['tokens_out']:.0f} | {p['frames']:.1f} "
            f"| {p['frames_decoded']:.1f} | {p['calls']:.1f} | {seconds} |"
        )
    if any(p["resumed"] for p in result["points"]):
        rows += ["", "\\* resumed: answers of the stopped call are not in the seconds."]
    if result["comparisons"]:
        rows += ["", "## Against self-consistency at equal tokens", ""]
        rows += ["| point | votes | difference | p |", "|---|---|--:|--:|"]
    for c in result["comparisons"]:
        ends = (
            " [{:+.1f}, {:+.1f}]".format(*(100 * e for e in c["interval"])) if c["interval"] else ""
        )
        p_value = "" if c["p_value"] is None else f"{c['p_value']:.3f}"
        rows.append(
            f"| {c['point']} | {c['against']} | {100 * c['difference']:+.1f}{ends} | {p_value} |"
        )
    return "\n".join(rows) + "\n"


STYLE = (
    "svg{color:#1f2328;background:#ffffff;font-family:system-ui,sans-serif}"
    "@media (prefers-color-scheme: dark){svg{color:#e6e9ed;background:#16191d;"
    "--plot-1:#6cb6ff;--plot-2:#f0965a;--plot-3:#4fc3a1;--plot-4:#d99ac9;--plot-5:#cdbf4e;"
    "--plot-6:#b4b4b4}}"
)
"""The file stands alone, so it brings its colours for both schemes."""
LOWEST, HEIGHT = 34.0, 190.0
"""Room for the axis below a panel, and the height of a panel."""


def svg(result: Mapping[str, Any]) -> str:
    """One panel a cost, below each other: accuracy with intervals against the cost, log scale."""
    series: dict[str, list[Mapping[str, Any]]] = {}
    for p in result["points"]:
        series.setdefault(p["method"], []).append(p)
    if len(series) > len(plots.SHAPES):
        raise CurveError(f"{len(series)} methods; six can be told apart. Sweep fewer at a time.")
    legend, top = plots._legend(list(series))
    parts, y = [legend], top + 6
    for cost, label in COSTS.items():
        parts.append(_panel(series, cost, label, y))
        y += HEIGHT
    lines = [
        f"{p['method']} {p['knob']} {p['value']}: {100 * p['score']:.1f} % at "
        f"{p['tokens']:.0f} tokens"
        for p in result["points"]
    ]
    drawn = plots._svg("Accuracy against compute", "; ".join(lines), y, "".join(parts))
    return drawn.replace(">", f"><style>{STYLE}</style>", 1) + "\n"


def _panel(
    series: Mapping[str, Sequence[Mapping[str, Any]]], cost: str, label: str, top: float
) -> str:
    everything = [p for part in series.values() for p in part]
    xs = [math.log10(max(float(p[cost]), 1e-6)) for p in everything]
    low, high = min(xs), max(xs)
    pad = 0.06 * (high - low) or 0.3
    low, high = low - pad, high + pad
    ends = [float(e) for p in everything for e in (p["interval"] or (p["score"], p["score"]))]
    y_low, y_high = max(0.0, min(ends) - 0.02), min(1.0, max(ends) + 0.02)
    left, right, bottom = 44.0, plots.WIDTH - 14.0, top + HEIGHT - LOWEST - 14

    def px(value: float) -> float:
        share = (math.log10(max(value, 1e-6)) - low) / (high - low)
        return left + share * (right - left)

    def py(value: float) -> float:
        return bottom - (value - y_low) / (y_high - y_low) * (bottom - top - 8)

    parts = []
    for tick in plots.ticks(y_low, y_high):
        parts += [plots._rule(left, py(tick), right, py(tick)),
                  plots._text(left - 6, py(tick) + 4, f"{100 * tick:.0f} %", "end")]  # fmt: skip
    for tick in _decades(10**low, 10**high):
        parts += [plots._rule(px(tick), bottom, px(tick), bottom + 3, 0.5),
                  plots._text(px(tick), bottom + 15, _short(tick), "middle")]  # fmt: skip
    parts.append(plots._rule(left, bottom, right, bottom, 0.5))
    parts.append(plots._text((left + right) / 2, bottom + 31, label, "middle"))
    for i, part in enumerate(series.values()):
        ordered = sorted(part, key=lambda p: float(p[cost]))
        curve = [(px(p[cost]), py(p["score"])) for p in ordered]
        colour = f"stroke:var(--plot-{i + 1},{plots.COLOURS[i]})"
        for (x, _), p in zip(curve, ordered, strict=True):
            if p["interval"]:
                a, b = (py(e) for e in p["interval"])
                parts.append(
                    f'<line x1="{x:.1f}" y1="{a:.1f}" x2="{x:.1f}" y2="{b:.1f}" '
                    f'style="{colour}" stroke-opacity="0.45"/>'
                )
        parts.append(plots._polyline(curve, i, 1.5, 0.9))
        parts += [plots._marker(x, y, i, 3.2) for x, y in curve]
    return "".join(parts)


def _decades(low: float, high: float) -> list[float]:
    """Tick positions 1, 2 and 5 times powers of ten; fewer where there would be many."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    for steps in ((1, 2, 5), (1, 3), (1,)):
        found = [m * 10.0**e for e in range(first, last + 1) for m in steps]
        found = [t for t in found if low <= t <= high]
        if len(found) <= 8:
            return found
    return found


def _short(value: float) -> str:
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"


def read_budgets(text: str) -> dict[str, list[int]]:
    """Budgets of the command line: "8,16,32" for all methods, or "tcot=8,16;video_rts=16".

    Raises:
        CurveError: It is not written so.
    """
    found: dict[str, list[int]] = {}
    for part in filter(None, text.replace(" ", "").split(";")):
        name, _, numbers = part.rpartition("=")
        try:
            values = sorted({int(n) for n in numbers.split(",")})
        except ValueError:
            values = []
        if not values or values[0] < 1:
            raise CurveError(
                f"--budgets {part}: write whole numbers from 1, 8,16,32 for all methods or "
                "tcot=8,16;video_rts=16."
            )
        found[name.replace("-", "_")] = values
    return found


def load(folder: Path) -> dict[str, Any]:
    """Read curve.json again."""
    found: dict[str, Any] = json.loads((folder / "curve.json").read_text(encoding="utf-8"))
    return found
