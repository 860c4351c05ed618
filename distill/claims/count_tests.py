"""Reported counts and the range of results that tests of them may have.

A paired test depends on which answers of two arms go together, and that is not reported.
"""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Any, NamedTuple

import msgspec
import numpy as np
from msgspec import Meta
from scipy import stats

from distill.stats import intervals, power


class Count(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Correct answers as reported."""

    right: Annotated[float, Meta(ge=0)]  # not whole where only a mean over seeds is reported
    of: Annotated[int, Meta(ge=1)]
    printed: str  # the percentage as printed, "64.67"
    source: str

    @property
    def rate(self) -> float:
        return self.right / self.of

    @property
    def error(self) -> float:
        """Standard error of the rate."""
        return float(np.sqrt(self.rate * (1 - self.rate) / self.of))

    def agrees(self) -> bool:
        """Tell whether the counts give the printed percentage, to half a unit of its last digit."""
        if not re.fullmatch(r"\d+(\.\d+)?", self.printed):
            raise ValueError(f"printed: '{self.printed}' is no percentage; write its digits as a text, '64.67'")
        digits = Decimal(self.printed)
        return abs(100 * self.rate - float(digits)) <= 0.5 * 10.0 ** int(digits.as_tuple().exponent) + 1e-9

    def says(self) -> str:
        return f"{self.right:g} of {self.of} ({100 * self.rate:.2f} %)"


class ReportedCounts(NamedTuple):
    """The counts that a paper reports, and how they are tested."""

    counts: Mapping[str, Count]
    alpha: float
    power: float
    confidence: float

    def take(self, names: Sequence[str], least: int = 1) -> list[Count]:
        """Return the counts of these names; ValueError where one is not there or there are too few."""
        if len(names) < least:
            raise ValueError(f"a rule names {len(names)} counts ({', '.join(names)}); at least {least} needed")
        if lacking := [name for name in names if name not in self.counts]:
            raise ValueError(f"a rule names the count '{lacking[0]}'; counts here: {', '.join(self.counts)}")
        return [self.counts[name] for name in names]


class Pairings(NamedTuple):
    """The range of a paired test over all pairings of two arms' answers."""

    p_min: float
    p_max: float
    low: float  # of the widest interval of the difference
    high: float
    deviation: float  # of a question's difference, at the most
    note: str = ""
    figures: dict[str, Any] = {}  # noqa: RUF012  never changed


def pairings(arm: Count, comparator: Count, reported: ReportedCounts) -> Pairings:
    """Return the range of the exact McNemar test over every table with these margins.

    A table is set by the questions lost (only the comparator is right): gained - lost is known.
    """
    right, other, n = int(arm.right), int(comparator.right), arm.of
    lost = np.arange(max(0, other - right), min(other, n - right) + 1)
    gained = lost + right - other
    p = np.minimum(1.0, 2 * stats.binom.cdf(np.minimum(lost, gained), lost + gained, 0.5))
    deviations = np.sqrt(np.maximum(0.0, (gained + lost) / n - ((right - other) / n) ** 2))
    ends = [paired_rates(int(g), int(x), right, other, n, reported.confidence) for g, x in zip(gained, lost, strict=True)]
    independent = float(np.sqrt(sum(rate * (1 - rate) for rate in (right / n, other / n))))  # deviation of a question's difference
    over = np.flatnonzero(p > reported.alpha)
    limit = int(lost[over[0]]) - 1 if len(over) else int(lost[-1])  # decided up to here, whatever lies above
    span = f"{lost[0]} to {lost[-1]}" if len(lost) > 1 else str(lost[0])
    lean = f"; below {reported.alpha:g} for certain only if at most {limit} questions were lost ({span} are possible)"
    if not len(over) or limit < lost[0]:
        lean = f"; however many questions were lost ({span}), it is {'above' if len(over) else 'below'} {reported.alpha:g}"
    return Pairings(
        float(p.min()), float(p.max()), min(e.low for e in ends), max(e.high for e in ends), float(deviations.max()), lean,
        {"lost_least": int(lost[0]), "lost_most": int(lost[-1]), "lost_by_chance": other * (n - right) / n,
         "lost_deciding": limit if limit >= lost[0] else None,
         "detectable_by_chance": power.detectable(independent, n, reported.alpha, reported.power)},
    )  # fmt: skip


def correlations(arm: Count, other: Count, reported: ReportedCounts) -> Pairings:
    """Return the range of a z test over all correlations of two rates, -1 to 1: for means over seeds and unequal numbers of questions."""
    effect = arm.rate - other.rate
    wide, narrow = arm.error + other.error, abs(arm.error - other.error)
    half = intervals.quantile(reported.confidence) * wide
    return Pairings(
        z_test(effect, narrow), z_test(effect, wide), effect - half, effect + half, wide * float(np.sqrt(min(arm.of, other.of)))
    )


def paired_rates(gained: int, lost: int, right: int, other: int, n: int, confidence: float) -> intervals.Interval:
    """Interval of the difference of two rates on the same questions, with the correlation phi of the table."""
    both, neither = right - gained, n - right - lost
    scale = np.sqrt(float(right) * (n - right) * other * (n - other))
    phi = float((both * neither - gained * lost) / scale) if scale else 0.0
    return intervals.newcombe(right / n, n, other / n, n, confidence, phi)


def two_rates(arm: Count, other: Count) -> float:
    """Return p of two independent rates: Fisher's exact test of whole counts, else z with the pooled rate."""
    if float(arm.right).is_integer() and float(other.right).is_integer():
        table = [[int(count.right), count.of - int(count.right)] for count in (arm, other)]
        return float(stats.fisher_exact(table).pvalue)
    pooled = (arm.right + other.right) / (arm.of + other.of)
    return z_test(arm.rate - other.rate, float(np.sqrt(pooled * (1 - pooled) * (1 / arm.of + 1 / other.of))))


def z_test(effect: float, error: float) -> float:
    """Return a two-sided p; 1 where there is no effect, 0 where an effect has no error."""
    return float(2 * stats.norm.sf(abs(effect) / error)) if error > 0 else float(effect == 0)
