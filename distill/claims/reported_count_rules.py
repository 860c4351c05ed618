"""The rules on reported counts: what follows from a paper's printed numbers alone. All tests are two-sided.

Each p is the largest that the counts allow: a claim is supported only if it holds however the answers of two arms pair.
"""

from itertools import combinations_with_replacement, pairwise
from typing import Annotated

import numpy as np
from msgspec import Meta

from distill.claims import count_tests, printed_means
from distill.claims.claim import Claim, ClaimResult, ClaimSettings
from distill.claims.count_tests import ReportedCounts
from distill.claims.printed_means import Printed
from distill.claims.verdicts import Finding, Rule, above, below, results
from distill.stats import intervals, power

Count = Annotated[int, Meta(ge=1)]
Positive = Annotated[float, Meta(gt=0)]
Least = Annotated[float, Meta(ge=0)]


class Gain(Rule, frozen=True, tag="gain"):
    """One arm is above another, asked the same questions."""

    TEXT = (
        "{arm} above {comparator}: exact McNemar test, or z test of means over seeds, at the pairing "
        "with the largest p that the counts allow"
    )
    arm: str
    comparator: str

    def measure(self, reported: ReportedCounts) -> Finding:
        arm, other = reported.take([self.arm, self.comparator])
        whole = float(arm.right).is_integer() and float(other.right).is_integer() and arm.of == other.of
        tested = count_tests.pairings if whole else count_tests.correlations
        found = tested(arm, other, reported)
        effect = arm.rate - other.rate
        unpaired = count_tests.two_rates(arm, other)
        low, high = intervals.newcombe(arm.rate, arm.of, other.rate, other.of, reported.confidence)
        return Finding(
            ours=effect, effect=effect, low=found.low, high=found.high, n=min(arm.of, other.of), p=found.p_max, sign=int(np.sign(effect)),
            deviation=found.deviation, unit="questions",
            reason=f"{self.arm} {arm.says()}, {self.comparator} {other.says()}: p = {unpaired:.2g} unpaired; paired between "
            f"{found.p_min:.2g} and {found.p_max:.2g}, by which answers go together{found.note}",
            secondary={"p_unpaired": unpaired, "p_best": found.p_min, "low_unpaired": low, "high_unpaired": high} | found.figures,
        )  # fmt: skip


class Fall(Rule, frozen=True, tag="fall"):
    """Accuracy falls over ordered arms: the least-squares slope of the reported rates against its error."""

    TEXT = "accuracy falls over {listed}: z test of the slope of the rates (change a step), largest p that the counts allow"
    arms: list[str]

    def measure(self, reported: ReportedCounts) -> Finding:
        counts = reported.take(self.arms, 2)
        rates, errors = np.array([count.rate for count in counts]), np.array([count.error for count in counts])
        steps = np.arange(len(counts)) - (len(counts) - 1) / 2
        weights = steps / (steps @ steps)
        slope, wide = float(rates @ weights), float(np.abs(weights) @ errors)
        half, n = intervals.quantile(reported.confidence) * wide, min(count.of for count in counts)
        changes = {
            f"{a}-{b}": intervals.newcombe(y.rate, y.of, x.rate, x.of, reported.confidence)
            for (a, x), (b, y) in pairwise(zip(self.arms, counts, strict=True))
        }
        shown = sum(change.high < 0 for change in changes.values())
        alone = count_tests.z_test(slope, float(np.sqrt((weights**2) @ errors**2)))
        return Finding(
            ours=float(rates[-1] - rates[0]), effect=slope, low=slope - half, high=slope + half, n=n, p=count_tests.z_test(slope, wide),
            sign=-int(np.sign(slope)), deviation=wide * n**0.5, unit="questions",
            reason=f"{' → '.join(count.says() for count in counts)}; unpaired intervals show {shown} of {len(changes)} steps to fall",
            secondary={"p_unpaired": alone, "rising_steps": int((np.diff(rates) > 0).sum()),
                       "steps": {name: change._asdict() for name, change in changes.items()}},
        )  # fmt: skip


