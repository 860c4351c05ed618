"""Intervals of accuracies and of their differences: pure functions on numpy arrays, seeded."""

from typing import NamedTuple

import numpy as np
from scipy import stats

from distill.stats.clusters import BLOCK, Floats, Labels, by_cluster, need

ROUNDING = 1e-12  # means of accuracies that differ by less are equal


class Interval(NamedTuple):
    """Lower and upper end."""

    low: float
    high: float


def quantile(confidence: float) -> float:
    """Two-sided standard normal quantile: 1.96 of 0.95."""
    return float(stats.norm.ppf((1 + confidence) / 2))


def wilson(rate: float, n: int, confidence: float) -> Interval:
    """Wilson's score interval of a rate over n independent problems."""
    need(n, 1, "rate")
    z = quantile(confidence)
    centre = (rate + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(max(rate * (1 - rate), 0.0) / n + z * z / (4 * n * n))
    return Interval(max(0.0, float(centre - half)), min(1.0, float(centre + half)))


def rate_interval(scores: Floats, clusters: Labels, confidence: float, resamples: int, seed: int) -> Interval:
    """Interval of the mean score over problems.

    Wilson where each problem is one trial in a cluster of its own (one seed), and where no score differs, which a bootstrap would
    call certain; a percentile bootstrap over clusters otherwise.
    """
    need(len(scores), 1, "accuracy")
    sums, _ = by_cluster(scores, clusters)
    trials = len(sums) == len(scores) and bool(np.isin(scores, (0.0, 1.0)).all())
    if trials or np.ptp(scores) == 0 or len(sums) == 1:
        return wilson(float(scores.mean()), len(sums), confidence)
    return bootstrap(scores, clusters, confidence, resamples, seed)


def difference_interval(differences: Floats, clusters: Labels, confidence: float, resamples: int, seed: int) -> Interval:
    """Interval of a mean difference in -1..1: the bootstrap's, or where no cluster differs from another, which it would call certain, the
    mean give or take the share of other clusters that Wilson's interval still allows after n without one.
    """
    sums, sizes = by_cluster(differences, clusters)
    need(len(sums), 2, "interval of a difference")
    if np.ptp(sums / sizes) > 0:
        return bootstrap(differences, clusters, confidence, resamples, seed)
    unseen, mean = wilson(0.0, len(sums), confidence).high, float(differences.mean())
    return Interval(max(-1.0, mean - unseen), min(1.0, mean + unseen))


def bootstrap(scores: Floats, clusters: Labels, confidence: float, resamples: int, seed: int) -> Interval:
    """Percentile bootstrap interval of the mean over problems, clusters drawn with replacement."""
    sums, sizes = by_cluster(scores, clusters)
    need(len(sums), 2, "bootstrap interval")
    random = np.random.default_rng(seed)
    means = []
    for start in range(0, resamples, BLOCK):
        drawn = random.integers(0, len(sums), (min(BLOCK, resamples - start), len(sums)))
        means.append(sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1))
    tail = (1 - confidence) / 2
    low, high = np.quantile(np.concatenate(means), [tail, 1 - tail])
    return Interval(float(low), float(high))


def welch(first: Floats, second: Floats, confidence: float) -> tuple[float, Interval, float]:
    """Difference of two independent groups' means, its interval and two-sided p (Welch); p is 1 where nothing varies.

    From the variances, because scipy's test warns of groups that do not vary or vary by rounding alone: equal figures are no fault here.
    """
    need(min(len(first), len(second)), 2, "comparison of groups")
    effect = float(first.mean() - second.mean())
    if max(np.ptp(first), np.ptp(second)) < ROUNDING:  # no spread to judge by
        return effect, Interval(-1.0, 1.0), 1.0
    parts = [(group.var() * (n / (n - 1)) / n, n - 1) for group in (first, second) for n in [len(group)]]
    squared = sum(part for part, _ in parts)
    freedom = squared**2 / sum(part * part / n for part, n in parts)
    half = np.sqrt(squared) * stats.t.ppf((1 + confidence) / 2, freedom)
    p = 2 * stats.t.sf(abs(effect) / np.sqrt(squared), freedom)
    return effect, Interval(float(effect - half), float(effect + half)), float(p)


def standard_error(low: float, high: float, confidence: float) -> float:
    """Standard error behind a normal interval."""
    return (high - low) / 2 / quantile(confidence)


def newcombe(rate: float, n: int, other: float, m: int, confidence: float, correlation: float = 0.0) -> Interval:
    """Interval of the difference of two rates from their Wilson intervals.

    Newcombe 1998, method 10; with a correlation of the answers to the same questions, his square-and-add interval of paired rates.
    """
    a, b, effect = wilson(rate, n, confidence), wilson(other, m, confidence), rate - other

    def reach(x: float, y: float) -> float:
        return float(np.sqrt(max(0.0, x * x - 2 * correlation * x * y + y * y)))

    return Interval(effect - reach(rate - a.low, b.high - other), effect + reach(a.high - rate, other - b.low))


def deviation_interval(deviation: float, n: int, confidence: float) -> Interval:
    """Interval of a normal sample's standard deviation over n values, by chi-square: with three seeds it is wide."""
    need(n, 2, "standard deviation")
    tail = (1 - confidence) / 2
    ends = [deviation * np.sqrt((n - 1) / stats.chi2.ppf(q, n - 1)) for q in (1 - tail, tail)]
    return Interval(float(ends[0]), float(ends[1]))
