"""Statistics against closed forms and scipy."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from scipy import stats

from distill.stats import clusters, intervals, paired_tests, power, summary


def own(n: int) -> clusters.Labels:
    return np.arange(n)


@given(some.integers(1, 400), some.data())
def test_wilson_is_scipys(n: int, data: some.DataObject) -> None:
    k = data.draw(some.integers(0, n))
    expected = stats.binomtest(k, n).proportion_ci(0.95, method="wilson")
    assert intervals.wilson(k / n, n, 0.95) == pytest.approx((expected.low, expected.high), abs=1e-9)


@given(some.integers(1, 12), some.data())
@settings(max_examples=30)
def test_sign_flip_of_outcomes_is_the_exact_mcnemar_test(n: int, data: some.DataObject) -> None:
    first, second = (np.array(data.draw(some.lists(some.sampled_from([0.0, 1.0]), min_size=n, max_size=n))) for _ in range(2))
    assert paired_tests.sign_flip(first - second, own(n), 10, 1) == pytest.approx(paired_tests.mcnemar(first, second))


def test_sign_flip_by_monte_carlo_agrees_with_scipy() -> None:
    random = np.random.default_rng(3)
    d = random.normal(0.25, 1, 60)
    test = stats.permutation_test(
        (d, np.zeros(60)), lambda x, y, axis: (x - y).mean(axis=axis), permutation_type="samples", vectorized=True,
        n_resamples=50_000, rng=np.random.default_rng(4),
    )  # fmt: skip
    assert paired_tests.sign_flip(d, own(60), 50_000, 5) == pytest.approx(test.pvalue, abs=0.006)


def test_sign_flip_keeps_its_level_over_clusters() -> None:
    """Doubling every problem must not make a difference more certain."""
    d = np.array([1.0, 1, 1, 1, -1, 1, 0, 0])
    twice, clusters = np.repeat(d, 2), np.repeat(own(8), 2)
    assert paired_tests.sign_flip(twice, clusters, 10, 1) == paired_tests.sign_flip(d, own(8), 10, 1) == pytest.approx(2 * 7 / 64)
    assert paired_tests.sign_flip(twice, own(16), 10, 1) < 0.05


def test_sign_flip_is_never_zero_and_one_without_differences() -> None:
    assert paired_tests.sign_flip(np.ones(100), own(100), 999, 1) == 1 / 1000
    assert paired_tests.sign_flip(np.zeros(100), own(100), 999, 1) == 1.0


def test_bootstrap_of_the_mean_agrees_with_the_normal_interval() -> None:
    d = np.random.default_rng(1).normal(0.1, 0.5, 400)
    low, high = intervals.bootstrap(d, own(400), 0.95, 20_000, 2)
    half = 1.96 * d.std() / 20
    assert (low, high) == pytest.approx((d.mean() - half, d.mean() + half), abs=0.002)


def test_bootstrap_covers_and_clusters_count() -> None:
    random = np.random.default_rng(9)
    clusters = np.repeat(own(40), 5)
    hits, naive = 0, 0
    for seed in range(200):
        scores = np.repeat(random.normal(0, 1, 40), 5) + random.normal(0, 0.3, 200)
        hits += intervals.bootstrap(scores, clusters, 0.95, 400, seed)[0] < 0 < intervals.bootstrap(scores, clusters, 0.95, 400, seed)[1]
        naive += intervals.bootstrap(scores, own(200), 0.95, 400, seed)[0] < 0 < intervals.bootstrap(scores, own(200), 0.95, 400, seed)[1]
    assert 0.89 <= hits / 200 <= 0.99
    assert naive / 200 < 0.8


def test_bootstrap_covers_as_it_says() -> None:
    """Means over three seeds, a sixth of the problems in clusters: 93 to 97 % of the intervals hold the truth."""
    random, clusters = np.random.default_rng(11), np.concatenate([np.repeat(own(10), 3), np.arange(10, 160)])
    hits = 0
    for seed in range(1000):
        chances = random.beta(0.6, 0.4, 160)[clusters]
        scores = (random.random((3, 180)) < chances).mean(axis=0)
        low, high = intervals.bootstrap(scores, clusters, 0.95, 400, seed)
        hits += low <= 0.6 <= high
    assert 930 <= hits <= 970


def test_the_smallest_visible_effect_is_seen_as_often_as_it_says() -> None:
    random = np.random.default_rng(12)
    effect = power.detectable(0.5, 150, 0.05, 0.8)
    found = [paired_tests.sign_flip(random.normal(effect, 0.5, 150), own(150), 300, seed) <= 0.05 for seed in range(500)]
    assert 0.75 <= np.mean(found) <= 0.85


def test_rate_interval_is_wilson_for_trials_and_never_certain() -> None:
    trials = np.array([1.0, 0, 1, 1])
    assert intervals.rate_interval(trials, own(4), 0.95, 100, 1) == intervals.wilson(0.75, 4, 0.95)
    assert intervals.rate_interval(np.zeros(6), np.repeat(own(3), 2), 0.95, 100, 1) == intervals.wilson(0.0, 3, 0.95)
    assert intervals.rate_interval(np.array([1 / 3]), own(1), 0.95, 100, 1) == intervals.wilson(1 / 3, 1, 0.95)
    low, high = intervals.rate_interval(np.array([1.0, 2 / 3, 0, 1 / 3]), own(4), 0.95, 1000, 1)
    assert 0 <= low < 0.5 < high <= 1


def test_paired_effect_and_deviation() -> None:
    d = np.random.default_rng(1).normal(0.3, 1, 50)
    result = paired_tests.paired(d, own(50), 0.95, 2000, 1)
    assert (result.effect, result.n, result.clusters) == (pytest.approx(d.mean()), 50, 50)
    assert result.deviation == pytest.approx(d.std(ddof=1))
    assert result.low < result.effect < result.high


def test_slope_is_least_squares_per_problem() -> None:
    scores = np.random.default_rng(1).random((20, 6))
    expected = [stats.linregress(range(6), row).slope for row in scores]
    assert paired_tests.slope(scores) == pytest.approx(expected)


def test_trend_agrees_with_pages_test() -> None:
    scores = np.clip(np.linspace(0.8, 0.3, 6) + np.random.default_rng(1).normal(0, 0.4, (30, 6)), 0, 1)
    page = stats.page_trend_test(-scores).pvalue
    assert page < 0.001
    assert paired_tests.sign_flip(paired_tests.slope(scores), own(30), 5000, 1) < 0.001
    assert paired_tests.sign_flip(paired_tests.slope(np.random.default_rng(7).random((30, 6))), own(30), 5000, 1) > 0.05


def test_page_by_its_formula() -> None:
    """Page (1963): L = sum of j R_j, mean n k (k+1)^2 / 4, variance n k^2 (k+1)^2 (k-1) / 144; a cluster is ranked as one."""
    scores = np.random.default_rng(2).random((25, 4)) - 0.1 * np.arange(4)
    ranks = np.array([stats.rankdata(-row) for row in scores])
    statistic = float(ranks.sum(axis=0) @ np.arange(1, 5))
    z = (statistic - 25 * 4 * 25 / 4) / math.sqrt(25 * 16 * 25 * 3 / 144)
    found = paired_tests.page(scores, own(25))
    assert (found.statistic, found.n) == (statistic, 25)
    assert found.p == pytest.approx(math.erfc(abs(z) / math.sqrt(2)), abs=1e-6)
    assert paired_tests.page(np.repeat(scores, 2, axis=0), np.repeat(own(25), 2)) == found
    assert paired_tests.page(scores[:, ::-1], own(25)).p == pytest.approx(found.p)


def test_pass_at_k_is_unbiased() -> None:
    """Its mean over all outcomes of n samples is the chance that k of them hold a right one."""
    n, k, chance = 6, 3, 0.3
    mean = sum(math.comb(n, c) * chance**c * (1 - chance) ** (n - c) * summary.pass_at(n, c, k) for c in range(n + 1))
    assert mean == pytest.approx(1 - (1 - chance) ** k, abs=1e-12)
    assert [summary.pass_at(4, c, 1) for c in range(5)] == [0, 0.25, 0.5, 0.75, 1]
    assert [summary.pass_at(4, 1, k) for k in (1, 2, 3, 4)] == pytest.approx([0.25, 0.5, 0.75, 1])
    for samples, correct, k in ((2, 0, 3), (2, 3, 1), (2, 1, 0)):
        with pytest.raises(ValueError, match="pass@"):
            summary.pass_at(samples, correct, k)


def test_differences_that_do_not_differ_are_not_certain() -> None:
    unseen = intervals.wilson(0.0, 50, 0.95).high
    assert intervals.difference_interval(np.zeros(50), own(50), 0.95, 100, 1) == (-unseen, unseen)
    assert intervals.difference_interval(np.ones(50), own(50), 0.95, 100, 1) == (1 - unseen, 1.0)
    assert intervals.difference_interval(np.zeros(100), np.repeat(own(50), 2), 0.95, 100, 1) == (-unseen, unseen)


def test_seeds_that_would_decide() -> None:
    assert power.deciding_seeds(0.1655, 0.5, 0.95) == 5
    assert intervals.deviation_interval(0.1655, 4, 0.95).high > 0.5 > intervals.deviation_interval(0.1655, 5, 0.95).high
    assert power.deciding_seeds(0.5, 0.5, 0.95) is None


def test_mcnemar_closed_form() -> None:
    first = np.array([1.0] * 9 + [0] * 2 + [1] * 5)
    second = np.array([0.0] * 9 + [1] * 2 + [1] * 5)
    assert paired_tests.mcnemar(first, second) == pytest.approx(2 * sum(math.comb(11, k) for k in range(3)) / 2**11)
    assert paired_tests.mcnemar(first, first) == 1.0


def test_holm_by_hand() -> None:
    assert paired_tests.holm({"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.005}) == pytest.approx({"d": 0.02, "a": 0.03, "c": 0.06, "b": 0.06})
    assert paired_tests.holm({"a": 0.9, "b": 0.8}) == {"b": 1.0, "a": 1.0}
    assert paired_tests.holm({}) == {}


def test_welch_by_its_formula() -> None:
    x, y = np.array([0.1, 0.5, 0.9, 0.4]), np.array([0.0, 0.2, 0.1])
    effect, interval, p = intervals.welch(x, y, 0.95)
    vx, vy = x.var(ddof=1) / 4, y.var(ddof=1) / 3
    df = (vx + vy) ** 2 / (vx**2 / 3 + vy**2 / 2)
    assert p == pytest.approx(2 * stats.t.sf(abs(effect) / math.sqrt(vx + vy), df))
    half = stats.t.ppf(0.975, df) * math.sqrt(vx + vy)
    assert interval == pytest.approx((effect - half, effect + half))
    test = stats.ttest_ind(x, y, equal_var=False)
    assert (*interval, p) == (*test.confidence_interval(0.95), test.pvalue)
    assert intervals.welch(np.zeros(3), np.ones(3), 0.95) == (-1.0, intervals.Interval(-1.0, 1.0), 1.0)


@pytest.mark.filterwarnings("error")
def test_welch_takes_groups_that_vary_little_or_not() -> None:
    thirds, same = np.array([0.3, 0.1 + 0.2, 0.3]), np.array([0.5, 0.5, 0.5])
    assert intervals.welch(thirds, same, 0.95)[1:] == (intervals.Interval(-1.0, 1.0), 1.0)
    effect, (low, high), p = intervals.welch(np.array([0.2, 0.3, 0.4]), same, 0.95)
    assert low < effect < 0 < high
    assert 0 < p < 0.1


def test_newcombe_published_example() -> None:
    """Newcombe (1998), table II, method 10: 56/70 - 48/80 is 0.2000, interval 0.0524 to 0.3339."""
    assert intervals.newcombe(56 / 70, 70, 48 / 80, 80, 0.95) == pytest.approx((0.0524, 0.3339), abs=5e-5)


def test_deviation_interval_of_three_seeds() -> None:
    assert intervals.deviation_interval(1.0, 3, 0.95) == pytest.approx((0.5207, 6.2847), abs=5e-4)


def test_power_by_its_formula() -> None:
    assert power.detectable(0.5, 400, 0.05, 0.8) == pytest.approx(2.8016 * 0.5 / 20, abs=1e-4)
    n = power.deciding_n(0.05, 0.5, 0.05, 0.8)
    assert n == 785
    assert power.detectable(0.5, n, 0.05, 0.8) <= 0.05
    assert power.deciding_n(0.0, 0.5, 0.05, 0.8) is None


NOTHING = {
    "rate": lambda: intervals.wilson(0.0, 0, 0.95),
    "accuracy": lambda: intervals.rate_interval(np.array([]), own(0), 0.95, 10, 1),
    "bootstrap of one cluster": lambda: intervals.bootstrap(np.ones(3), np.zeros(3), 0.95, 10, 1),
    "test": lambda: paired_tests.sign_flip(np.array([]), own(0), 10, 1),
    "pairs": lambda: paired_tests.paired(np.ones(1), own(1), 0.95, 10, 1),
    "mcnemar": lambda: paired_tests.mcnemar(np.array([]), np.array([])),
    "welch": lambda: intervals.welch(np.ones(1), np.ones(5), 0.95),
    "one arm": lambda: paired_tests.slope(np.ones((5, 1))),
    "one seed": lambda: intervals.deviation_interval(0.0, 1, 0.95),
    "labels of another length": lambda: paired_tests.sign_flip(np.ones(3), own(4), 10, 1),
}


@pytest.mark.parametrize("call", NOTHING.values(), ids=NOTHING.keys())
def test_nothing_is_an_error(call) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=r"at least|cluster labels"):
        call()
