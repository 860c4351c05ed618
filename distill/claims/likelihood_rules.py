"""The rules on likelihoods: is a text more probable after training, and more so where it was trained on? See docs/likelihood.md.

A problem's figure is its mean over seeds. Gains are compared on the problems, and of measure `chain` on the texts, that both students have.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from distill.claims.rule_inputs import RuleInputs
from distill.claims.verdicts import Finding, NotRun, Rule
from distill.core.cells import BASE
from distill.likelihood.row import PROBABILITIES, Likelihood, Measure
from distill.stats import clusters, intervals

Sides = tuple[clusters.Floats, clusters.Floats, clusters.Labels]  # the arm's figures, the comparator's, the problems' clusters


class LikelihoodRule(Rule, frozen=True):
    """A rule on a measure of two students."""

    arm: str
    comparator: str
    of: Measure = msgspec.field(name="measure")

    def __post_init__(self) -> None:
        if self.of == "chain" and self.comparator != BASE:
            raise ValueError(
                "measure chain is of the arm's own text, which only base is scored on too; take chain_common, or comparator: base"
            )

    def needs(self) -> list[str]:
        """Return the parts that the rule reads."""
        raise NotImplementedError

    def text(self, **more: str) -> str:
        return super().text(unit="a probability" if self.of in PROBABILITIES else "nats a token", **more)

    def sides(self, rows: Sequence[Likelihood], part: str) -> Sides:
        """Return both students' figures on the problems of a part that both have; NotRun where these are fewer than two clusters."""
        mine, theirs = (self._means(rows, arm, part) for arm in (self.arm, self.comparator))
        both = sorted(mine.keys() & theirs.keys())
        named = {row.id: row.cluster for row in rows if row.part == part}
        labels = np.array([named[name] for name in both], dtype=object)
        if len(set(labels)) < 2:
            raise NotRun(f"{len(both)} problems of {part} have {self.of} of {self.arm} and of {self.comparator}; two clusters needed")
        return np.array([mine[name] for name in both]), np.array([theirs[name] for name in both]), labels

    def _means(self, rows: Sequence[Likelihood], arm: str, part: str) -> dict[str, float]:
        text = self.arm if self.of == "chain" else ""
        found: dict[str, list[float]] = {}
        for row in rows:
            if (row.arm, row.measure, row.part, row.text) == (arm, self.of, part, text):
                found.setdefault(row.id, []).append(row.value)
        return {name: float(np.mean(values)) for name, values in found.items()}

    def shown(self, value: Any) -> str:
        return f"{float(value):.4f}"


class LikelihoodAbove(LikelihoodRule, tag="likelihood_above", frozen=True):
    """One student finds the texts of a measure more probable than another: paired sign-flip test over problem clusters."""

    TEXT = (
        "{of} of {arm} above that of {comparator} on the problems of {part} that both have, in {unit}: paired sign-flip test over problem "
        "clusters of the means over seeds"
    )
    part: str  # seen | heldout | a benchmark

    def needs(self) -> list[str]:
        return [self.part]

    def measure(self, inputs: RuleInputs) -> Finding:
        mine, theirs, labels = self.sides(inputs.likelihoods, self.part)
        result = inputs.compare(mine - theirs, labels)
        return Finding(
            ours=result.effect, effect=result.effect, low=result.low, high=result.high, n=result.clusters, p=result.p,
            sign=int(np.sign(result.effect)), deviation=result.deviation, span=intervals.Interval(result.low, result.high),
            reason=f"{self.arm} {self.shown(mine.mean())}, {self.comparator} {self.shown(theirs.mean())}, {result.n} problems",
            secondary={"mean": {self.arm: float(mine.mean()), self.comparator: float(theirs.mean())}},
        )  # fmt: skip


class LikelihoodGap(LikelihoodRule, tag="likelihood_gap", frozen=True):
    """One student gains more over another on the problems that it was trained on than on held-out ones: Welch's test."""

    TEXT = (
        "{of} of {arm} gains more over that of {comparator} on the problems that it was trained on than on held-out ones, in {unit}: "
        "Welch's test of the gains of problem clusters"
    )

    def needs(self) -> list[str]:
        return ["seen", "heldout"]

    def measure(self, inputs: RuleInputs) -> Finding:
        groups = {}
        for part in self.needs():
            mine, theirs, labels = self.sides(inputs.likelihoods, part)
            groups[part] = clusters.cluster_means(mine - theirs, labels)
        effect, (low, high), p = intervals.welch(groups["seen"], groups["heldout"], inputs.confidence)
        n, error = sum(map(len, groups.values())), intervals.standard_error(low, high, inputs.confidence)
        return Finding(
            ours=effect, effect=effect, low=low, high=high, n=n, p=p, sign=int(np.sign(effect)), deviation=error * n**0.5,
            span=intervals.Interval(low, high),
            reason="gain " + ", ".join(f"{self.shown(gain.mean())} on {len(gain)} clusters {part}" for part, gain in groups.items()),
            secondary={f"gain_{part}": float(gain.mean()) for part, gain in groups.items()},
        )  # fmt: skip
