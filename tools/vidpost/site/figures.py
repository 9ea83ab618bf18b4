"""Figures as inline SVG: readable in both schemes, with the same content as text below them.

Colours come from the style sheet's classes and `currentColor`; series differ in shape as well as in
colour. Points of different protocols are never joined or drawn on one axis.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count

from markupsafe import Markup

from vidpost.site.text import escape, number

_WIDTH = 720


def _svg(
    title: str, desc: str, width: float, height: float, body: Sequence[str], role: str = "img"
) -> str:
    return (
        f'<svg class="figure" role="{role}" aria-label="{escape(title)}" '
        f'viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}">'
        f"<title>{escape(title)}</title><desc>{escape(desc)}</desc>{''.join(body)}</svg>"
    )


def _figure(svg: str, caption: str, table: str, summary: str) -> Markup:
    """A figure with its caption and the same numbers in a table that can be opened."""
    return Markup(
        f'<figure class="plot"><div class="scroll" role="region" tabindex="0" '
        f'aria-label="{escape(caption)}">{svg}</div><figcaption>{escape(caption)}</figcaption>\n'
        f"<details><summary>{escape(summary)}</summary>{table}</details></figure>"
    )


def _table(caption: str, head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    header = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in head)
    body = "".join(
        f'<tr><th scope="row">{escape(first)}</th>'
        + "".join(f'<td class="num">{escape(cell)}</td>' for cell in rest)
        + "</tr>"
        for first, *rest in rows
    )
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{escape(caption)}">'
        f'<table class="plain"><caption>{escape(caption)}</caption>'
        f"<thead><tr>{header}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _text(x: float, y: float, text: object, css: str = "", anchor: str = "start") -> str:
    place = "" if anchor == "start" else f' text-anchor="{anchor}"'
    css = f' class="{css}"' if css else ""
    return f'<text x="{x:g}" y="{y:g}"{css}{place}>{escape(text)}</text>'


# --- the pipeline of Figure 1, in our own drawing -------------------------------------------

_BOXES = (
    # x, y, width, text lines, class, taxonomy word
    (10, 40, 140, ("Language model,", "encoders"), "model", ""),
    (10, 150, 140, ("Modality", "integration"), "stage", "sft_modality_integration"),
    (10, 260, 140, ("Video-LMM",), "model", ""),
    (195, 95, 115, ("Instruction", "tuning"), "stage", "sft_instruction_tuning"),
    (195, 178, 115, ("Domain", "adaptation"), "stage", "sft_domain_adaptation"),
    (332, 95, 115, ("Instructed", "Video-LMM"), "model", ""),
    (469, 95, 115, ("RL for", "alignment"), "stage", "rl_alignment"),
    (606, 95, 109, ("Aligned", "Video-LMM"), "model", ""),
    (195, 260, 115, ("Cold-start", "fine-tuning"), "focus", "sft_cot_reasoning"),
    (332, 260, 115, ("Cold-started", "Video-LMM"), "model", ""),
    (469, 260, 115, ("RL for video", "reasoning"), "focus", "rl"),
    (606, 260, 109, ("Reinforced", "Video-LMM"), "focus model", "rl_reinforced_video_lmms"),
    (332, 368, 383, ("Test-time scaling",), "focus", "tts"),
)  # fmt: skip

_ARROWS = (
    # solid: the usual way; dashed: an alternative
    ("M80 96V148", ""), ("M80 206V258", ""),
    ("M150 288H193", ""), ("M172 288V123H193", ""), ("M252 178V153", "dashed"),
    ("M172 206H193", "dashed"),
    ("M310 123H330", ""), ("M447 123H467", ""), ("M584 123H604", ""),
    ("M310 288H330", ""), ("M447 288H467", ""), ("M584 288H604", ""),
    ("M110 260V244H526V258", "dashed"),
    ("M660 316V366", ""), ("M389 316V366", "dashed"),
    ("M389 151V206H730", "dashed end"), ("M715 123H730V396H717", "dashed"),
)  # fmt: skip

PIPELINE_TEXT = (
    "A pretrained language model and encoders for picture (and sound) are joined by modality "
    "integration into a Video-LMM. The upper way leads, if need be through domain adaptation, to "
    "instruction tuning and an instructed Video-LMM, then through RL for alignment to an aligned "
    "one. The lower way leads through cold-start fine-tuning to a cold-started Video-LMM and "
    "through RL for video reasoning to a reinforced one, which test-time scaling lets think "
    "longer. Dashed: RL for video reasoning straight from the Video-LMM, without a cold start, and "
    "test-time scaling on instructed, aligned or cold-started models. The survey's focus is "
    "filled: cold start, RL for video reasoning, the reinforced model, test-time scaling."
)


def pipeline(base: str, known: frozenset[str]) -> Markup:
    """The training pipeline, each box a link where the taxonomy has its word.

    Args:
        base: Way from the page to the site's root.
        known: Addresses that exist.
    """
    body = [
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" class="tip"/></marker></defs>'
    ]
    for path, kind in _ARROWS:
        tip = "" if kind.endswith("end") else ' marker-end="url(#tip)"'
        body.append(f'<path d="{path}" class="arrow {kind}"{tip}/>')
    for x, y, width, lines, css, word in _BOXES:
        target = f"taxonomy/{word}/"
        radius = 6 if "model" in css else 28
        box = f'<rect x="{x}" y="{y}" width="{width}" height="56" rx="{radius}" class="box {css}"/>'
        top = y + 33 - 9 * (len(lines) - 1)
        box += "".join(
            _text(x + width / 2, top + 18 * i, line, "label", "middle")
            for i, line in enumerate(lines)
        )
        body.append(f'<a href="{base}{target}">{box}</a>' if target in known else box)
    key = "round: a step · square: a model · filled: the survey's focus · dashed: also done"
    body.append(_text(10, 20, key, "axis"))
    svg = _svg(
        "From pretrained parts to a reasoning Video-LMM", PIPELINE_TEXT, 740, 436, body, "group"
    )
    return Markup(
        '<figure class="plot"><div class="scroll" role="region" tabindex="0" '
        f'aria-label="Pipeline">{svg}</div>'
        "<figcaption>Post-training of video models, redrawn after Figure 1 of the survey"
        "</figcaption>\n"
        f"<details><summary>The picture in words</summary><p>{escape(PIPELINE_TEXT)}</p></details>"
        "</figure>"
    )


# --- plots of the catalogue -----------------------------------------------------------------


def months(counts: dict[str, dict[str, int]]) -> Markup:
    """Works a month, stacked by kind.

    Args:
        counts: Month ("2025-03") -> kind of work -> number of works.
    """
    first, last = min(counts), max(counts)
    start = max(first, f"{int(last[:4]) - 3}-01")
    year, month = int(start[:4]), int(start[5:])
    names = []
    for _ in count():
        names.append(f"{year}-{month:02d}")
        if names[-1] >= last:
            break
        year, month = (year, month + 1) if month < 12 else (year + 1, 1)
    early = sum(sum(row.values()) for name, row in counts.items() if name < start)
    kinds = ("method", "benchmark", "dataset")
    tallest = max(sum(counts.get(name, {}).values()) for name in names) or 1
    step = (_WIDTH - 50) / len(names)
    scale = 170 / tallest
    body = []
    for tick in sorted({tallest, tallest // 2, 0}):
        y = 200 - tick * scale
        body.append(f'<path d="M40 {y:.1f}H{_WIDTH - 8}" class="grid"/>')
        body.append(_text(34, y + 4, tick, "axis", "end"))
    for i, name in enumerate(names):
        y = 200.0
        for kind in kinds:
            n = counts.get(name, {}).get(kind, 0)
            if n:
                y -= n * scale
                body.append(
                    f'<rect x="{42 + i * step:.1f}" y="{y:.1f}" width="{max(step - 2, 1):.1f}" '
                    f'height="{n * scale:.1f}" class="fill-{kind}"><title>{name}: {n} '
                    f"{kind}{'s' if n > 1 else ''}</title></rect>"
                )
        if name.endswith("-01") or i == 0:
            body.append(_text(42 + i * step, 218, name[:4], "axis"))
    for i, kind in enumerate(kinds):
        body.append(f'<rect x="{44 + i * 130}" y="4" width="11" height="11" class="fill-{kind}"/>')
        label = {"method": "methods", "benchmark": "benchmarks", "dataset": "data sets"}[kind]
        body.append(_text(60 + i * 130, 14, label, "axis"))
    rows = [(name, *(counts[name].get(kind, 0) for kind in kinds)) for name in sorted(counts)]
    caption = "Works by the month of their first arXiv version"
    if early:
        caption += f"; {early} before {start[:4]} are only in the table and the list"
    svg = _svg("Works by month", caption, _WIDTH, 226, body)
    head = ("Month", "Methods", "Benchmarks", "Data sets")
    return _figure(svg, caption, _table(caption, head, rows), "The numbers")


def _scale(
    values: Sequence[float], left: float, right: float
) -> tuple[float, float, Callable[[float], float]]:
    """An axis with some room at both ends: (lowest, highest, value -> place along it)."""
    low, high = min(values), max(values)
    pad = (high - low) * 0.08 or max(abs(high) * 0.05, 1e-6)
    low, high = low - pad, high + pad
    return low, high, lambda value: left + (value - low) / (high - low) * (right - left)


def dots(title: str, unit: str, rows: Sequence[tuple[str, float, str]]) -> Markup:
    """One board: a dot for each model, best first. The numbers are in the table that follows.

    Args:
        title: What the board is.
        unit: Unit of the values.
        rows: (model, value, method's name), in any order; drawn from the largest down.
    """
    rows = sorted(rows, key=lambda row: -row[1])[:25]
    width, left, right = 380, 182, 338  # as narrow as a phone
    low, high, place = _scale([value for _, value, _ in rows], left, right)
    body = []
    height = 22 * len(rows) + 34
    for value in _steps(low, high):
        body.append(f'<path d="M{place(value):.1f} 6V{height - 24}" class="grid"/>')
        body.append(_text(place(value), height - 8, f"{value:.3g}", "axis", "middle"))
    for i, (model, value, _) in enumerate(rows):
        y = 20 + 22 * i
        name = model if len(model) <= 22 else f"{model[:21]}…"
        body.append(_text(left - 8, y + 4, name, "label small", "end"))
        body.append(f'<circle cx="{place(value):.1f}" cy="{y}" r="5" class="fill-method"/>')
        body.append(_text(place(value) + 9, y + 4, number(value), "axis"))
    desc = f"{len(rows)} models, {unit}; axis from {low:.3g} to {high:.3g}"
    svg = _svg(title, desc, width, height, body)
    note = "" if low <= 0 else "; the axis does not start at zero"
    return Markup(
        f'<figure class="plot narrow"><div class="scroll" role="region" tabindex="0" '
        f'aria-label="{escape(title)}">{svg}</div>'
        f"<figcaption>{escape(title + note)}</figcaption></figure>"
    )


def against(
    title: str, unit: str, rows: Sequence[tuple[str, float, float, float, float, str]]
) -> Markup:
    """Reported against measured under one protocol: a ring and a dot with its interval a row.

    Args:
        title: Benchmark, metric and protocol.
        unit: Unit of the values.
        rows: (method, reported, measured, low, high, where the reported number stands).
    """
    left, right, height = 200, _WIDTH - 40, 30 * len(rows) + 58
    low, high, place = _scale([value for row in rows for value in row[1:5]], left, right)
    body = [
        f'<circle cx="{left + 6}" cy="10" r="5" class="ring"/>',
        _text(left + 18, 14, "reported by the authors", "axis"),
        f'<circle cx="{left + 206}" cy="10" r="5" class="fill-method"/>',
        _text(left + 218, 14, "measured here, with its interval", "axis"),
    ]
    for value in _steps(low, high):
        body.append(f'<path d="M{place(value):.1f} 26V{height - 24}" class="grid"/>')
        body.append(_text(place(value), height - 8, f"{value:.3g}", "axis", "middle"))
    for i, (name, reported, measured, bottom, top, _) in enumerate(rows):
        y = 44 + 30 * i
        shown = name if len(name) <= 26 else f"{name[:25]}…"
        body.append(_text(left - 12, y + 4, shown, "label small", "end"))
        body.append(f'<path d="M{place(bottom):.1f} {y}H{place(top):.1f}" class="whisker"/>')
        body.append(f'<circle cx="{place(measured):.1f}" cy="{y}" r="5" class="fill-method"/>')
        body.append(f'<circle cx="{place(reported):.1f}" cy="{y}" r="6" class="ring"/>')
    desc = f"{len(rows)} methods, {unit}; axis from {low:.3g} to {high:.3g}"
    head = ("Method", "Reported", "Measured", "From", "To", "Source of the reported number")
    cells = [(row[0], *(number(v) for v in row[1:5]), row[5]) for row in rows]
    note = "" if low <= 0 else "; the axis does not start at zero"
    svg = _svg(title, desc, _WIDTH, height, body)
    return _figure(svg, title + note, _table(title, head, cells), "The numbers")


def years(title: str, unit: str, points: Sequence[tuple[str, float, str]]) -> Markup:
    """Values over time under one protocol, points not joined.

    Args:
        title: Benchmark, metric and protocol.
        unit: Unit of the values.
        points: (month "2025-03", value, model).
    """
    places = [int(m[:4]) + (int(m[5:]) - 0.5) / 12 for m, _, _ in points]
    values = [value for _, value, _ in points]
    x0, x1 = min(places) - 0.05, max(places) + 0.05
    low, high = min(values), max(values)
    pad = (high - low) * 0.12 or 1.0
    low, high = low - pad, high + pad

    def at(x: float, value: float) -> tuple[float, float]:
        return 50 + (x - x0) / (x1 - x0) * (_WIDTH - 80), 210 - (value - low) / (high - low) * 190

    body = []
    for value in _steps(low, high):
        _, y = at(x0, value)
        body.append(f'<path d="M50 {y:.1f}H{_WIDTH - 20}" class="grid"/>')
        body.append(_text(44, y + 4, f"{value:.3g}", "axis", "end"))
    seen = sorted({m for m, _, _ in points})
    for name in seen[:: max(1, len(seen) // 8)]:
        x, _ = at(int(name[:4]) + (int(name[5:]) - 0.5) / 12, low)
        body.append(_text(x, 230, name, "axis", "middle"))
    for x, (_, value, model) in zip(places, points, strict=True):
        cx, cy = at(x, value)
        body.append(
            f'<circle cx="{cx:.1f}" cy="{cy:.1f}" r="5" class="fill-method">'
            f"<title>{escape(model)}: {number(value)}</title></circle>"
        )
    svg = _svg(title, f"{len(points)} numbers, {unit}, by month of the paper", _WIDTH, 238, body)
    rows = [(model, m, number(v)) for m, v, model in sorted(points)]
    return _figure(svg, title, _table(title, ("Model", "Month", unit), rows), "The numbers")


@dataclass(frozen=True)
class Span:
    """A difference with its interval.

    Attributes:
        name: Beside the line.
        value: The difference.
        ends: Its interval.
        look: "supported", "not-supported" or "undecided".
    """

    name: str
    value: float
    ends: tuple[float, float]
    look: str


MARKS = {
    "supported": '<circle cx="{x:.1f}" cy="{y:.1f}" r="5" class="verdict-supported">{title}'
    "</circle>",
    "not-supported": '<path d="M{x:.1f} {y:.1f}m-4.5 -4.5h9v9h-9z" class="verdict-not-supported">'
    "{title}</path>",
    "undecided": '<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5" class="box verdict-undecided">{title}'
    "</circle>",
}
"""Verdicts differ in shape: a dot, a square, a ring."""


def forest(title: str, axis: str, spans: Sequence[Span]) -> Markup:
    """Differences with their intervals on one axis, a line each, and zero marked.

    As narrow as a phone, so that nobody has to scroll from a name to its line.

    Args:
        title: What was tested.
        axis: What the axis is.
        spans: From top to bottom.
    """
    width, left, right, top, step = 380, 178, 368, 34, 22
    bottom = top + step * len(spans)
    reach = max(abs(end) for span in spans for end in (*span.ends, span.value)) or 1.0
    reach *= 1.05

    def at(value: float) -> float:
        return left + (value + reach) / (2 * reach) * (right - left)

    body = []
    for x, look in zip((8, 100, 220), MARKS, strict=True):
        body.append(MARKS[look].format(x=x, y=10, title=""))
        body.append(_text(x + 10, 14, look.replace("-", " "), "axis"))
    for value in _steps(-reach, reach):
        look = "arrow" if value == 0 else "grid"
        body.append(f'<path d="M{at(value):.1f} {top - 6}V{bottom}" class="{look}"/>')
        body.append(_text(round(at(value), 1), bottom + 18, f"{value:+.3g}", "axis", "middle"))
    for i, span in enumerate(spans):
        y = top + step * i + step / 2
        low, high = (at(end) for end in span.ends)
        name = span.name if len(span.name) <= 25 else f"{span.name[:24]}…"
        hint = f"{span.name}: {span.value:+.3f} [{span.ends[0]:+.3f}, {span.ends[1]:+.3f}]"
        body.append(_text(left - 8, round(y + 4, 1), name, "axis", "end"))
        body.append(f'<path d="M{low:.1f} {y:.1f}H{high:.1f}" class="span"/>')
        told = f"<title>{escape(hint)}</title>"
        body.append(MARKS[span.look].format(x=at(span.value), y=y, title=told))
    desc = f"{len(spans)} differences; the table below has the numbers"
    svg = _svg(title, desc, width, bottom + 26, body)
    return Markup(
        f'<figure class="plot narrow"><div class="scroll" role="region" tabindex="0" '
        f'aria-label="{escape(title)}">{svg}</div>'
        f"<figcaption>{escape(axis)}</figcaption></figure>"
    )


@dataclass(frozen=True)
class Spot:
    """A point of accuracy against compute.

    Attributes:
        name: Beside the point; "" for none.
        score: Its height.
        ends: Lowest and highest score of a run.
        cost: Its place along the axis, above zero.
        look: "method", "greedy" or "votes": the shape.
    """

    name: str
    score: float
    ends: tuple[float, float]
    cost: float
    look: str


SHAPES = {
    "method": '<circle cx="{x:.1f}" cy="{y:.1f}" r="5" class="fill-method">{title}</circle>',
    "votes": '<path d="M{x:.1f} {y:.1f}m0 -5.5l5.5 5.5l-5.5 5.5l-5.5 -5.5z" class="ring">'
    "{title}</path>",
    "greedy": '<path d="M{x:.1f} {y:.1f}m-5 -5h10v10h-10z" class="fill-benchmark">{title}</path>',
}
LOOKS = {"greedy": "one greedy answer", "method": "a method",
         "votes": "votes for as many tokens as a method"}  # fmt: skip


def compute(title: str, axis: str, spots: Sequence[Spot]) -> Markup:
    """Accuracy against one cost on a logarithmic axis; lines span the runs of several seeds.

    Args:
        title: What was measured on what.
        axis: The cost.
        spots: The points, in any order.
    """
    left, right, top, bottom = 50, _WIDTH - 20, 34, 330
    spots = [s for s in spots if s.cost > 0]
    x0, x1 = (math.log10(f(s.cost for s in spots)) for f in (min, max))
    x0, x1 = x0 - 0.06 * (x1 - x0) - 0.02, x1 + 0.16 * (x1 - x0) + 0.02  # room for the last name
    low, high = min(s.ends[0] for s in spots), max(s.ends[1] for s in spots)
    pad = (high - low) * 0.08 or 0.05
    low, high = low - pad, high + pad

    def at(cost: float, score: float) -> tuple[float, float]:
        return (
            left + (math.log10(cost) - x0) / (x1 - x0) * (right - left),
            bottom - (score - low) / (high - low) * (bottom - top),
        )

    body = []
    for value in _steps(low, high):
        _, y = at(10**x0, value)
        body.append(f'<path d="M{left} {y:.1f}H{right}" class="grid"/>')
        body.append(_text(left - 6, round(y + 4, 1), f"{value:.3g}", "axis", "end"))
    for tick in _ticks(x0, x1):
        x, _ = at(tick, low)
        body.append(f'<path d="M{x:.1f} {top}V{bottom}" class="grid"/>')
        body.append(_text(round(x, 1), bottom + 18, f"{tick:,.10g}", "axis", "middle"))
    body.append(_text(right, bottom + 36, f"{axis} (logarithmic)", "axis", "end"))
    x = float(left)
    for look in (each for each in LOOKS if any(s.look == each for s in spots)):
        body.append(SHAPES[look].format(x=x + 6, y=12, title=""))
        body.append(_text(x + 18, 16, LOOKS[look], "axis"))
        x += 40 + 6.2 * len(LOOKS[look])
    places = [at(s.cost, s.score) for s in spots]
    taken: list[tuple[Box, int]] = [((x - 6, y - 6, x + 6, y + 6), 10) for x, y in places]
    for spot in spots:
        x, y = at(spot.cost, spot.score)
        if spot.ends[0] < spot.ends[1]:
            ends = [at(spot.cost, end)[1] for end in spot.ends]
            taken.append(((x - 2, ends[1], x + 2, ends[0]), 2))
            body.append('<path d="M{:.1f} {:.1f}V{:.1f}" class="span"/>'.format(x, *ends))
        hint = f"{spot.name or LOOKS[spot.look]}: {spot.score:.3f} at {spot.cost:,.4g}"
        shape = SHAPES[spot.look].format(x=x, y=y, title=f"<title>{escape(hint)}</title>")
        body.append(shape)
    for spot in sorted(spots, key=lambda s: -s.score):
        if spot.name:
            name = spot.name if len(spot.name) <= 28 else f"{spot.name[:27]}…"
            x, y, anchor = _room(*at(spot.cost, spot.score), 6.4 * len(name), taken)
            body.append(_text(round(x, 1), round(y + 4, 1), name, "axis", anchor))
    desc = f"{len(spots)} points; {axis.lower()}; the table below has the numbers"
    svg = _svg(f"{title}, against {axis.lower()}", desc, _WIDTH, bottom + 44, body)
    start = "" if low <= 0 else "; the upright axis does not start at zero"
    caption = f"{title}, against {axis[0].lower()}{axis[1:]}{start}"
    return Markup(
        f'<figure class="plot"><div class="scroll" role="region" tabindex="0" '
        f'aria-label="{escape(caption)}">{svg}</div>'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def _steps(low: float, high: float) -> list[float]:
    """Three to seven round values between two: multiples of 1, 2 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10((high - low) / 4))
    step = next(m * power for m in (1, 2, 5, 10) if m * power * 6 >= high - low)
    first, last = math.ceil(low / step), math.floor(high / step)
    return [round(i * step, 12) for i in range(first, last + 1)]