class Loss(Rule, frozen=True, tag="loss"):
    """One section loses more between two arms than each other section: z tests, all of which must show it (their largest p)."""

    TEXT = "{section} loses most: z test of the loss against each other section, the largest p that the counts allow"
    section: str
    sections: dict[str, list[str]]  # section: the counts from, to

    def measure(self, reported: ReportedCounts) -> Finding:
        ends = {name: reported.take(keys[:2], 2) for name, keys in self.sections.items()}
        if self.section not in ends or len(ends) < 2:
            raise ValueError(f"sections: {', '.join(ends)}; at least two needed, one of them {self.section}")
        loss = {name: first.rate - last.rate for name, (first, last) in ends.items()}
        alone = {name: float(np.hypot(first.error, last.error)) for name, (first, last) in ends.items()}
        wide = {name: first.error + last.error for name, (first, last) in ends.items()}
        others = [name for name in ends if name != self.section]
        gaps = {name: loss[self.section] - loss[name] for name in others}
        errors = {name: float(np.hypot(wide[self.section], wide[name])) for name in others}
        closest = min(others, key=lambda name: (gaps[name], name))
        tested = others if gaps[closest] > 0 else [closest]
        half = intervals.quantile(reported.confidence) * errors[closest]
        n = sum(min(count.of for count in ends[name]) for name in (self.section, closest))
        return Finding(
            ours=gaps[closest], effect=gaps[closest], low=gaps[closest] - half, high=gaps[closest] + half, n=n,
            p=max(count_tests.z_test(gaps[name], errors[name]) for name in tested), sign=int(np.sign(gaps[closest])),
            deviation=errors[closest] * n**0.5, unit="questions",
            reason="loss: " + ", ".join(f"{name} {100 * loss[name]:.1f} %" for name in ends),
            secondary={
                "p_unpaired": max(count_tests.z_test(gaps[name], float(np.hypot(alone[self.section], alone[name]))) for name in tested),
                "loss": loss,
            },
        )  # fmt: skip


class Spread(Rule, frozen=True, tag="spread"):
    """The reported spread over seeds is small against the reported gain: the interval of sd / gain (chi-square) lies below a ratio."""

    TEXT = "sd over seeds below {ratio:g} of the gain: chi-square interval; and whether whole numbers of questions give mean and sd"
    mean: str  # in %, its digits as printed
    sd: str  # in points, its digits as printed
    seeds: Count
    of: Count  # questions asked of each seed
    gain: Annotated[float, Meta(ge=0, le=100)]  # points
    ratio: Positive

    def measure(self, reported: ReportedCounts) -> Finding:
        if self.gain <= 0:
            raise ValueError(f"gain: {self.gain:g} is none that a spread could be small against")
        ratio = float(self.sd) / self.gain
        low, high = (end / self.gain for end in intervals.deviation_interval(float(self.sd), self.seeds, reported.confidence))
        fits = denominators(self.mean, self.sd, self.seeds, self.of)
        given = " or ".join(f"n - 1 = {self.seeds - 1}" if fit == "sample" else f"n = {self.seeds}" for fit in fits)
        return Finding(
            ours=ratio, effect=ratio, low=low, high=high, n=self.seeds, unit="seeds",
            state=below(low, high, self.ratio),
            needed=power.deciding_seeds(ratio, self.ratio, reported.confidence),
            reason=f"sd {self.sd} over {self.seeds} seeds, gain {self.gain:g}; the sd is {float(self.sd) * self.of / 100:.2f} questions, "
            f"which whole numbers of {self.of} give with {f'the denominator {given}' if given else 'no denominator'}",
            secondary={"fits_sample_sd": "sample" in fits, "fits_population_sd": "population" in fits},
        )  # fmt: skip


def denominators(mean: str, sd: str, seeds: int, of: int) -> list[str]:
    """Return by which denominators (sample: n - 1, population: n) whole numbers of right answers give this mean and sd in % as printed.

    Anaya's GRIMMER test, by trying all: numbers within the reach of such an sd.
    """
    places, unit = len(mean.partition(".")[2]), of / 100  # questions a point
    reach = int(np.ceil(float(sd) * unit * seeds**0.5)) + 2
    centre = round(float(mean) * unit)
    found = set()
    for right in combinations_with_replacement(range(centre - reach, centre + reach + 1), seeds):
        if f"{np.mean(right) / unit:.{places}f}" == mean:
            found |= {name for name, ddof in (("sample", 1), ("population", 0))
                      if f"{np.std(right, ddof=ddof) / unit:.{len(sd.partition('.')[2])}f}" == sd}  # fmt: skip
    return sorted(found, reverse=True)


