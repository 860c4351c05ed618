"""The rules on arms in an order, and on sections: does accuracy fall, do words fall, which section loses most? All tests are two-sided."""

from itertools import pairwise
from typing import Annotated

import numpy as np
from msgspec import Meta

from distill.claims.rule_inputs import RuleInputs, RunRule, common, percent
from distill.claims.verdicts import Finding, NotRun
from distill.stats import clusters, intervals, paired_tests
from distill.stats.score_table import Common


class Falls(RunRule, tag="falls", frozen=True):
    """Accuracy falls over ordered arms: sign-flip test of the per-problem slopes.

    The slope test asks whether the mean accuracy changes along the order, each step weighed alike; Page's test (secondary), whether the
    ranks of the arms within a problem cluster follow the order, however large the steps are. Both may see a trend in which one step
    rises: that each step falls is what `steps` shows (paired tests, uncorrected; all of them fall at the largest p of theirs).
    """

    TEXT = (
        "accuracy falls on average over {listed} on the problems of {where} that all of them have: sign-flip test of the mean of the "
        "problems' least-squares slopes (change a step) against 0; it is a test of the trend, in which single steps may rise"
    )
    arms: Annotated[list[str], Meta(min_length=2)]

    def measure(self, inputs: RuleInputs) -> Finding:
        all_arms = common(inputs, self.arms, self.benchmark, self.split)
        result = inputs.compare(paired_tests.slope(all_arms.values), all_arms.clusters)
        means = [float(value) for value in all_arms.values.mean(axis=0)]
        rises = sum(after > before for before, after in pairwise(means))
        first, last = all_arms.values[:, 0], all_arms.values[:, -1]
        return Finding(
            ours=means[-1] - means[0], effect=result.effect, low=result.low, high=result.high, n=result.clusters, p=result.p,
            sign=-int(np.sign(result.effect)), deviation=result.deviation,
            reason=f"{' → '.join(map(percent, means))} of {result.n} problems, {rises} of {len(means) - 1} steps rise",
            span=intervals.difference_interval(last - first, all_arms.clusters, inputs.confidence, inputs.resamples, inputs.seed),
            secondary={
                "accuracy": dict(zip(self.arms, means, strict=True)), "rising_steps": rises,
                "page": paired_tests.page(all_arms.values, all_arms.clusters)._asdict(), "steps": self._steps(inputs, all_arms),
            },
        )  # fmt: skip

    def _steps(self, inputs: RuleInputs, found: Common) -> dict[str, dict[str, float]]:
        """Return each step's change with its interval and p, as FROM-TO."""
        steps = {}
        for step, (before, after) in enumerate(pairwise(self.arms)):
            change = inputs.compare(found.values[:, step + 1] - found.values[:, step], found.clusters)
            steps[f"{before}-{after}"] = {key: getattr(change, key) for key in ("effect", "low", "high", "p")}
        return steps


class HurtMost(RunRule, tag="hurt_most", frozen=True):
    """One section loses more accuracy between two arms than each other section does.

    Loss is absolute, since a relative loss has no meaning where nothing was right. Sections are independent groups of problem clusters:
    Welch's test against each other section; the claim needs all of them, so its p is the largest (an intersection-union test).
    """

    TEXT = (
        "{section} loses most from {arms[0]} to {arms[1]} on {where}: Welch's test of the per-problem loss "
        "against each other section, largest p; effect: against the closest section"
    )
    section: str
    arms: tuple[str, str]  # from, to

    def measure(self, inputs: RuleInputs) -> Finding:
        both = common(inputs, list(self.arms), self.benchmark, self.split)
        sections = inputs.table[inputs.table["benchmark"] == self.benchmark].drop_duplicates("id").set_index("id")["section"]
        labels = np.asarray(sections.loc[both.ids])
        losses = {
            str(name): clusters.cluster_means((both.values[:, 0] - both.values[:, 1])[labels == name], both.clusters[labels == name])
            for name in sorted(set(labels))
        }
        if self.section not in losses or len(losses) < 2 or min(map(len, losses.values())) < 2:
            raise NotRun(f"no two sections with two problems each, one of them {self.section}")
        own = losses[self.section]
        tests = {name: intervals.welch(own, other, inputs.confidence) for name, other in losses.items() if name != self.section}
        closest = min(tests, key=lambda name: (tests[name][0], name))
        effect, (low, high), p = tests[closest]
        n = len(own) + len(losses[closest])
        error = intervals.standard_error(low, high, inputs.confidence)
        start = {name: float(both.values[labels == name, 0].mean()) for name in losses}
        return Finding(
            ours=effect, effect=effect, low=low, high=high, n=n, sign=int(np.sign(effect)), deviation=error * n**0.5,
            p=max(test[2] for test in tests.values()) if effect > 0 else p,
            reason="loss: " + ", ".join(f"{name} {percent(loss.mean())}" for name, loss in losses.items()),
            secondary={
                "loss": {name: float(loss.mean()) for name, loss in losses.items()},
                "relative_loss": {name: float(loss.mean()) / start[name] if start[name] else None for name, loss in losses.items()},
            },
        )  # fmt: skip


class WordsFall(RunRule, tag="words_fall", frozen=True):
    """The mean number of words falls at every step over ordered arms; no test: texts of one arm are not a sample of anything."""

    TEXT = "mean words fall at each step over {listed} on {where}; ours: last as a share of the first"
    arms: Annotated[list[str], Meta(min_length=2)]

    def measure(self, inputs: RuleInputs) -> Finding:
        found = common(inputs, self.arms, self.benchmark, self.split, "words")
        means = [float(value) for value in found.values.mean(axis=0)]
        if not means[0]:
            raise NotRun(f"{self.arms[0]} writes no words")
        falls = all(after < before for before, after in pairwise(means))
        return Finding(
            ours=means[-1] / means[0], effect=means[-1] - means[0], n=len(found.ids), state="shown" if falls else "opposite",
            reason=f"{' → '.join(f'{value:.1f}' for value in means)} words", secondary={"words": dict(zip(self.arms, means, strict=True))},
        )  # fmt: skip
