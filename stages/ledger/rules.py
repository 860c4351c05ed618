"""The rules that claims are judged by: each reads the run's figures and returns a finding. All tests are two-sided.

The primary figures are per-problem means over seeds on the problems that the arms compared have in common on that split.
"""

from itertools import pairwise
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pandas as pd
from scipy.stats import norm

from stages.ledger.finding import Finding, NotRun
from stages.shared import scores
from stages.shared import statistics as st


class Run(NamedTuple):
    """What the rules read."""

    table: pd.DataFrame  # see stages.shared.scores.read
    summary: dict[str, Any]  # metrics/STUDY/summary.json
    teacher: dict[str, Any]
    overfit: dict[str, Any]
    confidence: float
    resamples: int
    seed: int


class Common(NamedTuple):
    """Several arms on the problems that all of them have on one split."""

    ids: list[str]
    values: st.Floats  # (n_problems, n_arms)
    clusters: st.Labels  # (n_problems,)


def common(run: Run, arms: list[str], benchmark: str, split: str, column: str = "correct") -> Common:
    """Return the arms' per-problem means over seeds; NotRun where an arm or a common problem is missing."""
    found = []
    for arm in arms:
        rows = scores.part(run.table, arm, benchmark, split)
        if rows.empty:
            raise NotRun(f"no answers of {arm} on {benchmark}, {split}")
        ids, values, clusters = scores.by_problem(rows, column)
        found.append(pd.DataFrame({arm: values, "cluster": clusters}, index=ids))
    joined = pd.concat([frame[arm] for frame, arm in zip(found, arms, strict=True)], axis=1, join="inner").sort_index()
    if len(joined) < 2:
        raise NotRun(f"{len(joined)} problems in common of {', '.join(arms)} on {benchmark}, {split}")
    clusters = np.asarray(found[0]["cluster"].loc[joined.index], dtype=object)
    return Common([str(name) for name in joined.index], joined.to_numpy(dtype=np.float64), clusters)


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind"):
    """A rule and its parameters, as the study file states them."""

    benchmark: str
    split: str

    def where(self) -> str:
        return self.benchmark if self.split == "all" else f"{self.benchmark}, {self.split}"


class Above(Rule, tag="above", frozen=True):
    """One arm is more accurate than another: paired sign-flip test over problem clusters."""

    arm: str
    comparator: str

    def text(self) -> str:
        return f"{self.arm} above {self.comparator} on {self.where()}: paired sign-flip test over problem clusters of the means over seeds"

    def measure(self, run: Run) -> Finding:
        both = common(run, [self.arm, self.comparator], self.benchmark, self.split)
        result = st.paired(both.values[:, 0] - both.values[:, 1], both.clusters, run.confidence, run.resamples, run.seed)
        first, second = both.values.mean(axis=0)
        return Finding(
            ours=result.effect, effect=result.effect, low=result.low, high=result.high, n=result.clusters, p=result.p,
            sign=int(np.sign(result.effect)), deviation=result.deviation,
            reason=f"{self.arm} {_percent(first)}, {self.comparator} {_percent(second)} of {result.n} problems",
            secondary={"accuracy": {self.arm: float(first), self.comparator: float(second)}, "mcnemar": self._by_seed(run)},
        )  # fmt: skip

    def _by_seed(self, run: Run) -> dict[str, float]:
        """Exact McNemar p of each seed against the comparator's same seed, or its only one; {} where problems have several samples."""
        arm, other = (scores.part(run.table, name, self.benchmark, self.split) for name in (self.arm, self.comparator))
        if arm["sample"].nunique() > 1 or other["sample"].nunique() > 1:
            return {}
        found = {}
        for seed, rows in arm.groupby("seed", sort=True):
            same = other[other["seed"] == (seed if other["seed"].nunique() > 1 else other["seed"].iloc[0])]
            pair = rows.set_index("id")["correct"].to_frame("arm").join(same.set_index("id")["correct"].rename("other"), how="inner")
            if len(pair):
                found[str(seed)] = st.mcnemar(np.asarray(pair["arm"], dtype=np.float64), np.asarray(pair["other"], dtype=np.float64))
        return found


