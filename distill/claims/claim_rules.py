"""The rules that test claims: each reads the run's figures and returns a finding. All tests are two-sided.

The primary figures are per-problem means over seeds on the problems that the arms compared have in common on that split.
"""

from typing import Annotated

import numpy as np
from msgspec import Meta

from distill.claims.arm_rules import Accuracy, OneFile, SeenAbove
from distill.claims.likelihood_rules import LikelihoodAbove, LikelihoodGap
from distill.claims.rule_inputs import RuleInputs, RunRule, common, figures, percent
from distill.claims.trend_rules import Falls, HurtMost, WordsFall
from distill.claims.verdicts import Finding, NotRun, Rule, above, below
from distill.stats import clusters, intervals, paired_tests, power, score_table

Positive = Annotated[float, Meta(gt=0)]


class Above(RunRule, tag="above", frozen=True):
    """One arm is more accurate than another: paired sign-flip test over problem clusters."""

    TEXT = (
        "{arm} above {comparator} on the problems of {where} that both have: paired sign-flip test over problem clusters of the means "
        "over seeds"
    )
    arm: str
    comparator: str

    def measure(self, inputs: RuleInputs) -> Finding:
        both = common(inputs, [self.arm, self.comparator], self.benchmark, self.split)
        result = inputs.compare(both.values[:, 0] - both.values[:, 1], both.clusters)
        first, second = both.values.mean(axis=0)
        return Finding(
            ours=result.effect, effect=result.effect, low=result.low, high=result.high, n=result.clusters, p=result.p,
            sign=int(np.sign(result.effect)), deviation=result.deviation, span=intervals.Interval(result.low, result.high),
            reason=f"{self.arm} {percent(first)}, {self.comparator} {percent(second)} of {result.n} problems",
            secondary={"accuracy": {self.arm: float(first), self.comparator: float(second)}, "mcnemar": self._by_seed(inputs)},
        )  # fmt: skip

    def _by_seed(self, inputs: RuleInputs) -> dict[str, float]:
        """Exact McNemar p of each seed against the comparator's same seed, or its only one; {} where problems have several samples."""
        arm, other = (score_table.part(inputs.table, name, self.benchmark, self.split) for name in (self.arm, self.comparator))
        if arm["sample"].nunique() > 1 or other["sample"].nunique() > 1:
            return {}
        found = {}
        for seed, rows in arm.groupby("seed", sort=True):
            same = other[other["seed"] == (seed if other["seed"].nunique() > 1 else other["seed"].iloc[0])]
            pair = rows.set_index("id")["correct"].to_frame("arm").join(same.set_index("id")["correct"].rename("other"), how="inner")
            if len(pair):
                found[str(seed)] = paired_tests.mcnemar(pair["arm"].to_numpy(), pair["other"].to_numpy())
        return found


class MoreOnSeen(RunRule, tag="more_on_seen", frozen=True):
    """One arm gains more over another on the problems that it was trained on than on those that it never saw: Welch's test.

    The two groups share no duplicate cluster; near-duplicates of seen problems and validation problems are in neither.
    """

    TEXT = (
        "{arm} gains more over {comparator} on the problems of {benchmark} that it was trained on than on held-out "
        "ones, both by its own corpus: Welch's test of the gains of problem clusters"
    )
    arm: str
    comparator: str

    def measure(self, inputs: RuleInputs) -> Finding:
        both = common(inputs, [self.arm, self.comparator], self.benchmark, "all")
        role = score_table.part(inputs.table, self.arm, self.benchmark, "all").drop_duplicates("id").set_index("id")["split_role"]
        roles, gains = np.asarray(role.loc[both.ids]), both.values[:, 0] - both.values[:, 1]
        seen, held = (clusters.cluster_means(gains[roles == name], both.clusters[roles == name]) for name in ("seen", "heldout"))
        if min(len(seen), len(held)) < 2:
            raise NotRun(
                f"{len(seen)} clusters of {self.benchmark} that {self.arm} was trained on and {len(held)} held out; two of each needed"
            )
        effect, (low, high), p = intervals.welch(seen, held, inputs.confidence)
        n, error = len(seen) + len(held), intervals.standard_error(low, high, inputs.confidence)
        return Finding(
            ours=effect, effect=effect, low=low, high=high, n=n, p=p, sign=int(np.sign(effect)), deviation=error * n**0.5,
            span=intervals.Interval(low, high),
            reason=f"gain {percent(seen.mean())} on {len(seen)} clusters seen, {percent(held.mean())} on {len(held)} held out",
            secondary={"gain_seen": float(seen.mean()), "gain_heldout": float(held.mean())},
        )  # fmt: skip


