"""Our own rules on what models and judges write: read, or counted as unread; never a guess."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from reproductions.benchmarks import _base, _boxes, _events, _open, _spans
from reproductions.benchmarks._choice import CHOICE, careful, letter_of, mcq
from reproductions.benchmarks._files import FileProblem
from reproductions.metrics.wups import wordnet_similarity
from reproductions.shared.method import Sample

COLOURS = dict(zip("ABCDE", ["red", "blue", "green", "black", "white"], strict=True))
NAMES = dict(zip("ABCD", ["B.B. King", "A.C. Milan", "D.C. Comics", "Marvel"], strict=True))


@pytest.mark.parametrize(
    ("text", "options", "letter"),
    [
        ("B.B. King", NAMES, "A"),
        ("A.C. Milan", NAMES, "B"),
        ("D.C. Comics.", NAMES, "C"),
        ("B. A.C. Milan", NAMES, "B"),
        ("B.blue", COLOURS, "B"),
        ("e.g. blue", COLOURS, "B"),
        ("B\nExplanation: A is darker.", COLOURS, "B"),
        ("option C is wrong, so blue", COLOURS, "B"),
        ("answer A is wrong; answer B", COLOURS, "B"),
        ("the correct option isn't A but B", COLOURS, "B"),
        ("Because of the red one: B", COLOURS, ""),
        ("A, B", COLOURS, ""),
        ("(A),(B)", COLOURS, ""),
        ("A\nB", COLOURS, ""),
        ("answer: A or B", COLOURS, ""),
        ("Not A.", COLOURS, ""),
        ("The answer is A dog", COLOURS, ""),
        ("{'a': 1}", COLOURS, ""),
        ("<think>A or B? A", COLOURS, ""),
        ("<think>A</think>B", COLOURS, "B"),
    ],
)
def test_the_careful_rule_takes_the_whole_text_first_and_never_one_of_two(
    text: str, options: dict[str, str], letter: str
) -> None:
    assert careful(text, list(options), options) == letter


def test_a_number_that_is_index_and_text_is_refused() -> None:
    options = ("A. 1", "B. 2", "C. 3", "D. 4")
    assert letter_of("2", options) == "B"
    with pytest.raises(ValueError, match="the text of one option and the index of another"):
        letter_of(2, options)
    assert letter_of(2, ("A. 0", "B. 1", "C. 2")) == "C"  # both say the same
    sample = mcq("1", "?", ["1", "2", "3", "4"], text="2")
    graded = CHOICE.rules["careful"]
    assert graded(sample, 2).read is None
    assert graded(sample, "2").read == "B"


def test_whole_floats_are_indices_too() -> None:
    sample = mcq("1", "?", ["red", "blue"], letter="B")
    assert CHOICE.rules["careful"](sample, 1.0).values["accuracy"] == 1.0


@pytest.mark.parametrize(
    ("verdict", "right", "score"),
    [
        ({"pred": "yes", "score": "4/5"}, 1.0, 4.0),
        ({"pred": "yes", "score": "5.0 points"}, 1.0, 5.0),
        ({"pred": "yes", "score": None}, 1.0, None),
        ("score: 4 out of 5, pred: yes", 1.0, 4.0),
        ({"pred": "yes", "score": "4/10"}, 1.0, 0.0),
        ({"pred": "yes", "score": 8}, 1.0, 0.0),
        ({"pred": "yes", "score": "four"}, 1.0, 0.0),
        (95, None, 0.0),
        (-1, None, 0.0),
    ],
)
def test_a_score_that_is_not_of_the_scale_counts_nothing_and_is_said(
    verdict: Any, right: float | None, score: float | None
) -> None:
    graded = _open.judged()(Sample("1", "?", "a"), {"prediction": "b", "verdict": verdict})
    assert graded.values.get("accuracy") == right
    assert graded.values.get("score") == score
    assert ("no number from 0 to 5" in graded.note) is (score == 0.0)


def test_wups_says_which_words_it_compares() -> None:
    graded = _open.OPEN.rules["wups"](Sample("1", "?", "dog"), "puppy")
    if wordnet_similarity() is None:
        assert dict(graded.values) == {"WUPS (equal words alone)": 0.0}
    else:
        assert graded.values["WUPS"] > 0.9


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ([10, 0], [[0, 10]]),
        ("[10, 0]", [[0, 10]]),
        ("10 to 0", [[0, 10]]),
        (["0 seconds", "10 seconds"], [[0, 10]]),
        ("starts at 0 seconds and ends at 10 seconds", [[0, 10]]),
        ("2 to 3 people appear from 10 to 20 seconds", [[10, 20]]),
        ("2 to 3 balls appear from 10 to 20 seconds", [[10, 20]]),
        ("2 to 3 people", None),
        ("3 to 7 and 9 to 11 seconds", [[3, 7], [9, 11]]),
        ("from 3 to 7 and 9 to 11", [[3, 7], [9, 11]]),
        ("-5 to 5", None),
        ("-3 to 9, 40 to 48", [[40, 48]]),
        ([math.nan, 10], None),
        ("0:05 - 0:10", [[5, 10]]),
    ],
)
def test_spans_are_read_alike_from_data_and_text(said: Any, read: Any) -> None:
    assert _spans.SPAN.rules["spans"](Sample("1", "?", "0.0 to 10.0"), said).read == read


@pytest.mark.parametrize("times", ["nan 2.0", "0.0 inf"])
def test_a_true_span_that_is_none_is_refused_with_its_place(times: str, tmp_path: Path) -> None:
    file = tmp_path / "charades_sta_test.txt"
    file.write_text(f"v 0.0 2.0##red.\nv {times}##blue.\n")
    with pytest.raises(FileProblem, match=r"charades_sta_test\.txt:2: .*is not finite"):
        list(_base.get("charades_sta").read(file))


def test_a_true_span_whose_ends_are_exchanged_does_not_cost_the_file(tmp_path: Path) -> None:
    file = tmp_path / "charades_sta_test.txt"
    file.write_text("v 0.0 2.0##red.\nv 3.0 1.0##blue.\n")
    assert [s.answer for s in _base.get("charades_sta").read(file)] == ["0.0 to 2.0", "1.0 to 3.0"]


@pytest.mark.parametrize(
    ("said", "events"),
    [
        ({"timestamps": [3], "sentences": ["x"]}, 0),
        ({"timestamps": [["a", "b"], [0, 5]], "sentences": ["x", "y"]}, 1),
        ({"timestamps": [[0, 5]], "sentences": 3}, 0),
        ([{"timestamp": ["00:00", "00:05"], "caption": "x"}], 1),
        ([{"timestamp": [math.nan, 5], "caption": "x"}], 0),
    ],
)
def test_events_that_are_none_are_left_out(said: Any, events: int) -> None:
    assert len(_events.events_of(said)) == events


BOX = [0, 0, 10, 10]
FLAT = [3, 3, 3, 3]


def _tube(gold: dict[str, Any], said: Any) -> _base.Graded:
    return _boxes.TUBE.rules["corners"](Sample("1", "?", _boxes.tube_gold(gold)), said)


def test_times_of_a_tube_are_times_whether_whole_or_not() -> None:
    gold = {"1.0": BOX, "1.5": BOX, "2.0": BOX}
    graded = _tube(gold, {"1.0": BOX, "1.5": BOX})
    assert graded.values["m_tIoU"] == 0.5  # half a second of one
    assert graded.values["m_vIoU"] == pytest.approx(2 / 3)
    assert _tube(gold, gold).values["m_tIoU"] == 1.0
    frames = {str(i): BOX for i in range(1, 5)}
    mixed = _tube(frames, {"1": BOX, "2.5": BOX, "3": BOX})
    assert mixed.read is None and "times" in mixed.note and not any(mixed.values.values())
    assert _tube(frames, {"1.0": BOX, "2.0": BOX}).values["m_tIoU"] == 0.5


def test_a_single_flat_box_marks_no_answer() -> None:
    gold = {str(i): BOX for i in range(1, 5)}
    one = _tube(gold, {**gold, "4": FLAT})
    assert (one.read, one.note, one.values["m_vIoU"]) == ("4 boxes", "", 0.75)
    assert _tube({**gold, "5": FLAT}, gold).note == ""
    assert "without area, which earn nothing" in _tube(gold, dict.fromkeys(gold, FLAT)).note


@pytest.mark.parametrize("ends", [["1", "5"], ["a", 5], [None, None], "1"])
def test_ends_of_a_tube_may_be_anything(ends: Any) -> None:
    gold = {str(i): BOX for i in range(1, 5)}
    assert _tube(gold, {"boxes": gold, "sted": ends}).values["m_vIoU"] == 1.0
    for first in ("one", None):
        assert _tube(gold, {"start_frame": first, "boxes": [BOX]}).values["m_vIoU"] >= 0


def _highlights(*saliency: Any) -> dict[str, _base.Number]:
    meta = {"ratings": [[4, 4, 4]], "clips": [0], "duration": 6}
    samples = [Sample(str(i), "?", "0.0 to 2.0", meta=meta) for i in range(len(saliency))]
    shape = _spans.MOMENTS
    answers = [{"prediction": [[0, 2]]} | ({} if s is None else {"saliency": s}) for s in saliency]
    graded = [shape.rules["spans"](s, a) for s, a in zip(samples, answers, strict=True)]
    return shape.numbers(samples, graded)


@pytest.mark.parametrize("bad", [[], 0.4, "x", [math.nan] * 3, ["x", None], None])
def test_saliency_that_is_none_earns_nothing(bad: Any) -> None:
    for both in ((bad, [0.9, 0.5, 0.1]), ([0.9, 0.5, 0.1], bad)):
        found = _highlights(*both)
        for name in ("HD mAP very good", "HIT@1 very good"):
            assert (found[name].value, found[name].n) == (0.5, 2)
    # A clip without a number is the last one, not the first.
    assert _highlights([math.nan, 0.5, 0.1])["HIT@1 fair"].value == 0.0


def test_a_log_without_saliency_has_no_highlight_scores() -> None:
    assert not [name for name in _highlights(None, None) if name.startswith(("HD", "HIT"))]


def test_golds_of_tubes_keep_their_keys() -> None:
    assert json.loads(_boxes.tube_gold({"3": BOX, "3.5": BOX})) == {"3": BOX, "3.5": BOX}