def _ticks(low: float, high: float) -> list[float]:
    """1, 2 and 5 times powers of ten between two logarithms; only the powers if they are many."""
    powers = range(math.floor(low), math.ceil(high) + 1)
    every = [m * 10.0**p for p in powers for m in (1, 2, 5)]
    inside = [tick for tick in every if low <= math.log10(tick) <= high]
    return inside if len(inside) <= 8 else [t for t in inside if f"{t:e}"[0] == "1"]


Box = tuple[float, float, float, float]
"""Left, top, right, bottom."""


def _room(
    x: float, y: float, width: float, taken: list[tuple[Box, int]]
) -> tuple[float, float, str]:
    """The freest place for a name near a point, which is then taken: (x, y, anchor).

    Args:
        x: The point.
        y: The point.
        width: Of the name.
        taken: Boxes and how bad it is to cover them.
    """
    best: tuple[int, Box, tuple[float, float, str]] | None = None
    for step in (0, -13, 13, -26, 26, -39, 39):
        for side, anchor in ((9.0, "start"), (-9.0, "end")):
            left = x + side - (width if anchor == "end" else 0)
            box = (left, y + step - 6, left + width, y + step + 6)
            bad = sum(
                weight for b, weight in taken
                if box[0] < b[2] and b[0] < box[2] and box[1] < b[3] and b[1] < box[3]
            )  # fmt: skip
            bad += 100 if box[0] < 52 or box[2] > _WIDTH else 0
            if best is None or bad < best[0]:
                best = bad, box, (x + side, y + step, anchor)
    assert best is not None
    taken.append((best[1], 10))
    return best[2]


