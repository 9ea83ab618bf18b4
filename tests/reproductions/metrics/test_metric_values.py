"""Metrics against values worked out by hand, and against nltk where it has the same metric."""

from __future__ import annotations

import importlib
import math
from pathlib import Path

import pytest

from reproductions.metrics import (
    captions,
    cost,
    decisions,
    flips,
    highlight_map,
    hota,
    j_and_f,
    judge,
    map_at_iou,
    navigation,
    soda_c,
    tiou,
    tracking,
    v_iou,
)
from reproductions.metrics.wups import wups
from vidpost.catalog.loader import load

MODELS_NEEDED = {"bertscore", "bleurt", "mira_rubric", "sentence_similarity", "spice"}
"""Metrics that are a model's output; a formula cannot stand for them."""


def test_every_metric_with_a_formula_has_a_module() -> None:
    metrics = load().metrics
    without = {m.id for m in metrics.values() if m.module is None}
    assert without == MODELS_NEEDED
    for metric in metrics.values():
        if metric.module:
            assert importlib.import_module(metric.module).__doc__


def test_moment_ap_by_hand() -> None:
    golds = [(0.0, 10.0), (20.0, 30.0)]
    # hit, miss, hit: precisions 1, 1/2, 2/3 at recalls 1/2, 1/2, 1; interpolated 1 and 2/3.
    preds = [(0.0, 10.0, 0.9), (50.0, 60.0, 0.8), (20.0, 30.0, 0.7)]
    assert map_at_iou.moment_ap(preds, golds, [0.5]) == [pytest.approx((1 + 2 / 3) / 2)]
    # The same span twice hits one gold once.
    assert map_at_iou.moment_ap([(0, 10, 0.9), (0, 10, 0.8)], golds, [0.5]) == [pytest.approx(0.5)]
    # Confidence, not the order of the list, ranks.
    assert map_at_iou.moment_ap([(50, 60, 0.1), (0, 10, 0.9)], golds[:1], [0.5]) == [1.0]
    assert map_at_iou.recall_at_n([preds], [golds[1:]], 1) == 0.0
    assert map_at_iou.recall_at_n([preds], [golds[1:]], 3) == 1.0


def test_highlights_by_hand() -> None:
    truth = highlight_map.positives([1, 2], [[4, 2], [1, 4]], 4, least=4)
    assert truth == [[False, True, False, False], [False, False, True, False]]
    scores = [0.1, 0.9, 0.5, 0.2]
    # First annotator: the top clip is positive, AP 1; second: it comes second, AP 1/2.
    assert highlight_map.highlight_map(scores, truth) == pytest.approx(0.75)
    assert highlight_map.hit_at_1(scores, truth) == 1.0
    assert highlight_map.hit_at_1([1.0, 0.9, 0.5, 0.2], truth) == 0.0


def test_tracking_by_hand() -> None:
    gold = [[0.0, 0.0, 10.0, 10.0]] * 4
    pred = [[0.0, 0.0, 10.0, 10.0], [5.0, 0.0, 15.0, 10.0], None]
    ious = [tracking.overlaps(pred, gold)]
    assert ious == [[1.0, pytest.approx(1 / 3), 0.0, 0.0]]
    assert tracking.average_overlap(ious) == pytest.approx(1 / 3)
    assert tracking.success_rate(ious, 0.5) == 0.25
    # IoU 1 passes the 20 thresholds below 1, IoU 1/3 those of 0 to 0.3: (20 + 7) / 21 / 4.
    assert tracking.success_auc(ious) == pytest.approx(27 / 21 / 4)
    assert tracking.tracking_precision([pred], [gold], 4.0) == 0.25
    assert tracking.tracking_precision([pred], [gold], 5.0) == 0.5
    # Centres 0 and 0.5 box widths away: all 51 limits, and the last one alone.
    assert tracking.normalised_precision([pred], [gold]) == pytest.approx((1 + 1 / 51) / 4)