class TeacherAbove(RunRule, tag="teacher_above", frozen=True):
    """The teacher is above an arm by a margin: Newcombe's interval of the difference of two rates lies beyond the margin."""

    TEXT = "teacher above {arm} on {where} by more than {margin:g}: Newcombe's interval of the difference"
    arm: str
    margin: Annotated[float, Meta(ge=0, lt=1)]

    def measure(self, inputs: RuleInputs) -> Finding:
        rate, n = float(inputs.teacher["accuracy"]), int(inputs.teacher["problems"])
        arm = figures(inputs, self.arm, self)
        effect = rate - arm["accuracy"]
        low, high = intervals.newcombe(rate, n, arm["accuracy"], arm["n"], inputs.confidence)
        error = intervals.standard_error(low, high, inputs.confidence)
        return Finding(
            ours=effect, effect=effect, low=low, high=high, n=arm["n"],
            state=above(low, high, self.margin),
            reason=f"teacher {percent(rate)} of {n} problems, {self.arm} {percent(arm['accuracy'])} of {arm['n']}",
            needed=power.deciding_n(effect - self.margin, error * arm["n"] ** 0.5, 1 - inputs.confidence, inputs.power),
            unit="problems", span=intervals.Interval(low, high),
        )  # fmt: skip


class SpreadSmall(RunRule, tag="spread_small", frozen=True):
    """The spread over seeds is small against the gain: the interval of sd / gain (chi-square for the sd) lies below a ratio.

    The sd is that of the seeds' accuracies in the summary; the gain is that of rule `above`.
    """

    TEXT = (
        "sd over seeds of the accuracy of {arm} on {where} below {ratio:g} of its gain over {comparator} on the problems that both have: "
        "chi-square interval of the sd"
    )
    arm: str
    comparator: str
    ratio: Positive

    def measure(self, inputs: RuleInputs) -> Finding:
        arm, both = figures(inputs, self.arm, self), common(inputs, [self.arm, self.comparator], self.benchmark, self.split)
        seeds = score_table.part(inputs.table, self.arm, self.benchmark, self.split)["seed"].nunique()
        gain = float((both.values[:, 0] - both.values[:, 1]).mean())
        if arm["sd"] is None:
            raise NotRun(f"{seeds} seed of {self.arm} has no spread")
        if gain <= 0:
            return Finding(ours=None, effect=gain, n=seeds, state="opposite", reason="no gain that the spread could be small against")
        low, high = (end / gain for end in intervals.deviation_interval(arm["sd"], seeds, inputs.confidence))
        return Finding(
            ours=arm["sd"] / gain, effect=arm["sd"] / gain, low=low, high=high, n=seeds,
            state=below(low, high, self.ratio),
            reason=f"sd {percent(arm['sd'])} over {seeds} seeds, gain {percent(gain)}",
            needed=power.deciding_seeds(arm["sd"] / gain, self.ratio, inputs.confidence), unit="seeds", span=intervals.Interval(low, high),
        )  # fmt: skip


class LongRunOverfits(Rule, frozen=True, tag="long_run"):
    """The long run's validation loss has its minimum before the end and ends above it by a tolerance; one curve, so no test."""

    TEXT = "validation loss of the long run turns before the end and ends more than {rise:.0%} above its minimum"
    rise: Annotated[float, Meta(ge=0)]

    def measure(self, inputs: RuleInputs) -> Finding:
        if not inputs.overfit:
            raise NotRun("the study has no long run")
        best, last = float(inputs.overfit["best_loss"]), float(inputs.overfit["last_loss"])
        turn, end = inputs.overfit["best_iteration"], inputs.overfit["iterations"]
        if best <= 0:
            raise NotRun(f"a smallest validation loss of {best:g} has no ratio to the last")
        ratio = last / best
        state = "opposite" if turn >= end else "shown" if ratio > 1 + self.rise else "undecided"
        return Finding(
            ours=ratio, effect=ratio - 1, state=state, reason=f"minimum {best:.4g} at iteration {turn}, {last:.4g} at {end}",
            secondary={"best_iteration": turn, "last_iteration": end},
        )  # fmt: skip


AnyRule = (
    Above | MoreOnSeen | Falls | HurtMost | WordsFall | TeacherAbove | SpreadSmall | LongRunOverfits | Accuracy | SeenAbove | OneFile
    | LikelihoodAbove | LikelihoodGap
)  # fmt: skip
