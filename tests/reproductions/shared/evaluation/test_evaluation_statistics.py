import math
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reproductions.shared.evaluation import statistics as s

COUNTS = st.integers(0, 60).flatmap(lambda n: st.tuples(st.integers(0, n + 1), st.just(n + 1)))


def test_wilson_hand_worked():
    # z = 1.959964: (.8 + z2/20 +- z sqrt(.16/10 + z2/400)) / (1 + z2/10)
    interval = s.wilson(8, 10)
    assert interval.estimate == 0.8
    assert (interval.low, interval.high) == pytest.approx((0.490162, 0.943318), abs=1e-6)


@settings(deadline=None)  # the first call imports scipy
@given(COUNTS, st.sampled_from([0.9, 0.95, 0.99]))
def test_wilson_equals_scipy(counts, level):
    stats = pytest.importorskip("scipy.stats")
    successes, n = counts
    theirs = stats.binomtest(successes, n).proportion_ci(level, method="wilson")
    ours = s.wilson(successes, n, level)
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-12)
    assert 0 <= ours.low <= ours.estimate <= ours.high <= 1


@pytest.mark.parametrize(("successes", "n"), [(1, 0), (-1, 5), (6, 5)])
def test_wilson_refuses_impossible_counts(successes, n):
    with pytest.raises(ValueError, match="successes"):
        s.wilson(successes, n)


def test_level_is_a_share():
    with pytest.raises(ValueError, match=r"95 % is 0\.95"):
        s.wilson(1, 2, level=95)


def test_mcnemar_hand_worked():
    # 20 questions: a alone right on 1, b alone on 5. p = 2 (C(6,0) + C(6,1)) / 2^6 = 14/64.
    a = [1] + [0] * 5 + [1] * 7 + [0] * 7
    b = [0] + [1] * 5 + [1] * 7 + [0] * 7
    test = s.mcnemar(a, b)
    assert (test.only_a, test.only_b, test.n) == (1, 5, 20)
    assert test.p_value == 14 / 64
    assert test.difference == pytest.approx(0.2)
    # Bonett and Price: p1 = 2/22, p2 = 6/22; 4/22 +- 1.959964 sqrt((8/22 - (4/22)^2) / 22)
    assert (test.low, test.high) == pytest.approx((-0.058438, 0.422075), abs=1e-6)


@settings(deadline=None)
@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 20))
def test_mcnemar_equals_scipys_binomial_test(x, y, same):
    stats = pytest.importorskip("scipy.stats")
    a, b = [1] * x + [0] * y + [1] * (same + 1), [0] * x + [1] * y + [1] * (same + 1)
    test = s.mcnemar(a, b)
    expected = stats.binomtest(x, x + y).pvalue if x + y else 1.0
    assert test.p_value == pytest.approx(expected, rel=1e-9)
    assert -1 <= test.low <= test.high <= 1
    swapped = s.mcnemar(b, a)
    assert swapped.p_value == test.p_value
    assert (swapped.low, swapped.high) == pytest.approx((-test.high, -test.low))


def test_mcnemar_survives_thousands_of_disagreements():
    test = s.mcnemar([1] * 900 + [0] * 1000, [0] * 900 + [1] * 1000)
    assert test.p_value == pytest.approx(0.0231088, abs=1e-6)


def test_mcnemar_refuses_graded_scores():
    with pytest.raises(ValueError, match="paired_bootstrap"):
        s.mcnemar([0.5, 1], [0, 1])


def test_bootstrap_is_near_the_normal_interval_and_repeatable():
    values = np.random.default_rng(1).normal(3, 2, 400)
    interval = s.bootstrap(values, seed=5)
    half = 1.96 * values.std(ddof=1) / 20
    assert interval.low == pytest.approx(values.mean() - half, abs=0.03)
    assert interval.high == pytest.approx(values.mean() + half, abs=0.03)
    assert s.bootstrap(values, seed=5) == interval
    assert s.bootstrap(values, seed=6) != interval


def test_bootstrap_resamples_videos_not_questions():
    per_video = np.random.default_rng(2).random(40)
    ten_questions = np.repeat(per_video, 10)
    videos = [f"v{i // 10}" for i in range(400)]
    clustered = s.bootstrap(ten_questions, videos)
    alone = s.bootstrap(per_video)
    assert (clustered.low, clustered.high) == pytest.approx((alone.low, alone.high))
    naive = s.bootstrap(ten_questions)
    assert (naive.high - naive.low) < 0.4 * (clustered.high - clustered.low)


