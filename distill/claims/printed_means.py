"""Is the mean of several runs that a paper prints the count of one file? What it shows, and how often chance alone would make it so."""

from itertools import product
from typing import NamedTuple

import numpy as np
from scipy import stats

from distill.claims.verdicts import Finding

REACH = 4  # standard deviations of a run's count that are looked at


class Printed(NamedTuple):
    """A mean in % and a standard deviation in points, their digits as printed, over several runs."""

    mean: str
    sd: str
    seeds: int


def finding(right: int, of: int, errors: int, printed: Printed) -> Finding:
    """Compare one file's count, with `errors` left out of it, with a printed mean."""
    rate, places = 100 * right / of, len(printed.mean.partition(".")[2])
    same = f"{rate:.{places}f}" == printed.mean
    chance = by_chance(right, of, printed)
    out = f" ({errors} of {of + errors} without a verdict left out: {100 * right / (of + errors):.2f} % with them)" if errors else ""
    return Finding(
        ours=right / of, n=of, unit="questions", state="shown" if same else "opposite",
        reason=f"the one file has {right} of {of}, {rate:.2f} %{out}; printed for {printed.seeds} runs: {printed.mean} %, sd {printed.sd}. "
        f"One of {printed.seeds} runs with that sd would print as their mean with probability {chance:.2f}",
        secondary={"right": right, "of": of, "errors": errors, "by_chance": chance},
    )  # fmt: skip


def by_chance(right: int, of: int, printed: Printed) -> float:
    """Return the probability that a given run prints as the mean of all: counts independent and normal, rounded, with the printed sd."""
    deviation, places = float(printed.sd) * of / 100, len(printed.mean.partition(".")[2])
    reach = max(1, int(np.ceil(REACH * deviation)))
    steps = np.arange(-reach, reach + 1)
    weights = stats.norm.cdf((steps + 0.5) / deviation) - stats.norm.cdf((steps - 0.5) / deviation) if deviation else steps == 0
    others: dict[int, float] = {0: 1.0}  # sums of the other runs
    for _ in range(printed.seeds - 1):
        summed: dict[int, float] = {}
        for (total, p), (step, q) in product(others.items(), zip(steps, weights, strict=True)):
            summed[total + int(step)] = summed.get(total + int(step), 0.0) + p * float(q)
        others = summed

    def text(count: float) -> str:
        return f"{100 * count / of:.{places}f}"

    alike = (
        p * float(q)
        for (total, p), (step, q) in product(others.items(), zip(steps, weights, strict=True))
        if text(right + int(step)) == text(right + (total + int(step)) / printed.seeds)
    )
    return float(sum(alike))
