"""Intervals and paired tests on per-problem scores: pure functions on numpy arrays, seeded, and never a figure about nothing.

A score is a problem's mean over seeds and samples, in 0..1. Problems of one duplicate cluster are not independent: they are drawn,
and their signs are flipped, together. Seeds are never pooled as if they were more problems.
"""

from math import comb
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.float64]
Labels = NDArray[Any]  # (n_problems,) cluster of each problem

EXACT_LIMIT = 14  # clusters that differ: up to 2**14 sign patterns are all enumerated
BLOCK = 500  # resamples at once: bounds the memory at BLOCK x n_clusters


class Interval(NamedTuple):
    """Lower and upper end."""

    low: float
    high: float


class Paired(NamedTuple):
    """A paired comparison over problems."""

    effect: float  # mean difference
    low: float
    high: float
    p: float  # two-sided
    n: int  # problems
    clusters: int
    deviation: float  # standard deviation of a cluster's difference, per problem


class Trend(NamedTuple):
    """A test of ranks."""

    statistic: float  # Page's L, ranks as claimed
    p: float  # two-sided
    n: int  # clusters


def quantile(confidence: float) -> float:
    """Two-sided standard normal quantile: 1.96 of 0.95."""
    return float(stats.norm.ppf((1 + confidence) / 2))


def wilson(rate: float, n: int, confidence: float) -> Interval:
    """Wilson's score interval of a rate over n independent problems."""
    _need(n, 1, "rate")
    z = quantile(confidence)
    centre = (rate + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(max(rate * (1 - rate), 0.0) / n + z * z / (4 * n * n))
    return Interval(max(0.0, float(centre - half)), min(1.0, float(centre + half)))


def rate_interval(scores: Floats, clusters: Labels, confidence: float, resamples: int, seed: int) -> Interval:
    """Interval of the mean score over problems.

    Wilson where each problem is one trial in a cluster of its own (one seed), and where no score differs, which a bootstrap would
    call certain; a percentile bootstrap over clusters otherwise.
    """
    _need(len(scores), 1, "accuracy")
    sums, _ = _by_cluster(scores, clusters)
    trials = len(sums) == len(scores) and bool(np.isin(scores, (0.0, 1.0)).all())
    if trials or np.ptp(scores) == 0 or len(sums) == 1:
        return wilson(float(scores.mean()), len(sums), confidence)
    return bootstrap(scores, clusters, confidence, resamples, seed)


def interval(differences: Floats, clusters: Labels, confidence: float, resamples: int, seed: int) -> Interval:
    """Interval of a mean difference in -1..1: the bootstrap's, or where no cluster differs from another, which it would call certain, the
    mean give or take the share of other clusters that Wilson's interval still allows after n without one.
    """
    sums, sizes = _by_cluster(differences, clusters)
    _need(len(sums), 2, "interval of a difference")
    if np.ptp(sums / sizes) > 0:
        return bootstrap(differences, clusters, confidence, resamples, seed)
    unseen, mean = wilson(0.0, len(sums), confidence).high, float(differences.mean())
    return Interval(max(-1.0, mean - unseen), min(1.0, mean + unseen))


def bootstrap(scores: Floats, clusters: Labels, confidence: float, resamples: int, seed: int) -> Interval:
    """Percentile bootstrap interval of the mean over problems, clusters drawn with replacement."""
    sums, sizes = _by_cluster(scores, clusters)
    _need(len(sums), 2, "bootstrap interval")
    random = np.random.default_rng(seed)
    means = []
    for start in range(0, resamples, BLOCK):
        drawn = random.integers(0, len(sums), (min(BLOCK, resamples - start), len(sums)))
        means.append(sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1))
    tail = (1 - confidence) / 2
    low, high = np.quantile(np.concatenate(means), [tail, 1 - tail])
    return Interval(float(low), float(high))