def test_bootstrap_of_any_statistic():
    values = np.random.default_rng(3).exponential(1, 200)
    clusters = [i // 2 for i in range(200)]
    slow = s.bootstrap(values, clusters, statistic=lambda v: float(v.mean()), n_resamples=500)
    fast = s.bootstrap(values, clusters, n_resamples=500)
    assert (slow.low, slow.high) == pytest.approx((fast.low, fast.high), rel=1e-9)
    median = s.bootstrap(values, statistic=lambda v: float(np.median(v)), n_resamples=500)
    assert median.low < median.estimate < median.high < fast.high


def test_one_video_allows_no_interval():
    interval = s.bootstrap([0.2, 0.4], clusters=["v", "v"])
    assert math.isnan(interval.low) and math.isnan(interval.high)
    test = s.paired_bootstrap([0.2, 0.4], [0.3, 0.5], clusters=["v", "v"])
    assert test.difference == pytest.approx(0.1) and math.isnan(test.p_value)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: s.bootstrap([]), "at least one score"),
        (lambda: s.bootstrap([1.0, math.nan]), "score 1 is nan"),
        (lambda: s.bootstrap([1.0, 2.0], ["v"]), "1 cluster labels"),
        (lambda: s.compare([1, 0], [1]), "same questions"),
    ],
)
def test_errors_name_what_is_wrong(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_paired_bootstrap_agrees_with_its_interval():
    rng = np.random.default_rng(4)
    for shift in np.linspace(0, 0.12, 13):
        a = rng.random(80)
        test = s.paired_bootstrap(a, a + rng.normal(shift, 0.3, 80), n_resamples=4000)
        if test.p_value < 0.045:
            assert test.low > 0 or test.high < 0
        if test.p_value > 0.055:
            assert test.low <= 0 <= test.high


def test_pairing_makes_the_test_sharper():
    rng = np.random.default_rng(5)
    a = rng.random(100)
    b = a + 0.03 + rng.normal(0, 0.05, 100)
    assert s.compare(a, b).p_value < 0.01
    unpaired = s.bootstrap(b).low - s.bootstrap(a).high
    assert unpaired < 0


def test_false_alarms_are_as_rare_as_promised():
    rng = random.Random(6)
    alarms = 0
    for _ in range(400):
        ease = [rng.random() for _ in range(60)]
        a = [float(rng.random() < e) for e in ease]
        b = [float(rng.random() < e) for e in ease]
        alarms += s.mcnemar(a, b).p_value < 0.05
    assert alarms / 400 <= 0.05


def test_seeds_hand_worked():
    # mean 2, s = 1, t(2; .975) = 4.302653
    near = s.mean_interval_over_seeds([0.9, 1.0], bounds=(0.0, 1.0))  # 0.95 +- 12.7 x 0.05
    assert (near.low, near.high) == (pytest.approx(0.3147, abs=1e-4), 1.0)
    assert math.isnan(s.mean_interval_over_seeds([0.9], bounds=(0.0, 1.0)).low)
    interval = s.mean_interval_over_seeds([1, 2, 3])
    assert (interval.low, interval.high) == pytest.approx((2 - 2.484138, 2 + 2.484138), abs=1e-6)
    test = s.paired_seed_test([1, 2, 3])
    assert test.p_permutation == 2 / 8  # only +++ and --- are as extreme
    assert test.exact
    assert s.paired_seed_test([-1, 2, 3]).p_permutation == 4 / 8  # sums 4, 6, -6, -4 of eight


@given(st.lists(st.floats(-1, 1).map(lambda x: round(x, 3)), min_size=2, max_size=12))
@settings(max_examples=60, deadline=None)
def test_seed_test_equals_scipy(differences):
    stats = pytest.importorskip("scipy.stats")
    ours = s.paired_seed_test(differences)
    if np.ptp(differences) > 0:
        theirs = stats.ttest_1samp(differences, 0)
        assert ours.p_t == pytest.approx(theirs.pvalue, abs=1e-9)
        low, high = theirs.confidence_interval(0.95)
        assert (ours.low, ours.high) == pytest.approx((low, high), abs=1e-9)
    exact = stats.permutation_test(
        (np.array(differences),), np.mean, permutation_type="samples", n_resamples=np.inf
    )
    assert ours.p_permutation == pytest.approx(exact.pvalue, abs=1e-9)


def test_seed_test_edges():
    one = s.paired_seed_test([0.1])
    assert one.p_permutation == 1 and math.isnan(one.p_t) and math.isnan(one.low)
    assert s.paired_seed_test([0.0, 0.0, 0.0]).p_permutation == 1
    many = s.paired_seed_test([0.1] * 20)
    assert not many.exact and many.p_permutation < 1e-4


def test_score_interval_chooses():
    assert "Wilson" in s.score_interval([1, 0, 1]).method
    assert "bootstrap over 3 questions" in s.score_interval([0.5, 0, 1]).method
    assert "bootstrap over 2 videos" in s.score_interval([1, 0, 1], ["a", "a", "b"]).method
    perfect = s.score_interval([1.0] * 30, [i // 10 for i in range(30)])
    assert perfect.high == 1 and perfect.low == pytest.approx(s.wilson(3, 3).low)
    assert perfect.n == 30
    halves = s.score_interval([1, 0] * 3, ["a", "a", "b", "b", "c", "c"])
    assert halves.estimate == 0.5 and halves.method == "Wilson score interval over 3 videos"
    assert (halves.low, halves.high) == pytest.approx((0.1253, 0.8747), abs=1e-4)


def test_compare_chooses():
    assert s.compare([1, 0, 0], [1, 1, 1]).test == "exact McNemar test"
    assert s.compare([1, 0, 0], [1, 1, 1], ["v", "v", "w"]).test.endswith("over 2 videos")
    assert s.compare([0.5, 0, 0], [1, 1, 1]).test.endswith("over 3 questions")


def test_holm_hand_worked():
    assert s.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    with_gap = s.holm([0.01, math.nan, 0.6])
    assert with_gap[0] == 0.02 and math.isnan(with_gap[1]) and with_gap[2] == 0.6
