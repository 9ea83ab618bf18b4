"""The difficulty weight of UniVG-R1, with numbers worked out by hand."""

from __future__ import annotations

import math

import pytest

from reproductions.methods.univg_r1.method import advantages, form, prompt, region_iou
from reproductions.shared.method import Context, Group, Sample


def iou(answer, gold):
    return region_iou(prompts=[""], completions=[f"<answer>{answer}</answer>"], solution=[gold])[0]


@pytest.mark.parametrize(
    ("answer", "gold", "expected"),
    [
        ("4.0 to 6.0", "2.0 to 6.0", 0.5),
        ("[[0, 0, 2, 2]]", "[[0, 0, 2, 4]]", 0.5),
        ("[[0, 0, 2, 2], [0, 0, 1, 1]]", "[[0, 0, 2, 4], [0, 0, 1, 1]]", 0.75),
        ("[[0, 0, 2, 2]]", "[[0, 0, 2, 4], [0, 0, 1, 1]]", 0.0),
        ("(1,2),(30,40)", "(1,2),(30,40)", 1.0),
        ("(1,2),(30,40)", "[[1, 2, 30, 40]]", 1.0),
        ("[1, 2, 30, 40]", "[1, 2, 30, 40]", 1.0),
        ("(0, 0), (2, 2)", "(0,0),(2,4)", 0.5),
        ("(0,0),(2,2) or so", "(0,0),(2,4)", 0.0),
        ("somewhere", "[[0, 0, 2, 4]]", 0.0),
        ("2.0 to 6.0", "[[0, 0, 2, 4]]", 0.0),
    ],
)
def test_iou_of_spans_and_boxes(answer, gold, expected):
    assert iou(answer, gold) == expected


def test_thin_boxes_never_overlap_in_the_official_code():
    text = "<answer>(0,0),(1,9)</answer>"
    columns = {"prompts": [""], "completions": [text], "solution": ["(0,0),(1,9)"]}
    assert region_iou(**columns) == [1.0]
    assert region_iou(**columns, context=[Context(variant="official_code")]) == [0.0]


@pytest.mark.parametrize(
    ("text", "gold", "paid"),
    [
        ("<think>r</think><answer>(1,2),(3,4)</answer>", "(1,2),(3,4)", 1.0),
        ("Well. <think>r</think> <answer>(9,9),(9,9)</answer>", "(1,2),(3,4)", 1.0),
        ("<think>r</think><answer>a box</answer>", "(1,2),(3,4)", 0.0),
        ("<answer>(1,2),(3,4)</answer>", "(1,2),(3,4)", 0.0),
        ("<think>r</think><answer>a span</answer>", "1.0 to 2.0", 1.0),
        ("Well. <think>r</think><answer>a span</answer>", "1.0 to 2.0", 0.0),
    ],
)
def test_the_format_of_a_box_is_a_box(text, gold, paid):
    assert form(prompts=[""], completions=[text], solution=[gold]) == [paid]


def test_a_published_gold_is_asked_for_in_its_form():
    asks = [
        prompt(Sample(id="s", question="Where?", answer=a, problem_type="tracking"))
        for a in ("(1,2),(3,4)", "[[1, 2, 3, 4]]")
    ]
    assert ["(x0,y0),(x1,y1)" in ask for ask in asks] == [True, False]


def group(overlap):
    n = len(overlap)
    sample = Sample(id="s", question="When?", answer="0.0 to 1.0")
    scores = {"region_iou": overlap, "format": [1.0] * n}
    totals = [i + 1.0 for i in overlap]
    return Group(sample, [""] * n, ["ordered"] * n, [True] * n, [9] * n, scores, totals)


def test_hard_groups_weigh_more():
    """Mean IoU 0.5: weight e^0.5; 0 and 1 are -+0.7071 deviations from their mean.

    Mean IoU 0.1 with the same spread of relative size 0.2: weight e^0.9.
    """
    medium = advantages(group([0.0, 1.0]), Context())
    assert medium == pytest.approx([-1.165658, 1.165658], abs=1e-3)
    hard = advantages(group([0.0, 0.2]), Context())
    assert hard[1] / medium[1] == pytest.approx(math.exp(0.4), rel=1e-3)


def test_equal_answers_teach_nothing_however_hard():
    assert advantages(group([0.0, 0.0, 0.0]), Context()) == [0.0, 0.0, 0.0]
