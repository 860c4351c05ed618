"""Power: the smallest effect that a number of units shows, and the number that would decide."""

import numpy as np
from scipy import stats

from distill.stats.clusters import need
from distill.stats.intervals import deviation_interval


def detectable(deviation: float, n: int, alpha: float, power: float) -> float:
    """Smallest true mean difference that a two-sided paired test over n clusters shows with this power (normal approximation)."""
    need(n, 1, "power")
    return float((stats.norm.ppf(1 - alpha / 2) + stats.norm.ppf(power)) * deviation / np.sqrt(n))


def deciding_n(effect: float, deviation: float, alpha: float, power: float) -> int | None:
    """Clusters that would decide, were the effect the one seen; None for no effect, which no number shows."""
    if effect == 0:
        return None
    return int(np.ceil((detectable(deviation, 1, alpha, power) / abs(effect)) ** 2))


def deciding_seeds(ratio: float, bound: float, confidence: float, most: int = 1000) -> int | None:
    """Seeds from which the interval of a standard deviation, were its ratio the one seen, ends below `bound`; None above `most`."""
    if ratio >= bound:
        return None
    return next((n for n in range(2, most + 1) if deviation_interval(ratio, n, confidence).high < bound), None)
