"""What every claim's rule reads from a run: arms on the problems that they have in common, and the summary's lines."""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import pandas as pd

from distill.claims.verdicts import NotRun, Rule
from distill.likelihood.row import Likelihood
from distill.stats import score_table
from distill.stats.clusters import Floats, Labels
from distill.stats.paired_tests import Paired, paired
from distill.stats.score_table import Common


class RuleInputs(NamedTuple):
    """What the rules read."""

    table: pd.DataFrame  # see distill.stats.score_table.read
    summary: dict[str, Any]  # metrics/STUDY/summary.json
    teacher: dict[str, Any]
    overfit: dict[str, Any]  # {} where there was no long run
    confidence: float
    power: float
    resamples: int
    seed: int
    likelihoods: Sequence[Likelihood] = ()  # of a study that scores texts
    profile: str = ""  # a further extraction profile, by which the table's answers are correct; "" for the study's first

    def under(self, profile: str) -> "RuleInputs":
        """Return the inputs by a further extraction profile."""
        return self._replace(table=score_table.under(self.table, profile), profile=profile)

    def compare(self, differences: Floats, clusters: Labels) -> Paired:
        """Compare two arms by their differences, (n_problems,)."""
        return paired(differences, clusters, self.confidence, self.resamples, self.seed)


def common(inputs: RuleInputs, arms: list[str], benchmark: str, split: str, column: str = "correct") -> Common:
    """Return the arms' per-problem means over seeds; NotRun where an arm or a common problem is missing."""
    parts = {arm: score_table.part(inputs.table, arm, benchmark, split) for arm in arms}
    for arm, rows in parts.items():
        if rows.empty:
            raise NotRun(f"no answers of {arm} on {benchmark}, {split}")
    found = score_table.common([parts[arm] for arm in arms], column)
    if len(found.ids) < 2:
        raise NotRun(f"{len(found.ids)} problems in common of {', '.join(arms)} on {benchmark}, {split}")
    return found


class RunRule(Rule, frozen=True):
    """A rule on a benchmark and a split of the run."""

    benchmark: str
    split: Literal["all", "seen", "near", "heldout"]

    def where(self) -> str:
        return self.benchmark if self.split == "all" else f"{self.benchmark}, {self.split}"

    def text(self, **more: str) -> str:
        return super().text(where=self.where(), **more)


def figures(inputs: RuleInputs, arm: str, rule: RunRule) -> dict[str, Any]:
    """Return an arm's line of the summary."""
    try:
        line: Any = inputs.summary["arms"][arm][rule.benchmark][rule.split]
    except KeyError:
        raise NotRun(f"no accuracy of {arm} on {rule.where()}") from None
    return line["profiles"][inputs.profile] if inputs.profile else line


def percent(value: float) -> str:
    return f"{100 * value:.1f} %"