def sign_flip(differences: Floats, clusters: Labels, resamples: int, seed: int) -> float:
    """Two-sided p of the mean difference when each cluster's sign is a coin under the null; exact for few clusters, else Monte Carlo.

    A Monte-Carlo p counts the observed pattern among the resamples, so that it is valid and never 0 (Phipson and Smyth 2010).
    """
    _need(len(differences), 1, "test")
    sums, _ = _by_cluster(differences, clusters)
    sums = sums[sums != 0]  # a cluster without a difference has no sign
    reached = abs(sums.sum()) - 1e-9 * np.abs(sums).sum()  # ties are equal but for rounding
    if len(sums) <= EXACT_LIMIT:
        patterns = (np.arange(2 ** len(sums))[:, None] >> np.arange(len(sums))) & 1
        return float(np.mean(np.abs((2 * patterns - 1) @ sums) >= reached))
    random = np.random.default_rng(seed)
    extreme = 0
    for start in range(0, resamples, BLOCK):
        signs = 2.0 * random.integers(0, 2, (min(BLOCK, resamples - start), len(sums)), dtype=np.int8) - 1.0
        extreme += int((np.abs(signs @ sums) >= reached).sum())
    return (1 + extreme) / (1 + resamples)


def paired(differences: Floats, clusters: Labels, confidence: float, resamples: int, seed: int) -> Paired:
    """Compare two arms on the same problems: `differences` holds score minus score, (n_problems,)."""
    sums, sizes = _by_cluster(differences, clusters)
    _need(len(sums), 2, "paired comparison")
    effect = float(differences.mean())
    residuals = (sums - effect * sizes) / sizes.mean()
    return Paired(
        effect, *interval(differences, clusters, confidence, resamples, seed), sign_flip(differences, clusters, resamples, seed + 1),
        len(differences), len(sums), float(residuals.std(ddof=1)),
    )  # fmt: skip


def slope(scores: Floats) -> Floats:
    """Per-problem least-squares slope over equally spaced arms: (n_problems, n_arms) -> (n_problems,), change per step.

    When the arms do not differ, a problem's scores may stand in either order: its slope's sign is a coin, as `sign_flip` wants it.
    """
    _need(scores.shape[1], 2, "trend over arms")
    steps = np.arange(scores.shape[1]) - (scores.shape[1] - 1) / 2
    return np.asarray(scores @ steps / (steps @ steps), dtype=np.float64)


def page(scores: Floats, clusters: Labels) -> Trend:
    """Page's test that accuracy falls over ordered arms, (n_problems, n_arms): within each cluster the arms are ranked by their means.

    scipy's p is one-sided, in the direction of its predicted ranks: the smaller of both directions is doubled. Its normal approximation
    does not know ties, which make the true variance smaller: with many ties it errs towards a large p.
    """
    columns = [cluster_means(column, clusters) for column in scores.T]
    ranked = np.column_stack(columns)
    _need(len(ranked), 2, "trend over problems")
    _need(ranked.shape[1], 3, "trend of ranks over arms")
    falls, rises = (stats.page_trend_test(side, method="asymptotic") for side in (-ranked, ranked))
    return Trend(float(falls.statistic), float(min(1.0, 2 * min(falls.pvalue, rises.pvalue))), len(ranked))


def pass_at(samples: int, correct: int, k: int) -> float:
    """Probability that one of k samples drawn without replacement is right: 1 - C(n-c, k) / C(n, k) (Chen et al. 2021, equation 1).

    Its mean over problems is an unbiased estimate of pass@k; pass@1 is the share of right samples, and so avg@n.
    """
    _need(samples, max(k, 1), "pass@k")
    if k < 1 or not 0 <= correct <= samples:
        raise ValueError(f"pass@{k} with {correct} of {samples} right: k must be at least 1, and right ones at most the samples")
    return 1.0 - comb(samples - correct, k) / comb(samples, k)


def mcnemar(first: Floats, second: Floats) -> float:
    """Exact two-sided McNemar p of two arms' 0/1 outcomes on the same problems; 1 where they never differ."""
    _need(len(first), 1, "test")
    gained, lost = int(((first == 1) & (second == 0)).sum()), int(((first == 0) & (second == 1)).sum())
    return float(stats.binomtest(gained, gained + lost).pvalue) if gained + lost else 1.0