class Falls(Rule, tag="falls", frozen=True):
    """Accuracy falls over ordered arms: sign-flip test of the per-problem slopes."""

    arms: list[str]

    def text(self) -> str:
        return f"accuracy falls over {', '.join(self.arms)} on {self.where()}: sign-flip test of the per-problem slopes (change a step)"

    def measure(self, run: Run) -> Finding:
        all_arms = common(run, self.arms, self.benchmark, self.split)
        result = st.paired(st.slope(all_arms.values), all_arms.clusters, run.confidence, run.resamples, run.seed)
        means = [float(value) for value in all_arms.values.mean(axis=0)]
        rises = sum(after > before for before, after in pairwise(means))
        return Finding(
            ours=means[-1] - means[0], effect=result.effect, low=result.low, high=result.high, n=result.clusters, p=result.p,
            sign=-int(np.sign(result.effect)), deviation=result.deviation,
            reason=f"{' → '.join(map(_percent, means))} of {result.n} problems, {rises} of {len(means) - 1} steps rise",
            secondary={"accuracy": dict(zip(self.arms, means, strict=True)), "rising_steps": rises},
        )  # fmt: skip


class HurtMost(Rule, tag="hurt_most", frozen=True):
    """One section loses more accuracy between two arms than each other section does.

    Loss is absolute, since a relative loss has no meaning where nothing was right. Sections are independent groups of problem clusters:
    Welch's test against each other section; the claim needs all of them, so its p is the largest (an intersection-union test).
    """

    section: str
    arms: list[str]  # from, to

    def text(self) -> str:
        return (
            f"{self.section} loses most from {self.arms[0]} to {self.arms[-1]} on {self.where()}: Welch's test of the per-problem loss "
            "against each other section, largest p; effect: against the closest section"
        )

    def measure(self, run: Run) -> Finding:
        ends = [self.arms[0], self.arms[-1]]
        both = common(run, ends, self.benchmark, self.split)
        sections = run.table[run.table["benchmark"] == self.benchmark].drop_duplicates("id").set_index("id")["section"]
        labels = np.asarray(sections.loc[both.ids])
        losses = {
            str(name): st.cluster_means((both.values[:, 0] - both.values[:, 1])[labels == name], both.clusters[labels == name])
            for name in sorted(set(labels))
        }
        if self.section not in losses or len(losses) < 2 or min(map(len, losses.values())) < 2:
            raise NotRun(f"no two sections with two problems each, one of them {self.section}")
        own = losses[self.section]
        tests = {name: st.welch(own, other, run.confidence) for name, other in losses.items() if name != self.section}
        closest = min(tests, key=lambda name: (tests[name][0], name))
        effect, (low, high), p = tests[closest]
        n = len(own) + len(losses[closest])
        error = (high - low) / 2 / float(norm.ppf((1 + run.confidence) / 2))
        start = {name: float(both.values[labels == name, 0].mean()) for name in losses}
        return Finding(
            ours=effect, effect=effect, low=low, high=high, n=n, sign=int(np.sign(effect)), deviation=error * n**0.5,
            p=max(test[2] for test in tests.values()) if effect > 0 else p,
            reason="loss: " + ", ".join(f"{name} {_percent(loss.mean())}" for name, loss in losses.items()),
            secondary={
                "loss": {name: float(loss.mean()) for name, loss in losses.items()},
                "relative_loss": {name: float(loss.mean()) / start[name] if start[name] else None for name, loss in losses.items()},
            },
        )  # fmt: skip


class WordsFall(Rule, tag="words_fall", frozen=True):
    """The mean number of words falls at every step over ordered arms; no test: texts of one arm are not a sample of anything."""

    arms: list[str]

    def text(self) -> str:
        return f"mean words fall at each step over {', '.join(self.arms)} on {self.where()}; ours: last as a share of the first"

    def measure(self, run: Run) -> Finding:
        found = common(run, self.arms, self.benchmark, self.split, "words")
        means = [float(value) for value in found.values.mean(axis=0)]
        if not means[0]:
            raise NotRun(f"{self.arms[0]} writes no words")
        falls = all(after < before for before, after in pairwise(means))
        return Finding(
            ours=means[-1] / means[0], effect=means[-1] - means[0], n=len(found.ids), state="shown" if falls else "opposite",
            reason=f"{' → '.join(f'{value:.1f}' for value in means)} words", secondary={"words": dict(zip(self.arms, means, strict=True))},
        )  # fmt: skip


