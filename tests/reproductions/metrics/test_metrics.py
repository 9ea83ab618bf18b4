from __future__ import annotations

import math

import pytest

from reproductions.metrics import (
    accuracy,
    iop,
    mae,
    mra,
    order_consistency,
    pass_at_k,
    pauc,
    tiou,
    v_iou,
)
from reproductions.metrics import token_f1 as similarity


def test_accuracy_over_items_tasks_and_groups() -> None:
    scores, tasks = [1.0, 0.0, 1.0, 1.0], ["a", "a", "a", "b"]
    assert accuracy.accuracy(scores) == 0.75
    assert accuracy.macro_accuracy(scores, tasks) == pytest.approx((2 / 3 + 1) / 2)
    assert accuracy.all_right(scores, tasks) == 0.5
    assert accuracy.robustness([1, 1, 0], [[1, 1], [1, 0], [1, 1]]) == 0.5
    assert accuracy.knowledge_gain(0.5, 0.75) == 0.5
    assert accuracy.accuracy([]) == 0.0


def test_recall_counts_the_threshold_in_or_out() -> None:
    preds, golds = [(0, 5), None, (0, 10)], [(0, 10), (0, 1), (0, 10)]
    assert tiou.miou(preds, golds) == pytest.approx(0.5)
    assert tiou.recall_at(preds, golds, 0.5) == pytest.approx(2 / 3)
    assert tiou.recall_at(preds, golds, 0.5, strict=True) == pytest.approx(1 / 3)


def test_grounded_accuracy_needs_both() -> None:
    preds, golds = [(8, 12), (0, 30), None], [[(10, 20)], [(10, 20)], [(1, 2)]]
    assert iop.mean_iop(preds, golds) == pytest.approx((0.5 + 1 / 3) / 3)
    assert iop.acc_at_gqa([1, 1, 1], preds, golds) == pytest.approx(1 / 3)
    assert iop.acc_at_gqa([0, 1, 1], preds, golds) == 0.0
    assert iop.acc_at_iou([1, 1], [(10, 20), (0, 1)], [(10, 20), (10, 20)]) == 0.5


def test_the_two_mra_variants_differ_on_the_boundary() -> None:
    assert (mra.vsi_bench_mra(0.95, 1.0), mra.video_r1_mra(0.95, 1.0)) == (1.0, 0.9)


def test_tubes() -> None:
    box = [0, 0, 1, 1]
    assert v_iou.v_iou({0: box, 1: box}, {1: box, 2: box}) == pytest.approx(1 / 3)
    assert v_iou.v_star_am(0.3, 0.6, 0.9) == pytest.approx(0.6)
    assert v_iou.v_star_lgm(0.5, 0.5, 0.5) == pytest.approx(math.log(2))
    assert v_iou.centre_distance([[0, 0, 2, 2]], [[3, 4, 5, 6]]) == pytest.approx(5.0)


def test_counts() -> None:
    assert mae.mae([1, 5], [2, 9], cap=3) == 2.0
    assert mae.rmse([0, 0], [3, 4]) == pytest.approx(math.sqrt(12.5))
    assert mae.off_by_one_accuracy([1, 5], [2, 9]) == 0.5


def test_more_samples_than_there_are_cannot_be_drawn() -> None:
    for n, right, k in ((3, 0, 5), (3, 1, 5), (3, 4, 1), (3, 1, 0)):
        with pytest.raises(ValueError, match="at most n"):
            pass_at_k.pass_at_k(n, right, k)


def test_many_samples() -> None:
    assert pass_at_k.pass_at_k(4, 1, 2) == pytest.approx(0.5)
    assert pass_at_k.pass_at_k(4, 3, 2) == 1.0
    assert pass_at_k.majority_at_k([["A", "B", "B"], ["A", "B"]], ["B", "B"]) == 0.5
    assert pass_at_k.agreement_rate(["A", "B", "B", "B"]) == 0.75
    assert pass_at_k.best_of_n([[0.1, 0.9]], [[0.0, 1.0]]) == 1.0


