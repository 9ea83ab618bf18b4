import math
from xml.etree import ElementTree

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reproductions.shared.evaluation import plots
from reproductions.shared.evaluation.plots import (
    MAX_POINTS,
    Dot,
    DotGroup,
    Line,
    dot_plot,
    line_chart,
    smooth,
    ticks,
)

SVG = "{http://www.w3.org/2000/svg}"


def texts(svg):
    return [node.text for node in ElementTree.fromstring(svg).iter(f"{SVG}text")]


@pytest.mark.parametrize(
    ("low", "high", "count", "whole", "expected"),
    [
        (0, 1, 5, False, [0, 0.25, 0.5, 0.75, 1]),
        (0, 100, 6, False, [0, 20, 40, 60, 80, 100]),
        (1, 140, 8, True, [20, 40, 60, 80, 100, 120, 140]),
        (1, 3, 8, True, [1, 2, 3]),
        (-0.05, 0.05, 5, False, [-0.05, -0.025, 0, 0.025, 0.05]),
        (0, 2e-5, 5, False, [0, 5e-6, 1e-5, 1.5e-5, 2e-5]),
    ],
)
def test_ticks_are_round(low, high, count, whole, expected):
    assert ticks(low, high, count, whole) == pytest.approx(expected)


@example(2.79e-12, 1e-6, True)  # 0 lies outside, by more than rounding
@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6), st.booleans())
def test_ticks_lie_inside_and_are_few(low, width, whole):
    found = ticks(low, low + width, 5, whole)
    slack = 1e-6 * width + 1e-9 * abs(low)
    assert all(low - slack <= t <= low + width + slack for t in found)
    assert len(found) <= 6
    if whole:
        assert all(t == round(t) for t in found)


def test_smooth_is_a_centred_mean_without_bias_at_the_ends():
    points = [(i, float(i)) for i in range(5)]
    assert smooth(points, 3) == points  # a straight line stays
    assert smooth([(0, 0.0), (1, 3.0), (2, 0.0)], 3) == [(0, 0.0), (1, 1.0), (2, 0.0)]
    assert smooth(points, 1) == points


@pytest.mark.parametrize(
    "values", [(0.0, 8.2e-13), (-0.0, 0.0), (1e-12, 1e-12), (0.5, 0.5 + 1e-13)]
)
def test_a_line_that_is_flat_but_for_rounding(values):
    """The loss of a policy gradient with whitened advantages, for one."""
    svg = line_chart("Loss", [Line("a", list(enumerate(values)))])
    assert "0" in texts(svg) or "0.5" in "".join(filter(None, texts(svg)))


def test_line_chart_says_what_it_shows():
    svg = line_chart("Loss", [Line("a", [(1, 0.5), (2, 0.25)])])
    root = ElementTree.fromstring(svg)
    assert root.get("role") == "img"
    title, description = root.find(f"{SVG}title"), root.find(f"{SVG}desc")
    assert root.get("aria-labelledby") == f"{title.get('id')} {description.get('id')}"
    assert title.text == "Loss"
    assert description.text == "a: from 0.5 at 1 to 0.25 at 2."
    assert "currentColor" in svg and "var(--plot-1" in svg


def test_curves_differ_in_shape_and_colour():
    svg = line_chart("x", [Line(n, [(i, i * k) for i in range(9)]) for k, n in enumerate("abc")])
    assert svg.count("<circle") > 1 and svg.count("<path") > 6
    assert all(f"var(--plot-{i}," in svg for i in (1, 2, 3))
    assert texts(svg)[:3] == ["a", "b", "c"]


def test_nothing_hostile_gets_out():
    evil = '<script>alert(1)</script>"&'
    svg = line_chart(evil, [Line(evil, [(1, 1)]), Line("b", [(1, 2)])], x_label=evil)
    svg += dot_plot(evil, [DotGroup(evil, [Dot(evil, 0.5)])], x_label=evil)
    assert "<script" not in svg and "&lt;script" in svg


def test_values_that_are_not_finite_are_left_out():
    svg = line_chart("x", [Line("a", [(1, math.nan), (2, 1.0), (3, math.inf), (4, 2.0)])])
    assert "nan" not in svg and "inf" not in svg
    assert line_chart("x", [Line("a", [(1, math.nan)])]) == ""
    assert "nan" not in dot_plot("x", [DotGroup("g", [Dot("a", 0.5)])])


@pytest.mark.parametrize("values", [[0.0], [5.0, 5.0], [-3.0, -3.0], [1e-9, 2e-9], [0, 5e7]])
def test_odd_ranges_still_make_a_plot(values):
    svg = line_chart("x", [Line("a", list(enumerate(values)))])
    labels = [t for t in texts(svg) if t != "step"]
    assert len(labels) == len([t for t in labels if t]) >= 3


def test_long_curves_are_thinned_but_keep_spikes():
    points = [(i, 0.0) for i in range(100_000)]
    points[70_001] = (70_001, 9.0)
    svg = line_chart("x", [Line("a", points)])
    assert svg.count("L") <= MAX_POINTS + 10
    assert texts(svg)[4] == "10.0" or "10" in " ".join(texts(svg))


def test_dot_plot_numbers_and_places():
    groups = [DotGroup("all", [Dot("a", 0.5, 0.25, 0.75), Dot("b", 0.5)], reference=0.25)]
    svg = dot_plot("Accuracy", groups, reference_label="guess", x_label="accuracy (%)")
    labels = texts(svg)
    assert labels.count("50.0") == 2 and "guess" in labels
    assert [t for t in labels if t in ("0", "20", "40", "60", "80", "100")]
    # The axis runs from 8 to 316: the interval from 0.25 to 0.75 from 85 to 239, the middle at 162.
    assert "M85.0 " in svg and "H239.0" in svg and 'cx="162.0"' in svg
    assert "interval 25.0 to 75.0" in svg


def test_seven_series_are_refused():
    with pytest.raises(ValueError, match="six"):
        line_chart("x", [Line(str(i), [(1, 1)]) for i in range(7)])
    with pytest.raises(ValueError, match="six"):
        dot_plot("x", [DotGroup("g", [Dot(str(i), 0.1) for i in range(7)])])


@pytest.mark.parametrize(
    ("low", "high", "texts"),
    [
        (0.0, 1e-3, ["0", "2.5e-4", "5.0e-4", "7.5e-4", "1.00e-3"]),
        (1e-4, 1.8e-4, ["1.0e-4", "1.2e-4", "1.4e-4", "1.6e-4", "1.8e-4"]),
        (0.9999, 0.99998, ["0.99990", "0.99992", "0.99994", "0.99996", "0.99998"]),
        (-3e-5, 2e-5, ["-2e-5", "0", "2e-5"]),
    ],
)
def test_labels_tell_close_ticks_apart(low, high, texts):
    labels = plots._tick_texts(ticks(low, high), percent=False)
    assert [label.replace(plots.MINUS, "-") for label in labels] == texts