def holm(p_values: dict[str, float]) -> dict[str, float]:
    """Holm's step-down adjusted p of a family of tests."""
    adjusted, floor = {}, 0.0
    for rank, (name, p) in enumerate(sorted(p_values.items(), key=lambda item: (item[1], item[0]))):
        floor = max(floor, min(1.0, (len(p_values) - rank) * p))
        adjusted[name] = floor
    return adjusted


def welch(first: Floats, second: Floats, confidence: float) -> tuple[float, Interval, float]:
    """Difference of two independent groups' means, its interval and two-sided p (Welch); p is 1 where nothing varies."""
    _need(min(len(first), len(second)), 2, "comparison of groups")
    effect = float(first.mean() - second.mean())
    if np.ptp(first) == 0 and np.ptp(second) == 0:  # no spread to judge by
        return effect, Interval(-1.0, 1.0), 1.0
    test = stats.ttest_ind(first, second, equal_var=False)
    low, high = test.confidence_interval(confidence)
    return effect, Interval(float(low), float(high)), float(test.pvalue)


def newcombe(rate: float, n: int, other: float, m: int, confidence: float) -> Interval:
    """Interval of the difference of two independent rates from their Wilson intervals (Newcombe 1998, method 10)."""
    a, b = wilson(rate, n, confidence), wilson(other, m, confidence)
    low = rate - other - np.hypot(rate - a.low, b.high - other)
    return Interval(float(low), float(rate - other + np.hypot(a.high - rate, other - b.low)))


def deviation_interval(deviation: float, n: int, confidence: float) -> Interval:
    """Interval of a normal sample's standard deviation over n values, by chi-square: with three seeds it is wide."""
    _need(n, 2, "standard deviation")
    tail = (1 - confidence) / 2
    ends = [deviation * np.sqrt((n - 1) / stats.chi2.ppf(q, n - 1)) for q in (1 - tail, tail)]
    return Interval(float(ends[0]), float(ends[1]))


def deciding_seeds(ratio: float, bound: float, confidence: float, most: int = 1000) -> int | None:
    """Seeds from which the interval of a standard deviation, were its ratio the one seen, ends below `bound`; None above `most`."""
    if ratio >= bound:
        return None
    return next((n for n in range(2, most + 1) if deviation_interval(ratio, n, confidence).high < bound), None)


def detectable(deviation: float, n: int, alpha: float, power: float) -> float:
    """Smallest true mean difference that a two-sided paired test over n clusters shows with this power (normal approximation)."""
    _need(n, 1, "power")
    return float((stats.norm.ppf(1 - alpha / 2) + stats.norm.ppf(power)) * deviation / np.sqrt(n))


def deciding_n(effect: float, deviation: float, alpha: float, power: float) -> int | None:
    """Clusters that would decide, were the effect the one seen; None for no effect, which no number shows."""
    if effect == 0:
        return None
    return int(np.ceil((detectable(deviation, 1, alpha, power) / abs(effect)) ** 2))


def cluster_means(scores: Floats, clusters: Labels) -> Floats:
    """Mean score of each cluster, in the clusters' sorted order."""
    sums, sizes = _by_cluster(scores, clusters)
    return sums / sizes


def _by_cluster(scores: Floats, clusters: Labels) -> tuple[Floats, Floats]:
    """Sum and size of each cluster, in the clusters' sorted order."""
    if len(scores) != len(clusters):
        raise ValueError(f"{len(scores)} scores and {len(clusters)} cluster labels")
    _, index = np.unique(clusters, return_inverse=True)
    return np.bincount(index, weights=scores).astype(np.float64), np.bincount(index).astype(np.float64)


def _need(n: int, least: int, what: str) -> None:
    if n < least:
        raise ValueError(f"no {what} of {n} values: at least {least} needed")
