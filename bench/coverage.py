"""Measure the statistics in simulation: `python -m bench.coverage [STUDIES]`, 2,000 simulated studies a row unless told.

Writes section `coverage` of the record; docs/statistics.md shows it.

How often an interval of 95 % holds the truth, and how often a test at 5 % calls equal arms different. Problems differ in how hard they are
(beta), in part lie in clusters of duplicates that are equally hard, and are asked once by the base and with each of three seeds by an arm.
The truth is that of all problems that might have been drawn. Clusters are drawn and signs flipped as the stages do, with fewer resamples.
"""

import sys
from typing import NamedTuple

import numpy as np
from tabulate import tabulate

from bench.record import record
from distill.stats import clusters, intervals, paired_tests

RESAMPLES = 800


class Case(NamedTuple):
    """One kind of study."""

    problems: int
    rate: float  # mean chance of a right answer
    spread: float  # a + b of the beta distribution of chances; small: problems are easy or hopeless
    duplicated: float  # share of the problems that lie in clusters of two to five
    seeds: int


CASES = [
    Case(115, 0.65, 1.0, 0.1, 3), Case(201, 0.65, 1.0, 0.15, 3), Case(340, 0.6, 1.0, 0.0, 3), Case(651, 0.65, 1.0, 0.15, 3),
    Case(651, 0.65, 1.0, 0.15, 1), Case(340, 0.4, 4.0, 0.5, 3), Case(340, 0.05, 1.0, 0.0, 3), Case(100, 0.05, 1.0, 0.0, 3),
]  # fmt: skip


def draw(case: Case, random: np.random.Generator) -> tuple[clusters.Floats, clusters.Floats, clusters.Labels]:
    """Return an arm's means over seeds, the base's answers and the clusters; both have the same chances, so that the true gain is 0."""
    sizes: list[int] = []
    while sum(sizes) < case.problems:
        sizes.append(int(random.integers(2, 6)) if sum(sizes) < case.problems * case.duplicated else 1)
    sizes[-1] -= sum(sizes) - case.problems
    chances = random.beta(case.rate * case.spread, (1 - case.rate) * case.spread, len(sizes))
    clusters = np.repeat(np.arange(len(sizes)), sizes)
    right = random.random((case.seeds + 1, case.problems)) < chances[clusters]
    return right[1:].mean(axis=0), right[0].astype(np.float64), clusters


def simulate(case: Case, studies: int) -> list[float]:
    """Return the shares: accuracy covered, gain covered, gain called different from none by sign flips; in %."""
    random, hits = np.random.default_rng(7), np.zeros(3)
    for seed in range(studies):
        arm, base, clusters = draw(case, random)
        accuracy = intervals.rate_interval(arm, clusters, 0.95, RESAMPLES, seed)
        gain = paired_tests.paired(arm - base, clusters, 0.95, RESAMPLES, seed)
        hits += [accuracy.low <= case.rate <= accuracy.high, gain.low <= 0 <= gain.high, gain.p <= 0.05]
    return [float(100 * hit / studies) for hit in hits]


def named(row: list[float]) -> dict[str, float]:
    """Return the shares of a row by name, %."""
    return dict(zip(("accuracy_covered", "gain_covered", "false_alarms"), row[-3:], strict=True))


def main(studies: int) -> None:
    rows = [[*case, *simulate(case, studies)] for case in CASES]
    record("coverage", {"studies": studies} | {f"row_{number}": named(row) for number, row in enumerate(rows, 1)})
    print(f"{studies} studies a row; the error of a share of 95 % is {100 * (0.95 * 0.05 / studies) ** 0.5:.1f} points")
    heads = [*Case._fields, "accuracy covered, %", "gain covered, %", "false alarms, %"]
    print(tabulate(rows, heads, floatfmt=("g", "g", "g", "g", "g", ".1f", ".1f", ".1f")))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000)
