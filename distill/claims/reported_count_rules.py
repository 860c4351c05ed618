"""The rules on printed counts: what a paper's own numbers bear where its answers are not there. All tests are two-sided.

Each p is the largest that the counts allow: a claim is supported only if it holds however the answers of two arms pair.
"""

from itertools import combinations_with_replacement, pairwise

import msgspec
import numpy as np

from distill.claims import count_tests
from distill.claims.count_tests import TestSettings
from distill.claims.verdicts import Finding
from distill.stats import statistics as st


class Gain(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="gain"):
    """One arm is above another, asked the same questions."""

    arm: str
    comparator: str

    def text(self) -> str:
        return (
            f"{self.arm} above {self.comparator}: exact McNemar test, or z test of means over seeds, at the pairing "
            "with the largest p that the counts allow"
        )

    def measure(self, bar: TestSettings) -> Finding:
        arm, other = bar.take([self.arm, self.comparator])
        whole = float(arm.right).is_integer() and float(other.right).is_integer() and arm.of == other.of
        found = count_tests.pairings(int(arm.right), int(other.right), arm.of, bar) if whole else count_tests.correlations(arm, other, bar)
        effect = arm.rate - other.rate
        unpaired = count_tests.two_rates(arm, other)
        low, high = st.newcombe(arm.rate, arm.of, other.rate, other.of, bar.confidence)
        return Finding(
            ours=effect, effect=effect, low=found.low, high=found.high, n=min(arm.of, other.of), p=found.worst, sign=int(np.sign(effect)),
            deviation=found.deviation, unit="questions",
            reason=f"{self.arm} {arm.says()}, {self.comparator} {other.says()}: p = {unpaired:.2g} unpaired; paired between "
            f"{found.best:.2g} and {found.worst:.2g}, by which answers go together{found.more}",
            secondary={"p_unpaired": unpaired, "p_best": found.best, "low_unpaired": low, "high_unpaired": high} | found.figures,
        )  # fmt: skip


class Fall(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="fall"):
    """Accuracy falls over ordered arms: the least-squares slope of the printed rates against its error."""

    arms: list[str]

    def text(self) -> str:
        return (
            f"accuracy falls over {', '.join(self.arms)}: z test of the slope of the rates (change a step), largest p that the counts allow"
        )

    def measure(self, bar: TestSettings) -> Finding:
        printed = bar.take(self.arms, 2)
        rates, errors = np.array([count.rate for count in printed]), np.array([count.error for count in printed])
        steps = np.arange(len(printed)) - (len(printed) - 1) / 2
        weights = steps / (steps @ steps)
        slope, wide = float(rates @ weights), float(np.abs(weights) @ errors)
        half, n = st.quantile(bar.confidence) * wide, min(count.of for count in printed)
        changes = {
            f"{a}-{b}": st.newcombe(y.rate, y.of, x.rate, x.of, bar.confidence)
            for (a, x), (b, y) in pairwise(zip(self.arms, printed, strict=True))
        }
        shown = sum(change.high < 0 for change in changes.values())
        alone = count_tests.z_test(slope, float(np.sqrt((weights**2) @ errors**2)))
        return Finding(
            ours=float(rates[-1] - rates[0]), effect=slope, low=slope - half, high=slope + half, n=n, p=count_tests.z_test(slope, wide),
            sign=-int(np.sign(slope)), deviation=wide * n**0.5, unit="questions",
            reason=f"{' → '.join(count.says() for count in printed)}; unpaired intervals show {shown} of {len(changes)} steps to fall",
            secondary={"p_unpaired": alone, "rising_steps": int((np.diff(rates) > 0).sum()),
                       "steps": {name: change._asdict() for name, change in changes.items()}},
        )  # fmt: skip


class Loss(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="loss"):
    """One section loses more between two arms than each other section: z tests, all of which must show it (their largest p)."""

    section: str
    sections: dict[str, list[str]]  # section: the counts from, to

    def text(self) -> str:
        return f"{self.section} loses most: z test of the loss against each other section, the largest p that the counts allow"

    def measure(self, bar: TestSettings) -> Finding:
        ends = {name: bar.take(keys[:2], 2) for name, keys in self.sections.items()}
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
        half = st.quantile(bar.confidence) * errors[closest]
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