def test_average_jaccard_by_hand() -> None:
    gold = [[(0.0, 0.0), (10.0, 0.0), None]]
    pred = [[(0.5, 0.0), None, (1.0, 1.0)]]
    # One hit, one hidden too early, one shown too long: 1 / (2 + 2 - 1).
    assert tracking.average_jaccard(pred, gold) == pytest.approx(1 / 3)
    far = [[(3.0, 0.0), None, None]]  # within 4, 8 and 16 pixels only
    assert tracking.average_jaccard(far, gold) == pytest.approx(3 / 5 * 1 / 2)


def test_hota_by_hand() -> None:
    one = [([1], [7], [[1.0]]), ([1], [7], [[1.0]])]
    assert hota.hota(one)["HOTA"] == pytest.approx(1.0)
    switched = [([1], [7], [[1.0]]), ([1], [8], [[1.0]])]
    # Both detections right; each association has 1 of 1 + 1 - ... = 1 / 2 in union.
    scores = hota.hota(switched)
    assert scores["DetA"] == pytest.approx(1.0)
    assert scores["AssA"] == pytest.approx(0.5)
    assert scores["HOTA"] == pytest.approx(math.sqrt(0.5))
    half = [([1], [7], [[0.5]])]
    assert hota.hota(half)["HOTA"] == pytest.approx(10 / 19)  # thresholds 0.05 to 0.5


def test_hota_matches_a_frame_once_for_all_thresholds() -> None:
    # Track 10 follows object 1 at 0.4; in the last frame track 11 lies on it at 0.9. The global
    # alignment gives that frame to 10 (0.87 x 0.4 over 0.07 x 0.9), so nothing is left at 0.5.
    frames = [([1], [10], [[0.4]])] * 9 + [([1], [10, 11], [[0.4, 0.9]])]
    assert hota.hota(frames, [0.5])["DetA"] == 0.0
    assert hota.hota(frames, [0.4])["DetA"] == pytest.approx(10 / 11)


def test_masks_by_hand() -> None:
    left = j_and_f.from_rows([[1, 1, 0, 0]] * 4)
    right = j_and_f.from_rows([[0, 1, 1, 0]] * 4)
    assert j_and_f.region_j(left, right) == pytest.approx(4 / 12)
    assert j_and_f.region_j(left, left) == 1.0
    empty = j_and_f.from_rows([[0] * 4] * 4)
    assert j_and_f.region_j(empty, empty) == 1.0
    assert j_and_f.boundary_f(empty, empty) == 1.0
    assert j_and_f.boundary_f(left, empty) == 0.0
    assert j_and_f.boundary_f(left, left) == 1.0
    # The outline of a 4 x 4 square in 8 x 8, moved by 4 pixels, is out of reach of 1 pixel.
    square = [[int(1 < x < 5 and 1 < y < 5) for x in range(12)] for y in range(8)]
    moved = [[int(6 < x < 10 and 1 < y < 5) for x in range(12)] for y in range(8)]
    a, b = j_and_f.from_rows(square), j_and_f.from_rows(moved)
    assert j_and_f.boundary_f(a, b, 1) == 0.0
    assert j_and_f.boundary_f(a, b, 6) == 1.0
    assert j_and_f.j_and_f([a, a], [a, b])[1] == 0.5


def test_run_length_codes_by_hand() -> None:
    # Column by column: 2 x 3, runs 1 0, 2 1, 3 0: pixels (row 1, col 0) and (row 0, col 1).
    mask = j_and_f.decode_rle([2, 3], [1, 2, 3])
    assert mask == j_and_f.from_rows([[0, 1, 0], [1, 0, 0]])
    assert j_and_f.encode_rle(mask) == [1, 2, 3]
    # The compressed form of pycocotools for the same runs: 1 -> "1", 2 -> "2", 3 - 0 -> "3".
    assert j_and_f.decode_rle([2, 3], "123") == mask
    with pytest.raises(ValueError, match="do not fill"):
        j_and_f.decode_rle([2, 3], [1, 2])
    with pytest.raises(ValueError, match="refused"):
        j_and_f.decode_rle([10**6, 10**6], [10**12])


