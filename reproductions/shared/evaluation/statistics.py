"""Intervals and tests for scores: every number a report shows comes from here.

Two questions decide which function fits:

- Is a score 0 or 1 (accuracy) or anything between (tIoU, ROUGE)? Proportions have exact tools:
  `wilson`, `mcnemar`. All else is resampled: `bootstrap`, `paired_bootstrap`.
- Are there several questions about one video? Their scores are correlated, so the video, not the
  question, is resampled: pass the video of each question as `clusters`. Ignoring this makes
  intervals too narrow.

`score_interval` and `compare` make that choice. Differences between training seeds are a third
matter (`mean_interval_over_seeds`, `paired_seed_test`): their spread says how a *method* does,
while the functions above say how one *checkpoint* does.

Standard library and numpy only; the tests compare with scipy.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Scores = Sequence[float] | Floats
Clusters = Sequence[Hashable]
Statistic = Callable[[Floats], float]

N_RESAMPLES = 10_000
"""Default number of bootstrap resamples: p-values resolve to 2e-4, in well under a second."""


@dataclass(frozen=True)
class Interval:
    """An estimate with its two-sided confidence interval.

    Attributes:
        estimate: The point estimate.
        low: Lower end; NaN where one unit of resampling (one video, one seed) allows no interval.
        high: Upper end; NaN as for `low`.
        level: Confidence level in (0, 1).
        n: Number of scores behind the estimate.
        method: How it was computed, in words for a table's foot.
    """

    estimate: float
    low: float
    high: float
    level: float
    n: int
    method: str


@dataclass(frozen=True)
class PairedTest:
    """The difference b - a on the same questions, with interval and two-sided test.

    Attributes:
        difference: mean(b) - mean(a).
        low: Lower end of the interval of the difference; NaN where it cannot be computed.
        high: Upper end; NaN as for `low`.
        p_value: Two-sided p-value of "no difference"; NaN as for `low`.
        level: Confidence level in (0, 1).
        n: Number of pairs.
        test: Name of the test, in words for a table's foot.
        only_a: Pairs in which a is better.
        only_b: Pairs in which b is better.
    """

    difference: float
    low: float
    high: float
    p_value: float
    level: float
    n: int
    test: str
    only_a: int
    only_b: int


@dataclass(frozen=True)
class SeedTest:
    """Differences between two methods over paired seeds.

    Attributes:
        mean: Mean difference.
        low: Lower end of the t interval; NaN for one seed.
        high: Upper end; NaN for one seed.
        p_permutation: Two-sided p-value of the sign-flip test. With k seeds it is never below
            2 / 2**k: five seeds cannot reach 0.05, six can.
        p_t: Two-sided p-value of the paired t-test; NaN for one seed.
        level: Confidence level in (0, 1).
        n: Number of seeds.
        exact: Whether all 2**n sign patterns were counted.
    """

    mean: float
    low: float
    high: float
    p_permutation: float
    p_t: float
    level: float
    n: int
    exact: bool


def wilson(successes: float, n: int, level: float = 0.95) -> Interval:
    """Score interval of a proportion; keeps its coverage for small n and near 0 and 1.

    With p = successes / n and z the normal quantile of (1 + level) / 2:
    (p + z^2/2n +- z sqrt(p(1-p)/n + z^2/4n^2)) / (1 + z^2/n).
    Wilson, JASA 22 (1927) 209-212.

    Raises:
        ValueError: `n` < 1, `successes` outside 0..n, or `level` outside (0, 1).
    """
    if n < 1 or not 0 <= successes <= n:
        raise ValueError(f"wilson: needs 0 <= successes <= n and n >= 1, got {successes} of {n}")
    z = _normal_quantile(level)
    p = successes / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    # At the edges the formula gives exactly 0 and 1; rounding may miss them by 1e-17.
    low = 0.0 if successes == 0 else centre - half
    high = 1.0 if successes == n else centre + half
    return Interval(p, low, high, level, n, "Wilson score interval")


def bootstrap(
    values: Scores,
    clusters: Clusters | None = None,
    statistic: Statistic | None = None,
    seed: int = 0,
    n_resamples: int = N_RESAMPLES,
    level: float = 0.95,
) -> Interval:
    """Percentile bootstrap interval of a statistic; whole clusters are drawn with replacement.

    The ends are the (1 - level)/2 and (1 + level)/2 quantiles of the statistic over resamples.
    Efron and Tibshirani, An Introduction to the Bootstrap (1993), ch. 13; for clusters, Davison and
    Hinkley, Bootstrap Methods and their Application (1997), sec. 3.8. Below about 20 clusters the
    interval is too narrow.

    Args:
        values: One score a question, finite.
        clusters: The video of each question; None if all questions are independent.
        statistic: Maps a float array [m] to a number; None is the mean, which is much faster.
        seed: Seed of the resampling; equal inputs give equal intervals.
        n_resamples: Number of resamples.
        level: Confidence level in (0, 1).

    Raises:
        ValueError: No values, a value that is not finite, or lengths that differ.
    """
    scores = _scores("bootstrap", values)
    groups = _groups("bootstrap", scores, clusters)
    estimate = float(scores.mean()) if statistic is None else float(statistic(scores))
    method = (
        f"percentile bootstrap over {len(groups)} {'questions' if clusters is None else 'videos'}"
    )
    if len(groups) < 2:
        return Interval(estimate, math.nan, math.nan, level, len(scores), method)
    if statistic is None:
        drawn = _resampled_means(scores, groups, seed, n_resamples)
    else:
        rng = np.random.default_rng(seed)
        drawn = np.array(
            [
                statistic(scores[np.concatenate([groups[i] for i in chosen])])
                for chosen in rng.integers(0, len(groups), (n_resamples, len(groups)))
            ]
        )
    low, high = _percentile_ends(drawn, level)
    return Interval(estimate, low, high, level, len(scores), method)


def mcnemar(a: Scores, b: Scores, level: float = 0.95) -> PairedTest:
    """Exact McNemar test of two checkpoints on the same questions, scores 0 or 1.

    Only the questions on which they disagree count: with x of them won by a and y by b,
    p = min(1, 2 P(X <= min(x, y))), X ~ Binomial(x + y, 1/2). McNemar, Psychometrika 12 (1947)
    153-157. The interval of the difference is Bonett and Price's adjusted Wald interval:
    (y - x)/(n + 2) +- z sqrt((p1 + p2 - (p2 - p1)^2)/(n + 2)), p1 = (x + 1)/(n + 2),
    p2 = (y + 1)/(n + 2); J. Educ. Behav. Stat. 37 (2012) 479-488. It assumes independent questions:
    with several questions a video use `paired_bootstrap`.

    Raises:
        ValueError: Scores other than 0 and 1, no pairs, or lengths that differ.
    """
    first, second = _pair("mcnemar", a, b)
    if not (_is_binary(first) and _is_binary(second)):
        raise ValueError("mcnemar: scores must be 0 or 1; use paired_bootstrap for other scores")
    n = len(first)
    only_a, only_b = int((first > second).sum()), int((second > first).sum())
    p1, p2 = (only_a + 1) / (n + 2), (only_b + 1) / (n + 2)
    half = _normal_quantile(level) * math.sqrt((p1 + p2 - (p2 - p1) ** 2) / (n + 2))
    return PairedTest(
        difference=(only_b - only_a) / n,
        low=max(-1.0, p2 - p1 - half),
        high=min(1.0, p2 - p1 + half),
        p_value=_sign_test(only_a, only_b),
        level=level,
        n=n,
        test="exact McNemar test",
        only_a=only_a,
        only_b=only_b,
    )


def paired_bootstrap(
    a: Scores,
    b: Scores,
    clusters: Clusters | None = None,
    seed: int = 0,
    n_resamples: int = N_RESAMPLES,
    level: float = 0.95,
) -> PairedTest:
    """Bootstrap of the mean difference b - a over the same questions, clustered by video.

    The p-value inverts the percentile interval: p = 2 min(P(d* <= 0), P(d* >= 0)), counted with
    (k + 1)/(R + 1) so that it is never 0; it is below 1 - level only where the interval excludes
    0 (up to resampling). Efron and Tibshirani (1993), ch. 13 and 16.

    Raises:
        ValueError: No pairs, values that are not finite, or lengths that differ.
    """
    first, second = _pair("paired_bootstrap", a, b)
    differences = second - first
    groups = _groups("paired_bootstrap", differences, clusters)
    low = high = p_value = math.nan
    if len(groups) >= 2:
        drawn = _resampled_means(differences, groups, seed, n_resamples)
        low, high = _percentile_ends(drawn, level)
        tail = min(int((drawn <= 0).sum()), int((drawn >= 0).sum()))
        p_value = min(1.0, 2 * (tail + 1) / (n_resamples + 1))
    return PairedTest(
        difference=float(differences.mean()),
        low=low,
        high=high,
        p_value=p_value,
        level=level,
        n=len(differences),
        test=f"paired bootstrap over {len(groups)} {'questions' if clusters is None else 'videos'}",
        only_a=int((differences < 0).sum()),
        only_b=int((differences > 0).sum()),
    )


def score_interval(
    scores: Scores, clusters: Clusters | None = None, seed: int = 0, level: float = 0.95
) -> Interval:
    """Interval of a mean score: Wilson for independent 0/1 scores, else the clustered bootstrap.

    If all videos have the same mean (all right, all wrong, half right each) a bootstrap over them
    has no width. 0/1 scores then take Wilson's interval with the number of videos as n, which is
    the cautious choice.

    Args:
        scores: One score a question.
        clusters: The video of each question, or None.
        seed: Seed of the resampling.
        level: Confidence level in (0, 1).
    """
    values = _scores("score_interval", scores)
    groups = _groups("score_interval", values, clusters)
    if _is_binary(values) and len(groups) == len(values):
        return wilson(int(values.sum()), len(values), level)
    found = bootstrap(values, clusters, seed=seed, level=level)
    means = [values[group].mean() for group in groups]
    if not _is_binary(values) or np.ptp(means) > 0:
        return found
    cautious = wilson(found.estimate * len(groups), len(groups), level)
    method = f"Wilson score interval over {len(groups)} videos"
    return Interval(found.estimate, cautious.low, cautious.high, level, len(values), method)


def compare(
    a: Scores, b: Scores, clusters: Clusters | None = None, seed: int = 0, level: float = 0.95
) -> PairedTest:
    """Paired test of b against a: McNemar for independent 0/1 scores, else the paired bootstrap.

    Args:
        a: Scores of the first checkpoint, one a question.
        b: Scores of the second checkpoint on the same questions, in the same order.
        clusters: The video of each question, or None.
        seed: Seed of the resampling.
        level: Confidence level in (0, 1).
    """
    first, second = _pair("compare", a, b)
    independent = len(_groups("compare", first, clusters)) == len(first)
    if independent and _is_binary(first) and _is_binary(second):
        return mcnemar(first, second, level)
    return paired_bootstrap(first, second, clusters, seed=seed, level=level)


def mean_interval_over_seeds(
    values: Scores, level: float = 0.95, bounds: tuple[float, float] = (-math.inf, math.inf)
) -> Interval:
    """Student's t interval of a mean over training seeds: m +- t(k - 1) s / sqrt(k).

    Student, Biometrika 6 (1908) 1-25. One value gives NaN ends: a spread cannot be known from it.

    Args:
        values: One value a seed.
        level: Confidence level in (0, 1).
        bounds: What the mean can be at all: with few seeds the interval does not know that a share
            lies in 0 to 1, and is cut there.

    Raises:
        ValueError: No values, or a value that is not finite.
    """
    scores = _scores("mean_interval_over_seeds", values)
    k, mean = len(scores), float(scores.mean())
    half = math.nan
    if k > 1:
        half = _t_quantile(level, k - 1) * float(scores.std(ddof=1)) / math.sqrt(k)
    low, high = (float(np.clip(end, *bounds)) for end in (mean - half, mean + half))
    return Interval(mean, low, high, level, k, f"t interval over {k} seeds")


def paired_seed_test(differences: Scores, level: float = 0.95, seed: int = 0) -> SeedTest:
    """Is the mean difference over paired seeds zero? Sign-flip permutation test and t-test.

    Under "no difference" each seed's difference is as likely as its negative, so the p-value is the
    share of the 2**k sign patterns whose absolute mean is at least the observed one: exact up to
    k = 16, else 2**16 random patterns. Fisher, The Design of Experiments (1935), sec. 21.
    t = m sqrt(k) / s with k - 1 degrees of freedom.

    Raises:
        ValueError: No differences, or one that is not finite.
    """
    values = _scores("paired_seed_test", differences)
    k = len(values)
    interval = mean_interval_over_seeds(values, level)
    exact = k <= 16
    if exact:
        signs = np.array(list(itertools.product((1.0, -1.0), repeat=k)))
    else:
        signs = np.random.default_rng(seed).choice((1.0, -1.0), size=(2**16, k))
    # The tolerance counts patterns that tie with the observed one up to rounding.
    slack = 1e-12 * float(np.abs(values).sum())
    extreme = int((np.abs(signs @ values) >= abs(float(values.sum())) - slack).sum())
    p_permutation = extreme / len(signs) if exact else (extreme + 1) / (len(signs) + 1)
    p_t = math.nan
    if k > 1:
        error = float(values.std(ddof=1)) / math.sqrt(k)
        if error > 0:
            p_t = 1 - _t_mass(abs(interval.estimate) / error, k - 1)
        else:
            p_t = 1.0 if interval.estimate == 0 else 0.0
    return SeedTest(
        interval.estimate, interval.low, interval.high, p_permutation, p_t, level, k, exact
    )


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p-values for several tests, in the given order.

    Sorted ascending, p(i) becomes max over j <= i of min(1, (m - j + 1) p(j)).
    Holm, Scand. J. Statist. 6 (1979) 65-70. NaN (a test that could not be made) stays NaN and
    does not count.
    """
    order = sorted((p, i) for i, p in enumerate(p_values) if not math.isnan(p))
    adjusted = [math.nan] * len(p_values)
    running = 0.0
    for rank, (p, i) in enumerate(order):
        running = max(running, min(1.0, (len(order) - rank) * p))
        adjusted[i] = running
    return adjusted