class Spread(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="spread"):
    """The printed spread over seeds is small against the printed gain: the interval of sd / gain (chi-square) lies below a ratio."""

    mean: str  # %, as printed
    sd: str  # points, as printed
    seeds: int
    of: int  # questions asked of each seed
    gain: float  # points
    ratio: float

    def text(self) -> str:
        return (
            f"sd over seeds below {self.ratio:g} of the gain: chi-square interval; and whether whole numbers of questions give mean and sd"
        )

    def measure(self, bar: TestSettings) -> Finding:
        if self.gain <= 0:
            raise ValueError(f"gain: {self.gain:g} is none that a spread could be small against")
        ratio = float(self.sd) / self.gain
        low, high = (end / self.gain for end in st.deviation_interval(float(self.sd), self.seeds, bar.confidence))
        fits = denominators(self.mean, self.sd, self.seeds, self.of)
        given = " or ".join(f"n - 1 = {self.seeds - 1}" if fit == "sample" else f"n = {self.seeds}" for fit in fits)
        return Finding(
            ours=ratio, effect=ratio, low=low, high=high, n=self.seeds, unit="seeds",
            state="shown" if high < self.ratio else "opposite" if low > self.ratio else "undecided",
            needed=st.deciding_seeds(ratio, self.ratio, bar.confidence),
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


class Curve(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="curve"):
    """The printed validation losses have their minimum before the end and end above it by a tolerance; one curve, so no test."""

    losses: dict[int, float]  # by iteration
    rise: float

    def text(self) -> str:
        return f"validation loss turns before the end and ends more than {self.rise:.0%} above its minimum"

    def measure(self, bar: TestSettings) -> Finding:
        if len(self.losses) < 2 or min(self.losses.values()) <= 0:
            raise ValueError(f"losses: {self.losses}; at least two needed, all above 0")
        iterations = sorted(self.losses)
        turn, end = min(iterations, key=lambda name: (self.losses[name], name)), iterations[-1]
        place, ratio = iterations.index(turn), self.losses[end] / self.losses[turn]
        around = f"{iterations[max(0, place - 1)]} and {iterations[min(len(iterations) - 1, place + 1)]}"
        return Finding(
            ours=ratio, effect=ratio - 1, n=len(iterations), unit="points of one curve",
            state="opposite" if turn == end else "shown" if ratio > 1 + self.rise else "undecided",
            reason=f"lowest {self.losses[turn]:g} at {turn}, {self.losses[end]:g} at {end}; the minimum lies anywhere between {around}",
        )  # fmt: skip


class Unseen(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="unseen"):
    """One arm is above another on the questions that were not trained on: bounds, since right answers are printed for all together."""

    arm: str
    comparator: str
    seen: int  # of the questions asked

    def text(self) -> str:
        return f"{self.arm} above {self.comparator} on the questions that were not trained on: all gains that the counts allow"

    def measure(self, bar: TestSettings) -> Finding:
        arm, other = bar.take([self.arm, self.comparator])
        unseen = arm.of - self.seen
        if not 0 < unseen <= other.of == arm.of:
            raise ValueError(f"seen: {self.seen} of {arm.of} and {other.of} questions; allowed are fewer than all of the same questions")
        (low, high), (least, most) = (self._bounds(count.right, unseen) for count in (arm, other))
        return Finding(
            ours=None, low=low - most, high=high - least, n=unseen, unit="questions",
            state="shown" if low > most else "opposite" if high < least else "undecided",
            reason=f"{self.seen} of {arm.of} questions are training questions; on the other {unseen} {self.arm} may have "
            f"{100 * low:.0f} to {100 * high:.0f} %, {self.comparator} {100 * least:.0f} to {100 * most:.0f} %",
        )  # fmt: skip

    def _bounds(self, right: float, unseen: int) -> tuple[float, float]:
        """Return the least and the largest rate on the unseen questions."""
        return max(0.0, right - self.seen) / unseen, min(right, unseen) / unseen


AnyRule = Gain | Fall | Loss | Spread | Curve | Unseen