def test_caption_tokens_follow_the_treebank() -> None:
    assert captions.tokens("The man's dog doesn't bark - twice, well-fed.") == [
        *("the", "man", "'s", "dog", "does", "n't", "bark", "twice", "well-fed"),
    ]


def test_meteor_equals_nltk() -> None:
    meteor_score = pytest.importorskip("nltk.translate.meteor_score").single_meteor_score

    class NoWords:
        """WordNet without any entry."""

        def synsets(self, word: str) -> list[str]:
            return []

    pairs = [
        ("the cat sat on the mat", "on the mat sat the cat"),
        ("a man is running fast", "a man runs fast in the park"),
        ("he cuts the onions and fries them", "onions are cut then fried"),
        ("dog", "cat"),
        ("the the the", "the"),
    ]
    for pred, gold in pairs:
        theirs = meteor_score(gold.split(), pred.split(), wordnet=NoWords())
        assert captions.meteor(pred, [gold]) == pytest.approx(theirs), (pred, gold)


def test_bleu_equals_nltk_with_several_references() -> None:
    corpus_bleu = pytest.importorskip("nltk.translate.bleu_score").corpus_bleu
    preds = ["a man is running in the park today", "the dog sits on the grass"]
    golds = [
        ["a man runs in the park", "a man is running in a park today"],
        ["a dog sits on the grass there"],
    ]
    theirs = [
        corpus_bleu(
            [[g.split() for g in gs] for gs in golds],
            [p.split() for p in preds],
            weights=[1 / n] * n,
        )
        for n in range(1, 5)
    ]
    assert captions.bleu(preds, golds) == pytest.approx(theirs)


def test_rouge_l_by_hand() -> None:
    # LCS "a man runs" of 4 and 5 words: P 3/4, R 3/5, F = 2.44 P R / (R + 1.44 P).
    p, r = 3 / 4, 3 / 5
    value = captions.rouge_l("a man runs away", ["a big man runs there"])
    assert value == pytest.approx(2.44 * p * r / (r + 1.44 * p))


def test_cider_by_hand() -> None:
    # Two items whose references share no word: idf = log 2 everywhere, equal texts give 10.
    same = captions.cider(["a b c d", "e f g h"], [["a b c d"], ["e f g h"]])
    assert same == [pytest.approx(10.0), pytest.approx(10.0)]
    # "a b": unigrams a b of a b c d, cosine 2 / (sqrt 2 x 2); bigram ab of 3, cosine 1 / sqrt 3;
    # no longer n-grams. Bigrams differ by two: penalty exp(-4 / 72).
    part = captions.cider(["a b", "e f g h"], [["a b c d"], ["e f g h"]])[0]
    expected = 10 / 4 * (2 / (math.sqrt(2) * 2) + 1 / math.sqrt(3)) * math.exp(-4 / 72)
    assert part == pytest.approx(expected)
    assert captions.cider(["a b"], [["a b"]]) == [0.0]  # a corpus of one has no rare words


def test_soda_by_hand() -> None:
    similarity = lambda a, b: float(a == b[0])  # noqa: E731 (texts equal or not)
    gold = [(0.0, 10.0, "x"), (10.0, 20.0, "y"), (20.0, 30.0, "z")]
    pred = [(0.0, 10.0, "x"), (20.0, 30.0, "z")]
    assert soda_c.soda_video(pred, gold, similarity) == pytest.approx((1, 2 / 3, 0.8), abs=1e-8)
    # Half the overlap of one event counts half.
    half = [(0.0, 5.0, "x"), (20.0, 30.0, "z")]
    assert soda_c.soda_video(half, gold, similarity)[0] == pytest.approx(0.75)
    # The best of several references counts.
    assert soda_c.soda_c([pred], [[gold, list(pred)]], similarity) == pytest.approx(1, abs=1e-8)
    # Events count in the order in which they stand, as in the published code.
    assert soda_c.soda_video(pred[::-1], gold, similarity)[2] == pytest.approx(0.4, abs=1e-8)
    # Crossing pairs cannot both count.
    assert soda_c.ordered_matching([[0, 1], [1, 0]]) == 1