def _normal_quantile(level: float) -> float:
    """The z of a two-sided interval, for example 1.96 for level 0.95."""
    if not 0 < level < 1:
        raise ValueError(f"level must lie in (0, 1), got {level}; 95 % is 0.95")
    return NormalDist().inv_cdf((1 + level) / 2)


def _t_mass(t: float, dof: int) -> float:
    """P(|T| <= t) of Student's t with whole `dof` >= 1 and t >= 0.

    Finite series of Abramowitz and Stegun, Handbook of Mathematical Functions, 26.7.3 and 26.7.4.
    """
    theta = math.atan(t / math.sqrt(dof))
    sine, cosine = math.sin(theta), math.cos(theta)
    odd = dof % 2 == 1
    term, total = (cosine, 0.0) if odd else (1.0, 0.0)
    for k in range(1 if odd else 0, dof - 1, 2):
        total += term
        term *= cosine * cosine * (k + 1) / (k + 2)
    if odd:
        return 2 / math.pi * (theta + sine * total)
    return sine * total


def _t_quantile(level: float, dof: int) -> float:
    """The t with P(|T| <= t) = level, by bisection."""
    _normal_quantile(level)  # same bounds, same message
    low, high = 0.0, 1.0
    while _t_mass(high, dof) < level:
        high *= 2
    for _ in range(100):
        middle = (low + high) / 2
        if _t_mass(middle, dof) < level:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _sign_test(x: int, y: int) -> float:
    """min(1, 2 P(X <= min(x, y))) for X ~ Binomial(x + y, 1/2), in whole numbers."""
    tail = sum(math.comb(x + y, k) for k in range(min(x, y) + 1))
    # Dividing whole numbers is exact to the last bit; 2.0**n overflows above 1,023 disagreements.
    return min(1.0, tail / (1 << max(0, x + y - 1)))


