"""Tests of arms on the same problems, two-sided: sign flips over clusters, a trend over ordered arms, McNemar; Holm's correction."""

from typing import NamedTuple

import numpy as np
from scipy import stats

from distill.stats.clusters import BLOCK, Floats, Labels, by_cluster, cluster_means, need
from distill.stats.intervals import difference_interval

EXACT_LIMIT = 14  # clusters that differ: up to 2**14 sign patterns are all enumerated


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


def sign_flip(differences: Floats, clusters: Labels, resamples: int, seed: int) -> float:
    """Two-sided p of the mean difference when each cluster's sign is a coin under the null; exact for few clusters, else Monte Carlo.

    A Monte-Carlo p counts the observed pattern among the resamples, so that it is valid and never 0 (Phipson and Smyth 2010).
    """
    need(len(differences), 1, "test")
    sums, _ = by_cluster(differences, clusters)
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
    sums, sizes = by_cluster(differences, clusters)
    need(len(sums), 2, "paired comparison")
    effect = float(differences.mean())
    residuals = (sums - effect * sizes) / sizes.mean()
    ends = difference_interval(differences, clusters, confidence, resamples, seed)
    p = sign_flip(differences, clusters, resamples, seed + 1)
    return Paired(effect, *ends, p, len(differences), len(sums), float(residuals.std(ddof=1)))


def slope(scores: Floats) -> Floats:
    """Per-problem least-squares slope over equally spaced arms: (n_problems, n_arms) -> (n_problems,), change per step.

    When the arms do not differ, a problem's scores are in either order with equal chance: its slope's sign is a coin, as `sign_flip` needs.
    """
    need(scores.shape[1], 2, "trend over arms")
    steps = np.arange(scores.shape[1]) - (scores.shape[1] - 1) / 2
    return np.asarray(scores @ steps / (steps @ steps), dtype=np.float64)


def page(scores: Floats, clusters: Labels) -> Trend:
    """Page's test that accuracy falls over ordered arms, (n_problems, n_arms): within each cluster the arms are ranked by their means.

    scipy's p is one-sided, in the direction of its predicted ranks: the smaller of both directions is doubled. Its normal approximation
    does not know ties, which make the true variance smaller: with many ties it errs towards a large p.
    """
    ranked = np.column_stack([cluster_means(column, clusters) for column in scores.T])
    need(len(ranked), 2, "trend over problems")
    need(ranked.shape[1], 3, "trend of ranks over arms")
    falls, rises = (stats.page_trend_test(side, method="asymptotic") for side in (-ranked, ranked))
    return Trend(float(falls.statistic), float(min(1.0, 2 * min(falls.pvalue, rises.pvalue))), len(ranked))


def mcnemar(first: Floats, second: Floats) -> float:
    """Exact two-sided McNemar p of two arms' 0/1 outcomes on the same problems; 1 where they never differ."""
    need(len(first), 1, "test")
    gained, lost = int(((first == 1) & (second == 0)).sum()), int(((first == 0) & (second == 1)).sum())
    return float(stats.binomtest(gained, gained + lost).pvalue) if gained + lost else 1.0


def holm(p_values: dict[str, float]) -> dict[str, float]:
    """Holm's step-down adjusted p of a family of tests."""
    adjusted, floor = {}, 0.0
    for rank, (name, p) in enumerate(sorted(p_values.items(), key=lambda item: (item[1], item[0]))):
        floor = max(floor, min(1.0, (len(p_values) - rank) * p))
        adjusted[name] = floor
    return adjusted
