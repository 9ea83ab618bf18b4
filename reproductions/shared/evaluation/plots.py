"""Plots as SVG text: a line chart and a dot plot with intervals. Standard library only.

The drawings are made for a web page: text and axes take the page's `currentColor`, series take the
CSS variables `--plot-1` to `--plot-6` (with fallbacks), and every series differs in shape as well
as in colour. `<title>` and `<desc>` name and describe the plot for screen readers. Everything that
comes from outside is escaped, so the result may be put into a page as it is.

The view box is 360 wide: about the size on a phone, and small multiples stand side by side on a
desk. Let the page scale it (`svg { width: 100%; height: auto }`).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

Point = tuple[float, float]

WIDTH = 360
MINUS = "\N{MINUS SIGN}"
FONT = 11
COLOURS = ("#0065a3", "#b34700", "#00785a", "#8f3f7d", "#6b6100", "#5a5a5a")
"""Fallbacks of `--plot-1` to `--plot-6`; each has a contrast of at least 4.5 to white."""
SHAPES = ("circle", "square", "triangle", "diamond", "down", "cross")
MAX_POINTS = 300
"""Longer curves are thinned to this many points; more cannot be seen at this size."""
NOISE = 1e-9
"""Values that differ by less are equal but for rounding; ticks are rounded as well."""


@dataclass(frozen=True)
class Line:
    """One curve.

    Attributes:
        label: Name in the legend.
        points: (x, y) with ascending x; points that are not finite are left out.
        raw: The same curve before smoothing, drawn faintly behind it.
    """

    label: str
    points: Sequence[Point]
    raw: Sequence[Point] = ()


@dataclass(frozen=True)
class Dot:
    """One estimate with its interval.

    Attributes:
        series: Which series it belongs to (shape and colour), for example a checkpoint.
        value: The estimate.
        low: Lower end of the interval; NaN draws none.
        high: Upper end of the interval; NaN draws none.
    """

    series: str
    value: float
    low: float = math.nan
    high: float = math.nan


@dataclass(frozen=True)
class DotGroup:
    """Estimates that belong together, for example one task at all checkpoints.

    Attributes:
        label: Heading of the group.
        dots: One row each.
        reference: A value to compare with, drawn as a dashed line through the group.
    """

    label: str
    dots: Sequence[Dot]
    reference: float | None = None


def smooth(points: Sequence[Point], window: int) -> list[Point]:
    """Centred moving average over `window` points (made odd); the ends use the points they have.

    Centred rather than exponential, so that the curve does not lag behind what it shows.
    """
    half = max(0, window // 2)
    smoothed = []
    for i, (x, _) in enumerate(points):
        reach = min(half, i, len(points) - 1 - i)  # symmetric, so the ends are not biased
        near = points[i - reach : i + reach + 1]
        smoothed.append((x, sum(y for _, y in near) / len(near)))
    return smoothed


def ticks(low: float, high: float, count: int = 5, whole: bool = False) -> list[float]:
    """Round tick positions (1, 2, 2.5 or 5 times a power of ten) inside [low, high], about `count`.

    Args:
        low: Lower end of the axis.
        high: Upper end, above `low`.
        count: How many ticks to aim for.
        whole: Whether ticks must be whole numbers, as for steps.
    """
    step = _nice_step((high - low) / max(1, count - 1), whole)
    slack = 1e-9 * min(1.0, (high - low) / step)  # of rounding; a short axis takes less
    first = math.ceil(low / step - slack)
    last = math.floor(high / step + slack)
    return [round(i * step, 12) + 0.0 for i in range(first, last + 1)]


def line_chart(
    title: str,
    lines: Sequence[Line],
    *,
    x_label: str = "step",
    description: str = "",
    y_range: tuple[float, float] | None = None,
    percent: bool = False,
    first_colour: int = 0,
    height: int = 200,
) -> str:
    """Draw curves over whole-numbered steps.

    Args:
        title: Accessible name of the plot; not drawn, the page has its own heading.
        lines: At most six curves; a legend appears from two curves on.
        x_label: Name of the horizontal axis.
        description: For screen readers; None-like "" is filled with the ends of each curve.
        y_range: Ends of the vertical axis; None fits them to the data and rounds them.
        percent: Whether to write y values times 100.
        first_colour: Colour of the first curve, 0 to 5, where a page gives colours a meaning.
        height: Height of the drawing without the legend.

    Returns:
        An `<svg>` element, or "" if no curve has a finite point.

    Raises:
        ValueError: More than six curves.
    """
    if len(lines) > len(SHAPES):
        raise ValueError(f"{title}: {len(lines)} curves; split them, six can be told apart")
    drawn = [
        Line(line.label, _thin(_finite(line.points)), _thin(_finite(line.raw))) for line in lines
    ]
    everything = [p for line in drawn for p in (*line.points, *line.raw)]
    if not everything:
        return ""
    xs = [x for x, _ in everything]
    x_low, x_high = min(xs), max(xs)
    if x_low == x_high:
        x_low, x_high = x_low - 1, x_high + 1
    y_low, y_high = y_range or _fit([y for _, y in everything])
    y_ticks = ticks(y_low, y_high)
    y_texts = _tick_texts(y_ticks, percent)

    legend, top = ("", 8.0)
    if len(drawn) > 1:
        legend, top = _legend([line.label for line in drawn], first_colour=first_colour)
    left = 10 + max(_text_width(t) for t in y_texts)
    right, bottom = WIDTH - 12.0, top + height - 38
    total = top + height

    def px(x: float) -> float:
        return left + (x - x_low) / (x_high - x_low) * (right - left)

    def py(y: float) -> float:
        return bottom - (y - y_low) / (y_high - y_low) * (bottom - top)

    parts = [legend]
    for y, text in zip(y_ticks, y_texts, strict=True):
        parts.append(_rule(left, py(y), right, py(y)))
        parts.append(_text(left - 6, py(y) + 4, text, "end"))
    for x in ticks(x_low, x_high, 8, whole=True):
        parts.append(_text(px(x), bottom + 16, _number(x, 0), "middle"))
        parts.append(_rule(px(x), bottom, px(x), bottom + 3, 0.5))
    parts.append(_rule(left, bottom, right, bottom, 0.5))
    parts.append(_text((left + right) / 2, bottom + 32, x_label, "middle"))
    for position, line in enumerate(drawn):
        i = (position + first_colour) % len(COLOURS)
        if line.raw:
            parts.append(_polyline([(px(x), py(y)) for x, y in line.raw], i, 1.0, 0.35))
        curve = [(px(x), py(y)) for x, y in line.points]
        parts.append(_polyline(curve, i, 2.0, 1.0))
        if len(drawn) > 1 or len(curve) <= 12:
            # A few markers are enough to tell the curves apart without colour; the shift keeps
            # markers of different curves off each other.
            stride = max(1, len(curve) // 6)
            start = position * stride // len(drawn)
            parts += [_marker(x, y, i, 3.2) for x, y in curve[start::stride]]
    return _svg(title, description or _describe(drawn, percent), total, "".join(parts))


def dot_plot(
    title: str,
    groups: Sequence[DotGroup],
    *,
    x_label: str = "",
    description: str = "",
    x_range: tuple[float, float] | None = (0.0, 1.0),
    percent: bool = True,
    reference_label: str = "",
) -> str:
    """Draw estimates with intervals, one row each, grouped under headings.

    Args:
        title: Accessible name of the plot; not drawn.
        groups: From top to bottom. Series keep their colour and shape in all groups.
        x_label: Name of the axis.
        description: For screen readers; "" lists all values.
        x_range: Ends of the axis; None fits them to the data and rounds them.
        percent: Whether to write values times 100.
        reference_label: What the dashed lines stand for.

    Returns:
        An `<svg>` element, or "" if there is nothing to draw.

    Raises:
        ValueError: More than six series.
    """
    series = list(dict.fromkeys(dot.series for group in groups for dot in group.dots))
    if len(series) > len(SHAPES):
        raise ValueError(f"{title}: {len(series)} series; split the plot, six can be told apart")
    if not series:
        return ""
    dots = [dot for group in groups for dot in group.dots]
    ends = [v for d in dots for v in (d.value, d.low, d.high) if math.isfinite(v)]
    x_low, x_high = x_range or _fit(ends)
    has_reference = any(group.reference is not None for group in groups)
    legend, y = _legend(series, reference_label if has_reference else "")
    left, right = 8.0, WIDTH - 44.0
    row, heading, gap = 17.0, 18.0, 7.0

    def px(x: float) -> float:
        return left + (min(max(x, x_low), x_high) - x_low) / (x_high - x_low) * (right - left)

    rows: list[str] = []
    top = y
    for group in groups:
        rows.append(_text(left, y + 13, _cut(group.label, WIDTH - 16.0), weight=600))
        y += heading
        if group.reference is not None:
            x = px(group.reference)
            rows.append(
                f'<line x1="{x:.1f}" y1="{y:.1f}" x2="{x:.1f}" y2="{y + row * len(group.dots):.1f}"'
                ' stroke="currentColor" stroke-opacity="0.75" stroke-dasharray="3 3"/>'
            )
        for dot in group.dots:
            i, middle = series.index(dot.series), y + row / 2
            if math.isfinite(dot.low) and math.isfinite(dot.high):
                low, high = px(dot.low), px(dot.high)
                rows.append(
                    f'<path d="M{low:.1f} {middle:.1f}H{high:.1f}M{low:.1f} {middle - 3:.1f}v6'
                    f'M{high:.1f} {middle - 3:.1f}v6" fill="none" style="stroke:{_colour(i)}"'
                    ' stroke-width="1.6"/>'
                )
            rows.append(_marker(px(dot.value), middle, i, 4.4))
            rows.append(
                _text(WIDTH - 4, middle + 4, _number(dot.value * (100 if percent else 1), 1), "end")
            )
            y += row
        y += gap
    bottom = y
    axis = [_rule(left, bottom, right, bottom, 0.5)]
    x_ticks = ticks(x_low, x_high, 6)
    for x, text in zip(x_ticks, _tick_texts(x_ticks, percent), strict=True):
        anchor = "start" if px(x) - left < 6 else "middle"
        axis.append(_rule(px(x), top, px(x), bottom))
        axis.append(_text(px(x), bottom + 15, text, anchor))
    if x_label:
        axis.append(_text((left + right) / 2, bottom + 31, x_label, "middle"))
    total = bottom + (38 if x_label else 22)
    body = legend + "".join(axis) + "".join(rows)
    return _svg(title, description or _describe_dots(groups, percent), total, body)


def _svg(title: str, description: str, height: float, body: str) -> str:
    # Ids must differ between the plots of a page; a page never shows one plot twice.
    key = hashlib.sha256(f"{title}\0{description}\0{body}".encode(errors="replace")).hexdigest()[:8]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="plot" viewBox="0 0 {WIDTH} {height:.0f}"'
        f' role="img" aria-labelledby="t{key} d{key}" font-size="{FONT}" font-family="inherit">'
        f'<title id="t{key}">{escape(title)}</title><desc id="d{key}">{escape(description)}</desc>'
        f"{body}</svg>"
    )


def _legend(labels: Sequence[str], reference: str = "", first_colour: int = 0) -> tuple[str, float]:
    """The legend, wrapped into rows, and where the plot below it starts."""
    x, y, parts = 8.0, 11.0, []
    entries = [((i + first_colour) % len(COLOURS), label) for i, label in enumerate(labels)]
    if reference:
        entries.append((-1, reference))
    for i, label in entries:
        label = _cut(label, WIDTH - 40.0)
        width = 18 + _text_width(label)
        if x > 8 and x + width > WIDTH - 8:
            x, y = 8.0, y + 17
        if i < 0:
            parts.append(
                f'<line x1="{x + 6:.1f}" y1="{y - 6:.1f}" x2="{x + 6:.1f}" y2="{y + 6:.1f}"'
                ' stroke="currentColor" stroke-opacity="0.75" stroke-dasharray="3 3"/>'
            )
        else:
            parts.append(_marker(x + 6, y, i, 4.0))
        parts.append(_text(x + 15, y + 4, label))
        x += width + 12
    return "".join(parts), y + 15


def _colour(i: int) -> str:
    return f"var(--plot-{i + 1},{COLOURS[i]})"


def _marker(x: float, y: float, i: int, r: float) -> str:
    style = f'style="fill:{_colour(i)}"'
    shape = SHAPES[i]
    if shape == "circle":
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{r:.1f}" {style}/>'
    outline = {
        "square": [(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)],
        "triangle": [(0, -1.15), (1.1, 0.85), (-1.1, 0.85)],
        "diamond": [(0, -1.25), (1.25, 0), (0, 1.25), (-1.25, 0)],
        "down": [(0, 1.15), (1.1, -0.85), (-1.1, -0.85)],
        "cross": [
            *((-0.35, -1.1), (0.35, -1.1), (0.35, -0.35), (1.1, -0.35), (1.1, 0.35), (0.35, 0.35)),
            *((0.35, 1.1), (-0.35, 1.1), (-0.35, 0.35), (-1.1, 0.35), (-1.1, -0.35)),
            (-0.35, -0.35),
        ],
    }[shape]
    path = "L".join(f"{x + dx * r:.1f} {y + dy * r:.1f}" for dx, dy in outline)
    return f'<path d="M{path}Z" {style}/>'


def _polyline(points: Sequence[Point], i: int, width: float, opacity: float) -> str:
    if len(points) < 2:
        return "".join(_marker(x, y, i, 3.2) for x, y in points)
    path = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    return (
        f'<path d="M{path}" fill="none" style="stroke:{_colour(i)}" stroke-width="{width:g}"'
        f' stroke-opacity="{opacity:g}" stroke-linejoin="round" stroke-linecap="round"/>'
    )


def _rule(x1: float, y1: float, x2: float, y2: float, opacity: float = 0.14) -> str:
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="currentColor"'
        f' stroke-opacity="{opacity:g}"/>'
    )


def _text(x: float, y: float, text: str, anchor: str = "start", weight: int = 400) -> str:
    bold = f' font-weight="{weight}"' if weight != 400 else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="currentColor"{bold}>'
        f"{escape(text)}</text>"
    )


def _text_width(text: str) -> float:
    """Upper estimate of a text's width; wide scripts count a full em."""
    return sum(0.6 * FONT if ord(c) < 0x1100 else FONT for c in text)