class TeacherAbove(Rule, tag="teacher_above", frozen=True):
    """The teacher is above an arm by a margin: Newcombe's interval of the difference of two rates lies beyond the margin."""

    arm: str
    margin: float

    def text(self) -> str:
        return f"teacher above {self.arm} on {self.where()} by more than {self.margin:g}: Newcombe's interval of the difference"

    def measure(self, run: Run) -> Finding:
        rate, n = float(run.teacher["accuracy"]), int(run.teacher["problems"])
        arm = _figures(run, self.arm, self)
        effect = rate - arm["accuracy"]
        low, high = st.newcombe(rate, n, arm["accuracy"], arm["n"], run.confidence)
        return Finding(
            ours=effect, effect=effect, low=low, high=high, n=arm["n"],
            state="shown" if low > self.margin else "opposite" if high < self.margin else "undecided",
            reason=f"teacher {_percent(rate)} of {n} problems, {self.arm} {_percent(arm['accuracy'])} of {arm['n']}",
        )  # fmt: skip


class SpreadSmall(Rule, tag="spread_small", frozen=True):
    """The spread over seeds is small against the gain: the interval of sd / gain (chi-square for the sd) lies below a ratio."""

    arm: str
    comparator: str
    ratio: float

    def text(self) -> str:
        return f"sd over seeds of {self.arm} below {self.ratio:g} of its gain over {self.comparator} on {self.where()}: chi-square interval"

    def measure(self, run: Run) -> Finding:
        arm, other = (_figures(run, name, self) for name in (self.arm, self.comparator))
        seeds = scores.part(run.table, self.arm, self.benchmark, self.split)["seed"].nunique()
        gain = arm["accuracy"] - other["accuracy"]
        if arm["sd"] is None:
            raise NotRun(f"{seeds} seed of {self.arm} has no spread")
        if gain <= 0:
            return Finding(ours=None, effect=gain, n=seeds, state="opposite", reason="no gain that the spread could be small against")
        low, high = (end / gain for end in st.deviation_interval(arm["sd"], seeds, run.confidence))
        return Finding(
            ours=arm["sd"] / gain, effect=arm["sd"] / gain, low=low, high=high, n=seeds,
            state="shown" if high < self.ratio else "opposite" if low > self.ratio else "undecided",
            reason=f"sd {_percent(arm['sd'])} over {seeds} seeds, gain {_percent(gain)}",
        )  # fmt: skip


class LongRun(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="long_run"):
    """The long run's validation loss has its minimum before the end and ends above it by a tolerance; one curve, so no test."""

    rise: float

    def text(self) -> str:
        return f"validation loss of the long run turns before the end and ends more than {self.rise:.0%} above its minimum"

    def measure(self, run: Run) -> Finding:
        best, last = float(run.overfit["best_loss"]), float(run.overfit["last_loss"])
        turn, end = run.overfit["best_iteration"], run.overfit["iterations"]
        ratio = last / best if best else float("inf")
        state = "opposite" if turn >= end else "shown" if ratio > 1 + self.rise else "undecided"
        return Finding(
            ours=ratio, effect=ratio - 1, state=state, reason=f"minimum {best:.4g} at iteration {turn}, {last:.4g} at {end}",
            secondary={"best_iteration": turn, "last_iteration": end},
        )  # fmt: skip


AnyRule = Above | Falls | HurtMost | WordsFall | TeacherAbove | SpreadSmall | LongRun


def _figures(run: Run, arm: str, rule: Rule) -> dict[str, Any]:
    """Return an arm's line of the summary."""
    try:
        line: dict[str, Any] = run.summary["arms"][arm][rule.benchmark][rule.split]
    except KeyError:
        raise NotRun(f"no accuracy of {arm} on {rule.where()}") from None
    return line


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"