def test_order() -> None:
    assert order_consistency.order_consistency("abc", "abc") == 1.0
    assert order_consistency.order_consistency("acb", "abc") == pytest.approx(2 / 3)
    assert order_consistency.order_consistency("ab", "abc") == pytest.approx(1 / 3)
    assert order_consistency.order_and_count("ab", "abc") == 0.0


def test_ndcg_runs_from_the_reverse_to_the_true_order() -> None:
    # Gains 3, 2, 1 over log2(2), log2(3), log2(4): best 4.7619, worst 1 + 1.2619 + 1.5 = 3.7619.
    assert order_consistency.ndcg("abc", "abc") == 1.0
    assert order_consistency.ndcg("cba", "abc") == 0.0
    gain = 2 + 3 / math.log2(3) + 1 / 2
    best = 3 + 2 / math.log2(3) + 1 / 2
    worst = 1 + 2 / math.log2(3) + 3 / 2
    assert order_consistency.ndcg("bac", "abc") == pytest.approx((gain - worst) / (best - worst))
    for broken in ("ab", "abb", "abd", "abcc", ""):
        assert order_consistency.ndcg(broken, "abc") == 0.0
    assert order_consistency.ndcg("a", "a") == 1.0


def test_replies_in_time() -> None:
    span = (10.0, 20.0)
    assert pauc.pauc({}, span) == 0.25
    assert pauc.pauc({10.0: 2}, span) == 1.0
    # At 14 s, right: 0.5 for 4 s (2 s at omega 0.5, none at 1), then 2.
    assert pauc.pauc({14.0: 2}, span, omega=0) == pytest.approx((0.5 * 4 + 2 * 6) / 20)
    assert pauc.pauc({14.0: 2}, span) == pytest.approx((0.5 * 2 + 2 * 8) / 20)
    assert pauc.pauc({14.0: 2}, span, omega=1) == 1.0
    # Wrong at 12 s, half right at 16 s: 0.5 for 2 s, 0 for 4 s, 1 for 4 s.
    assert pauc.pauc({16.0: 1, 12.0: 0}, span, omega=0) == pytest.approx((1 + 0 + 4) / 20)
    # Five steps of a training reward: silence is an eighth, and what is said outside is not heard.
    assert pauc.pauc({9.9: 4, 20.1: 4}, span, highest=4) == 0.125
    assert (pauc.pauc({5: 1}, (5, 5)), pauc.pauc({}, (5, 5))) == (0.5, 0.25)
    assert pauc.pauc({12.0: math.nan, 13.0: 9}, span, omega=1) == 1.0


def test_a_late_and_worse_reply_is_about_the_next_moment() -> None:
    scores = {1.0: 2.0, 6.0: 1.0, 7.0: 2.0}
    assert pauc.without_next(scores, (0, 5)) == {1.0: 2.0, 7.0: 2.0}
    assert pauc.without_next({6.0: 1.0}, (0, 5)) == {6.0: 1.0}
    assert pauc.without_next({6.0: 1.0, 7.0: 0.0}, (0, 5)) == {6.0: 1.0, 7.0: 0.0}


def test_similarity() -> None:
    assert similarity.edit_similarity("abcd", "abxd") == 0.75
    assert similarity.edit_similarity("", "") == 1.0


def test_f1_of_spans_at_a_threshold() -> None:
    """Three said, two of them right by the same true span, of two: 2 / 3 and 1 / 2."""
    said, true = [(0, 10), (1, 10), (50, 60)], [(0, 10), (20, 30)]
    assert tiou.f1_at(said, true, 0.5) == pytest.approx(4 / 7)
    assert tiou.f1_at(said, true, 0.95) == pytest.approx(2 * (1 / 3) * (1 / 2) / (5 / 6))
    assert tiou.f1_at([], true) == tiou.f1_at(said, []) == 0.0