class Curve(Rule, frozen=True, tag="curve"):
    """The reported validation losses have their minimum before the end and end above it by a tolerance; one curve, so no test."""

    TEXT = "validation loss turns before the end and ends more than {rise:.0%} above its minimum"
    losses: list[tuple[Annotated[int, Meta(ge=0)], Least]]  # (iteration, loss); as a mapping, its numbers as keys would stop `dvc params`
    rise: Least

    def measure(self, reported: ReportedCounts) -> Finding:
        losses = dict(self.losses)
        if len(losses) < 2 or min(losses.values()) <= 0:
            raise ValueError(f"losses: {losses}; at least two needed, all above 0")
        iterations = sorted(losses)
        turn, end = min(iterations, key=lambda name: (losses[name], name)), iterations[-1]
        place, ratio = iterations.index(turn), losses[end] / losses[turn]
        around = f"{iterations[max(0, place - 1)]} and {iterations[min(len(iterations) - 1, place + 1)]}"
        return Finding(
            ours=ratio, effect=ratio - 1, n=len(iterations), unit="points of one curve",
            state="opposite" if turn == end else "shown" if ratio > 1 + self.rise else "undecided",
            reason=f"lowest {losses[turn]:g} at {turn}, {losses[end]:g} at {end}; the minimum lies anywhere between {around}",
        )  # fmt: skip


class Unseen(Rule, frozen=True, tag="unseen"):
    """One arm is above another on the questions that were not trained on: bounds, since the counts are of all questions together."""

    TEXT = "{arm} above {comparator} on the questions that were not trained on: all gains that the counts allow"
    arm: str
    comparator: str
    seen: Annotated[int, Meta(ge=0)]  # of the questions asked

    def measure(self, reported: ReportedCounts) -> Finding:
        arm, other = reported.take([self.arm, self.comparator])
        unseen = arm.of - self.seen
        if not 0 < unseen <= other.of == arm.of:
            raise ValueError(f"seen: {self.seen} of {arm.of} and {other.of} questions; allowed are fewer than all of the same questions")
        low, least = (max(0.0, count.right - self.seen) / unseen for count in (arm, other))
        high, most = (min(count.right, unseen) / unseen for count in (arm, other))
        return Finding(
            ours=None, low=low - most, high=high - least, n=unseen, unit="questions",
            state=above(low - most, high - least, 0.0),
            reason=f"{self.seen} of {arm.of} questions are training questions; on the other {unseen} {self.arm} may have "
            f"{100 * low:.0f} to {100 * high:.0f} %, {self.comparator} {100 * least:.0f} to {100 * most:.0f} %",
        )  # fmt: skip


class OneFile(Rule, frozen=True, tag="one_file"):
    """A mean over several runs, as printed, is the count of one file."""

    TEXT = "the printed mean of {seeds} runs, {mean} %, is to its last digit the count of one file ({count})"
    count: str
    errors: Annotated[int, Meta(ge=0)]  # answers of the file that the count leaves out
    mean: str  # in %, its digits as printed
    sd: str  # in points, its digits as printed
    seeds: Annotated[int, Meta(ge=2, le=7)]

    def measure(self, reported: ReportedCounts) -> Finding:
        (count,) = reported.take([self.count])
        return printed_means.finding(int(count.right), count.of, self.errors, Printed(self.mean, self.sd, self.seeds))


AnyRule = Gain | Fall | Loss | Spread | Curve | Unseen | OneFile


class TestedClaim(Claim, frozen=True, forbid_unknown_fields=True):
    """One claim of the paper and the rule that tests it."""

    rule: AnyRule


class CountedClaims(ClaimSettings, frozen=True, forbid_unknown_fields=True):
    """Section `reported_counts` of a study file."""

    counts: dict[str, count_tests.Count]
    ledger: dict[str, TestedClaim]

    def results(self) -> dict[str, ClaimResult]:
        """Return the result of each claim; ValueError where a rule cannot be tested on these counts."""
        reported = ReportedCounts(self.counts, self.alpha, self.power, self.confidence)
        return results(self.ledger, {name: claim.rule for name, claim in self.ledger.items()}, reported, "reported_counts", self)