def _cut(text: str, width: float) -> str:
    if _text_width(text) <= width:
        return text
    while text and _text_width(text + "…") > width:
        text = text[:-1]
    return text.rstrip() + "…"


def _finite(points: Sequence[Point]) -> list[Point]:
    return [(x, y) for x, y in points if math.isfinite(x) and math.isfinite(y)]


def _thin(points: list[Point]) -> list[Point]:
    """At most MAX_POINTS points; each block keeps its lowest and highest, so spikes stay."""
    if len(points) <= MAX_POINTS:
        return points
    size = math.ceil(2 * len(points) / MAX_POINTS)
    kept = []
    for start in range(0, len(points), size):
        block = points[start : start + size]
        ends = (min(block, key=lambda p: p[1]), max(block, key=lambda p: p[1]))
        kept += sorted(set(ends))
    return kept


def _fit(values: Sequence[float]) -> tuple[float, float]:
    """Axis ends on round numbers; from 0 where that costs less than half of the height."""
    low, high = min(values), max(values)
    if high - low < NOISE:  # a loss that is 0 but for rounding
        low = high = 0.0 if abs(low) < NOISE else low
    if low == high:
        low, high = low - (abs(low) or 1) / 2, high + (abs(high) or 1) / 2
    if 0 < low < 0.5 * high:
        low = 0.0
    step = _nice_step((high - low) / 4)
    return math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step