def test_dense_scores_by_hand() -> None:
    gold = [[(0.0, 10.0, "a man runs away quickly")]]
    pred = [(0.0, 6.0, "a man runs away quickly"), (50.0, 60.0, "noise")]
    # tIoU 0.6 passes 0.3 and 0.5 of four thresholds; of two captions one is lost.
    one = captions.meteor("a man runs away quickly", ["a man runs away quickly"])
    assert soda_c.dense_caption_score(pred, gold) == pytest.approx(2 / 4 * one / 2)
    precision, recall, f1 = soda_c.localisation(pred, gold)
    assert (precision, recall) == (0.25, 0.5)
    assert f1 == pytest.approx(2 * 0.25 * 0.5 / 0.75)
    # A half is not more than a half, and the published evaluators say so of captions too.
    half = [(0.0, 5.0, "a man runs away quickly")]
    assert soda_c.localisation(half, gold)[1] == 0.25
    assert soda_c.dense_caption_score(half, gold) == pytest.approx(one / 4)
    # Recall and precision are those of the best annotator, not of all together.
    two = [[(0.0, 10.0, "x")], [(50.0, 60.0, "y")]]
    assert soda_c.localisation([(0.0, 10.0, "x"), (50.0, 60.0, "y")], two)[:2] == (0.5, 1.0)


def test_decisions_by_hand() -> None:
    pred, gold = [1, 1, 0, 0], [1, 0, 1, 0]
    assert decisions.precision(pred, gold, 1) == decisions.recall(pred, gold, 1) == 0.5
    assert decisions.f1(pred, gold, 1) == decisions.macro_f1(pred, gold) == 0.5
    assert decisions.cohen_kappa(pred, gold) == 0.0
    assert decisions.cohen_kappa([1, 0], [1, 0]) == 1.0
    # Ranks 1 and 3 of three: (1 + 2/3) / 2.
    scores, truth = [0.9, 0.8, 0.7], [True, False, True]
    assert decisions.average_precision(scores, truth) == pytest.approx((1 + 2 / 3) / 2)


@pytest.mark.parametrize(
    ("text", "right", "score"),
    [
        ("{'pred': 'yes', 'score': 4}", True, 4.0),
        ('{"pred": "no", "score": "0"}', False, 0.0),
        ('Here it is: {"pred": "yes", "score": 4.8}.', True, 4.8),
        ("pred: no, score: 2", False, 2.0),
        ("Correct", True, None),
        ("The answer is incorrect.", False, None),
        ("yes, but no", None, None),
        ("It is not fully correct.", False, None),
        ("I am not sure.", None, None),
        ("3", None, 3.0),
        ({"pred": "yes", "score": 5}, True, 5.0),
        (True, True, None),
        ("", None, None),
        (None, None, None),
        (float("nan"), None, None),
        ("It isn't right", False, None),
        ("The prediction wasn't true.", False, None),
        ("is not at all correct", False, None),
        ("The answer cannot be considered correct", False, None),
        ("This is far from correct", False, None),
        ("The prediction is not wrong.", None, None),
        ("The answer is partially correct", None, None),
        ("It lacks the correct colour", None, None),
        ("No errors: correct", True, None),
        ({"pred": "partially correct"}, None, None),
        ("pred: no score: 2", False, 2.0),
        ("Score: 4/5", None, 4.0),
        ("Score: 95%", None, None),
    ],
)
def test_verdicts_are_read_or_counted(text: object, right: bool | None, score: float) -> None:
    assert judge.parse_verdict(text) == (right, score)