def grid(
    title: str,
    rows: Sequence[tuple[str, str]],
    columns: Sequence[tuple[str, str]],
    filled: dict[tuple[str, str], int],
    base: str,
) -> Markup:
    """A table whose cells are filled where something is: it reads as a picture and as a table.

    Args:
        title: Caption.
        rows: (address below the root, name) of each row.
        columns: (address below the root, name) of each column.
        filled: (row name, column name) -> how many; absent cells are empty.
        base: Way from the page to the site's root.
    """
    head = "".join(
        f'<th scope="col"><a href="{base}{path}"><span>{escape(name)}</span></a></th>'
        for path, name in columns
    )
    body = "".join(
        f'<tr><th scope="row"><a href="{base}{path}">{escape(name)}</a></th>'
        + "".join(
            f'<td class="on">{n}</td>' if (n := filled.get((name, column))) else "<td></td>"
            for _, column in columns
        )
        + "</tr>"
        for path, name in rows
    )
    return Markup(
        f'<div class="scroll" role="region" tabindex="0" aria-label="{escape(title)}">'
        f'<table class="grid-table"><caption>{escape(title)}</caption>'
        f"<thead><tr><td></td>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def flow(hooks: Sequence[str], base: str) -> Markup:
    """The hooks in the order in which they act, as an ordered list of links."""
    items = "".join(f'<li><a href="#{hook}"><code>{hook}</code></a></li>' for hook in hooks)
    return Markup(f'<ol class="flow">{items}</ol>')


def badge(status: str) -> str:
    """A status badge for a README: a stand-alone SVG without fonts or scripts of other hosts."""
    colour = {"listed": "#5c6370", "described": "#4a5f8f", "linked": "#2f6f8f",
              "runnable": "#2c7a4b", "reproduced": "#1d6b3a"}[status]  # fmt: skip
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" width="132" height="20" role="img" '
        f'aria-label="vidpost: {status}"><title>vidpost: {status}</title>'
        '<rect width="132" height="20" rx="3" fill="#333a45"/>'
        f'<path d="M52 0h77a3 3 0 0 1 3 3v14a3 3 0 0 1-3 3H52z" fill="{colour}"/>'
        '<g fill="#fff" font-family="Verdana,Geneva,sans-serif" font-size="11" '
        'text-anchor="middle"><text x="26" y="14">vidpost</text>'
        f'<text x="92" y="14">{status}</text></g></svg>\n'
    )
