from __future__ import annotations

import math

import pytest

from reproductions.metrics import accuracy, iop, mae, mra, order_consistency, pass_at_k, tiou, v_iou
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
    assert tiou.best_iou([(0, 1), (0, 10)], (0, 10)) == 1.0


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


def test_similarity() -> None:
    assert similarity.edit_similarity("abcd", "abxd") == 0.75
    assert similarity.edit_similarity("", "") == 1.0