def test_grades() -> None:
    assert [judge.parse_grade(t) for t in ("A", "B", "C", "CORRECT", "INCORRECT")] == [
        *(True, False, False, True, False)
    ]
    assert judge.parse_grade("I say NOT_ATTEMPTED") is False
    assert judge.parse_grade("perhaps") is None
    assert judge.parse_grade("not correct") is False
    assert judge.parse_grade("isn't CORRECT") is False
    assert judge.parse_grade("CORRECT rather than INCORRECT") is True


def test_judged_scores_by_hand() -> None:
    assert judge.judge_accuracy([True, None, False, True]) == 0.5
    assert judge.judge_score([4.0, None, 9.0]) == 3.0
    assert judge.judge_score([2.0, 3.0], 3) == 2.5
    assert judge.coverage_f1([True, False], [True, True, False, False]) == (0.5, 0.5, 0.5)
    assert judge.question_mean([[1, 0], [1, 1]]) == 0.75


def test_wups_by_hand() -> None:
    near = {("dog", "puppy"): 0.95, ("dog", "cat"): 0.85}

    def similarity(a: str, b: str) -> float:
        return 1.0 if a == b else near.get((a, b), near.get((b, a), 0.0))

    assert wups("dog", ["dog"]) == 1.0
    assert wups("dog", ["cat"], similarity=similarity) == pytest.approx(0.85)
    assert wups("dog", ["cat"], 0.9, similarity=similarity) == pytest.approx(0.085)
    assert wups("puppy", ["dog", "cat"], 0.9, similarity=similarity) == pytest.approx(0.95)
    assert wups("a big dog", ["dog"], stopwords=("a",)) == 0.0  # big is in no reference


def test_flips_and_groups_by_hand() -> None:
    assert flips.misleading_rate([1, 1, 0], [0, 1, 0]) == 0.5
    assert flips.correction_rate([1, 0, 0], [0, 1, 0]) == 0.5
    assert flips.consistency_score([1, 1, 1], [[1, 1], [1, 0], []]) == pytest.approx(2 / 3)
    assert flips.pair_scores([(1, 1), (1, 0)], [(1, 1), (1, 1)]) == (0.5, 1.0, 0.5)


def test_navigation_by_hand() -> None:
    assert navigation.spl([1.0, 9.0], [20.0, 5.0], [10.0, 5.0]) == 0.25
    assert navigation.navigation_success([2.9, 3.0]) == 0.5
    assert navigation.oracle_success([2.9, 3.0]) == 0.5
    assert navigation.navigation_error([1.0, 3.0]) == 2.0


def test_costs_by_hand() -> None:
    records = [{"id": 1, "frames": 8}, {"id": 2, "frames": 16}, {"id": 3, "frames": 32}]
    assert cost.per_question(records, "frames") == {"mean": pytest.approx(56 / 3), "median": 16.0}
    with pytest.raises(KeyError, match="record 4 has no frames"):
        cost.per_question([*records, {"id": 4}], "frames")
    assert cost.accuracy_per_kilotoken(0.5, 250) == 2.0
    assert cost.budget_reward(True, 25, 100, repeats=5) == pytest.approx(0.75 - 0.2)


def test_spans_that_may_be_refused() -> None:
    preds, golds = [None, (0, 10), None, (0, 5)], [None, None, (0, 1), (0, 10)]
    assert tiou.ra_iou(preds, golds) == pytest.approx((1 + 0 + 0 + 0.5) / 4)
    assert tiou.precision_at([[(0, 10)], []], [(0, 10), (0, 1)]) == 1.0


def test_tubes_at_thresholds() -> None:
    assert v_iou.m_v_iou([0.5, 0.1]) == pytest.approx(0.3)
    assert v_iou.v_iou_at([0.5, 0.1], 0.5) == 0.0
    assert v_iou.v_iou_at([0.5, 0.1], 0.5, strict=False) == 0.5


def test_metrics_need_no_array_library() -> None:
    """The directions of the house: metrics are standard library and rewards."""
    for path in (Path(captions.__file__).parent).glob("*.py"):
        assert "numpy" not in path.read_text(encoding="utf-8"), path.name