def _scores(name: str, values: Scores) -> Floats:
    scores = np.asarray(values, dtype=np.float64)
    if scores.ndim != 1 or len(scores) == 0:
        raise ValueError(f"{name}: needs at least one score in a flat list, got {scores.shape}")
    if not np.isfinite(scores).all():
        at = int(np.flatnonzero(~np.isfinite(scores))[0])
        raise ValueError(f"{name}: score {at} is {scores[at]}; score an unusable answer as 0")
    return scores


def _pair(name: str, a: Scores, b: Scores) -> tuple[Floats, Floats]:
    first, second = _scores(name, a), _scores(name, b)
    if len(first) != len(second):
        raise ValueError(
            f"{name}: {len(first)} and {len(second)} scores; pairs need the same questions in the "
            "same order"
        )
    return first, second


def _groups(name: str, scores: Floats, clusters: Clusters | None) -> list[NDArray[Any]]:
    """Indices of each cluster's scores, clusters in order of first appearance."""
    if clusters is None:
        return list(np.arange(len(scores)).reshape(-1, 1))
    if len(clusters) != len(scores):
        raise ValueError(f"{name}: {len(scores)} scores but {len(clusters)} cluster labels")
    members: dict[Hashable, list[int]] = {}
    for i, cluster in enumerate(clusters):
        members.setdefault(cluster, []).append(i)
    return [np.array(indices) for indices in members.values()]


def _resampled_means(
    scores: Floats, groups: list[NDArray[Any]], seed: int, n_resamples: int
) -> Floats:
    """Means of `n_resamples` resamples of whole groups; float64 [n_resamples]."""
    sums = np.array([scores[group].sum() for group in groups])
    sizes = np.array([len(group) for group in groups], dtype=np.float64)
    rng = np.random.default_rng(seed)
    # Blocks of about a million draws keep memory flat for large benchmarks.
    block = max(1, 1_000_000 // len(groups))
    means = []
    for start in range(0, n_resamples, block):
        drawn = rng.integers(0, len(groups), (min(block, n_resamples - start), len(groups)))
        means.append(sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1))
    return np.concatenate(means)


def _percentile_ends(drawn: Floats, level: float) -> tuple[float, float]:
    _normal_quantile(level)
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _is_binary(scores: Floats) -> bool:
    return bool(np.isin(scores, (0.0, 1.0)).all())
