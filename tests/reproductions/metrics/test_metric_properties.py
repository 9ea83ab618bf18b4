"""What must hold for any input: bounds, symmetry, permutation of items, perfect answers."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reproductions.metrics import (
    accuracy,
    captions,
    decisions,
    highlight_map,
    hota,
    iop,
    j_and_f,
    judge,
    mae,
    map_at_iou,
    mra,
    order_consistency,
    pauc,
    soda_c,
    tiou,
    token_f1,
    tracking,
    v_iou,
)
from reproductions.metrics.wups import wups

TIME = st.floats(0, 100, allow_nan=False).map(lambda x: round(x, 2))
SPAN = st.tuples(TIME, TIME).map(lambda p: (min(p), max(p) + 0.5))
RANKED = st.tuples(SPAN, st.floats(0, 1)).map(lambda p: (*p[0], p[1]))
BOX = st.tuples(*[st.floats(0, 50)] * 4).map(
    lambda b: [b[0], b[1], b[0] + b[2] + 1, b[1] + b[3] + 1]
)
WORD = st.sampled_from(
    ("the", "a", "man", "dog", "runs", "cuts", "onion", "on", "in", "is", "fast")
)
TEXT = st.lists(WORD, min_size=1, max_size=8).map(" ".join)
EVENT = st.tuples(SPAN, TEXT).map(lambda e: (e[0][0], e[0][1], e[1]))
BITS = st.lists(st.lists(st.booleans(), min_size=5, max_size=5), min_size=4, max_size=4)
QUERIES = st.lists(
    st.tuples(st.lists(RANKED, max_size=5), st.lists(SPAN, min_size=1, max_size=3)),
    min_size=1,
    max_size=6,
)


def shuffled(items: list[Any]) -> list[Any]:
    return random.Random(0).sample(items, len(items))


def in_unit(value: float) -> bool:
    return -1e-12 <= value <= 1 + 1e-12


@given(QUERIES)
@settings(suppress_health_check=[HealthCheck.too_slow])  # on a busy machine the draw is
def test_moments(queries: list[Any]) -> None:
    preds, golds = zip(*queries, strict=True)
    value = map_at_iou.map_at_iou(preds, golds)
    assert in_unit(value)
    mixed = shuffled(queries)
    other = map_at_iou.map_at_iou(*zip(*mixed, strict=True))
    assert abs(value - other) < 1e-9
    perfect = [[(*g, 1.0 - i / 10) for i, g in enumerate(gs)] for gs in golds]
    if all(len({tuple(s) for s in gs}) == len(gs) for gs in golds):
        assert abs(map_at_iou.map_at_iou(perfect, golds, [0.5]) - 1.0) < 1e-9
    recalls = [map_at_iou.recall_at_n(preds, golds, n) for n in (1, 2, 5)]
    assert recalls == sorted(recalls)


@given(st.lists(st.tuples(st.none() | SPAN, SPAN), min_size=1, max_size=8))
def test_spans(pairs: list[Any]) -> None:
    preds, golds = zip(*pairs, strict=True)
    assert in_unit(tiou.miou(preds, golds))
    assert abs(tiou.miou(preds, golds) - tiou.miou(*zip(*shuffled(pairs), strict=True))) < 1e-9
    shares = [tiou.recall_at(preds, golds, t) for t in (0.3, 0.5, 0.7)]
    assert shares == sorted(shares, reverse=True)
    for p, g in pairs:
        if p is not None:
            assert abs(tiou.tiou(p, g) - tiou.tiou(g, p)) < 1e-12
            assert in_unit(iop.iop(p, g))
            assert iop.iop(p, g) >= tiou.union_iou(p, g) - 1e-9
    said = [p for p in preds if p is not None]
    shares = [tiou.f1_at(said, golds, t) for t in (0.3, 0.5, 0.7)]
    assert shares == sorted(shares, reverse=True)
    assert all(in_unit(s) for s in shares)
    assert abs(tiou.f1_at(said, golds) - tiou.f1_at(golds, said)) < 1e-12
    nested = [[g] for g in golds]
    right = [1.0] * len(pairs)
    assert iop.acc_at_gqa(right, preds, nested) >= iop.acc_at_iou(right, preds, golds) - 1e-9


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=12))
def test_ranked_decisions(items: list[Any]) -> None:
    scores, gold = zip(*items, strict=True)
    plain = decisions.average_precision(scores, gold)
    assert in_unit(plain)
    assert decisions.average_precision(scores, gold, interpolated=True) >= plain - 1e-9
    assert in_unit(highlight_map.saliency_ap(list(scores), list(gold)))
    # AP depends on the order alone: any growing function of the scores keeps it.
    cubes = [s**3 for s in scores]
    if len(set(cubes)) == len(set(scores)):
        same = highlight_map.saliency_ap(cubes, list(gold))
        assert abs(same - highlight_map.saliency_ap(list(scores), list(gold))) < 1e-9


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=20))
def test_agreement_is_symmetric(pairs: list[Any]) -> None:
    a, b = zip(*pairs, strict=True)
    assert abs(decisions.cohen_kappa(a, b) - decisions.cohen_kappa(b, a)) < 1e-9
    assert decisions.f1(a, b) == decisions.f1(b, a)
    assert decisions.precision(a, b) == decisions.recall(b, a)
    assert -1 - 1e-9 <= decisions.cohen_kappa(a, b) <= 1 + 1e-9


@given(st.lists(st.tuples(BOX, BOX), min_size=1, max_size=6))
def test_tracks(pairs: list[Any]) -> None:
    pred, gold = zip(*pairs, strict=True)
    ious = [tracking.overlaps(pred, gold)]
    assert in_unit(tracking.average_overlap(ious))
    assert in_unit(tracking.success_auc(ious))
    # The area under the success curve is the mean overlap, up to the step of the thresholds.
    assert abs(tracking.success_auc(ious) - tracking.average_overlap(ious)) <= 0.05 + 1e-9
    assert tracking.tracking_precision([gold], [gold]) == 1.0
    assert tracking.normalised_precision([gold], [gold]) == 1.0
    tube = dict(enumerate(pred)), dict(enumerate(gold))
    assert abs(v_iou.v_iou(*tube) - v_iou.v_iou(*reversed(tube))) < 1e-9
    assert v_iou.v_iou(tube[1], tube[1]) == 1.0
    frames = [([1], [1], [[v]]) for v in ious[0]]
    scores = hota.hota(frames)
    assert all(in_unit(v) for v in scores.values())


@given(BITS, BITS)
def test_masks(a: list[Any], b: list[Any]) -> None:
    p, g = j_and_f.from_rows(a), j_and_f.from_rows(b)
    assert j_and_f.region_j(p, g) == j_and_f.region_j(g, p)
    assert abs(j_and_f.boundary_f(p, g) - j_and_f.boundary_f(g, p)) < 1e-12
    assert j_and_f.region_j(p, p) == j_and_f.boundary_f(p, p) == 1.0
    assert in_unit(j_and_f.boundary_f(p, g))
    assert j_and_f.decode_rle([4, 5], j_and_f.encode_rle(p)) == p


@given(st.lists(st.tuples(TEXT, st.lists(TEXT, min_size=1, max_size=3)), min_size=2, max_size=5))
@settings(max_examples=60, deadline=None)
def test_captions(items: list[Any]) -> None:
    preds, golds = zip(*items, strict=True)
    scores = captions.cider(preds, golds)
    assert all(-1e-9 <= s <= 10 + 1e-9 for s in scores)
    mixed = captions.cider(*zip(*reversed(items), strict=True))
    assert all(abs(a - b) < 1e-9 for a, b in zip(scores, reversed(mixed), strict=True))
    bleus = captions.bleu(preds, golds)
    assert all(in_unit(b) for b in bleus)
    assert captions.bleu([g[0] for g in golds], golds)[0] > 1 - 1e-9
    for pred, gold in items:
        assert in_unit(captions.meteor(pred, gold))
        assert captions.meteor(pred, [*gold, pred]) >= captions.meteor(pred, gold)
        assert abs(captions.rouge_l(pred, [pred]) - 1.0) < 1e-9
        assert in_unit(wups(pred, gold))
        assert abs(wups(pred, [gold[0]]) - wups(gold[0], [pred])) < 1e-12
        assert in_unit(token_f1.token_f1(pred, gold[0]))
        assert token_f1.edit_similarity(pred, gold[0]) == token_f1.edit_similarity(gold[0], pred)


@given(st.lists(EVENT, min_size=1, max_size=4), st.lists(EVENT, min_size=1, max_size=4))
@settings(max_examples=60, deadline=None)
def test_dense_captions(pred: list[Any], gold: list[Any]) -> None:
    precision, recall, f1 = soda_c.soda_video(pred, gold)
    assert all(in_unit(v) for v in (precision, recall, f1))
    # The order of the events counts: put in the order of the gold they match at best.
    assert soda_c.soda_video(gold, gold)[2] >= soda_c.soda_video(shuffled(gold), gold)[2] - 1e-12
    assert soda_c.soda_c([pred], [[gold, pred]]) >= soda_c.soda_c([pred], [[gold]])
    assert in_unit(soda_c.dense_caption_score(pred, [gold]))
    p, r, _ = soda_c.localisation(pred, [pred])
    assert p == r == 1.0


@given(st.floats(0.1, 1000), st.floats(0.1, 1000))
def test_relative_accuracy(pred: float, gold: float) -> None:
    for score in (mra.vsi_bench_mra, mra.video_r1_mra):
        assert in_unit(score(pred, gold))
    assert mra.vsi_bench_mra(gold, gold) == 1.0
    # "<" never counts more than "<=", up to the rounding of float32.
    assert mra.video_r1_mra(pred, gold) <= mra.vsi_bench_mra(pred, gold) + 0.1


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=1, max_size=10))
def test_counts(pairs: list[Any]) -> None:
    preds, golds = zip(*pairs, strict=True)
    assert mae.mae(preds, golds) == mae.mae(golds, preds)
    assert mae.mae(preds, golds) <= mae.rmse(preds, golds) + 1e-9
    assert in_unit(mae.off_by_one_accuracy(preds, golds))


@given(st.text(max_size=60) | st.integers() | st.none() | st.dictionaries(st.text(), st.text()))
def test_any_verdict_is_read_without_an_error(text: Any) -> None:
    right, score = judge.parse_verdict(text)
    assert right in (True, False, None)
    assert score is None or isinstance(score, float)
    assert judge.parse_grade(text) in (True, False, None)


@given(
    SPAN,
    st.dictionaries(TIME, st.integers(0, 2), max_size=6),
    st.floats(0, 1),
    st.floats(0, 1),
)
def test_replies(span: Any, scores: dict[float, int], omega: float, other: float) -> None:
    value = pauc.pauc(scores, span, omega=omega)
    assert in_unit(value)
    # Shifting replies and span together changes nothing; nor does what is said outside.
    moved = pauc.pauc({t + 7: s for t, s in scores.items()}, [x + 7 for x in span], omega=omega)
    inside = {t: s for t, s in scores.items() if span[0] <= t <= span[1]}
    assert abs(pauc.pauc(inside, span, omega=omega) - value) < 1e-12
    if len(inside) == len({t for t in scores if span[0] + 7 <= t + 7 <= span[1] + 7}):
        assert abs(moved - value) < 1e-6
    # Better scores never lose, and where scores only rise a larger omega never loses.
    assert pauc.pauc(dict.fromkeys(scores, 2), span, omega=omega) >= value - 1e-12
    rising = {t: max(s for u, s in inside.items() if u <= t) for t in inside if inside[t]}
    low, high = sorted((omega, other))
    if rising and min(rising.values()) >= 1:
        best = pauc.pauc(rising, span, omega=high)
        assert best >= pauc.pauc(rising, span, omega=low) - 1e-9


@given(st.permutations(range(5)), st.permutations(range(5)))
def test_orders(pred: list[int], gold: list[int]) -> None:
    value = order_consistency.ndcg(pred, gold)
    assert in_unit(value)
    assert (value == 1.0) == (pred == gold)
    assert order_consistency.ndcg(gold[::-1], gold) == 0.0
    # Two neighbours put right never lose.
    for i in range(4):
        if gold.index(pred[i]) > gold.index(pred[i + 1]):
            better = [*pred[:i], pred[i + 1], pred[i], *pred[i + 2 :]]
            assert order_consistency.ndcg(better, gold) > value


@given(st.lists(st.booleans(), min_size=4, max_size=4), st.integers(0, 3))
def test_groups_of_questions(right: list[bool], place: int) -> None:
    mended = [r or i == place for i, r in enumerate(right)]
    for structure in ("", *accuracy.CHAINS):
        value = accuracy.nonlinear_group_score(right, structure)
        assert in_unit(value)
        assert (value == 1.0) == all(right)
        assert accuracy.nonlinear_group_score(mended, structure) >= value
    # A plain chain is worth at most what as many right answers in any order are.
    chain = accuracy.nonlinear_group_score(right, "[1, 2, 3, 4]")
    assert chain <= accuracy.nonlinear_group_score(right)