def _nice_step(rough: float, whole: bool = False) -> float:
    """The least step of 1, 2, 2.5 or 5 times a power of ten that is at least `rough`."""
    rough = max(rough, 1.0) if whole else rough
    power = 10.0 ** math.floor(math.log10(rough))
    steps = (m * power for m in (1.0, 2.0, 2.5, 5.0, 10.0))
    return next(s for s in steps if s >= rough * (1 - 1e-9) and not (whole and s % 1))


def _tick_texts(values: Sequence[float], percent: bool) -> list[str]:
    shown = [v * 100 for v in values] if percent else list(values)
    if len(shown) < 2:
        return [f"{v:g}" for v in shown]
    step = shown[1] - shown[0]
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    if abs(step * 10**decimals - round(step * 10**decimals)) > 1e-6:
        decimals += 1  # steps of 2.5
    return [_number(v, decimals) for v in shown]


def _number(value: float, decimals: int) -> str:
    """A number for an axis: true minus sign, 12k for thousands, 2e-5 for very small ones."""
    if not math.isfinite(value):
        return "n/a"
    if value == 0 and decimals > 4:
        text = "0"
    elif abs(value) < 0.01 and decimals > 4:  # as many digits as tell the ticks apart
        digits = max(0, decimals + math.floor(math.log10(abs(value))))
        mantissa, exponent = f"{value:.{digits}e}".split("e")
        text = f"{mantissa}e{int(exponent)}"
    elif abs(value) >= 10_000:
        text = f"{value / 1000:g}k"
    else:
        text = f"{value:.{decimals}f}"
    return text.replace("-", MINUS)


def _describe(lines: Sequence[Line], percent: bool) -> str:
    factor = 100 if percent else 1
    return " ".join(
        f"{line.label}: from {line.points[0][1] * factor:.3g} at {line.points[0][0]:g} to "
        f"{line.points[-1][1] * factor:.3g} at {line.points[-1][0]:g}."
        for line in lines
        if line.points
    )


def _describe_dots(groups: Sequence[DotGroup], percent: bool) -> str:
    factor = 100 if percent else 1
    sentences = []
    for group in groups:
        values = ", ".join(
            f"{dot.series} {dot.value * factor:.1f}"
            + (
                f" (interval {dot.low * factor:.1f} to {dot.high * factor:.1f})"
                if math.isfinite(dot.low) and math.isfinite(dot.high)
                else ""
            )
            for dot in group.dots
        )
        sentences.append(f"{group.label}: {values}.")
    return " ".join(sentences)
