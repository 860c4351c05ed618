"""The rules on an arm's own answers: its accuracy, what it was trained on against the rest, a published mean against its file's count."""

from typing import Annotated

import numpy as np
from msgspec import Meta

from distill.claims import printed_means
from distill.claims.rule_inputs import RuleInputs, RunRule, figures, percent
from distill.claims.verdicts import Finding, NotRun
from distill.stats import clusters, intervals, score_table


class Accuracy(RunRule, tag="accuracy", frozen=True):
    """An arm's accuracy, as the summary has it; no test: whether it is the published one is a matter of the claim's tolerance."""

    TEXT = "accuracy of {arm} on {where}, with its interval over problems; compared with the published one by the claim's tolerance"
    arm: str

    def measure(self, inputs: RuleInputs) -> Finding:
        found = figures(inputs, self.arm, self)
        ends = intervals.Interval(found["low"], found["high"])
        return Finding(
            ours=found["accuracy"], effect=found["accuracy"], low=ends.low, high=ends.high, n=found["n"], state="shown", span=ends,
            unit="problems", reason=f"{self.arm} {percent(found['accuracy'])} of {found['n']} problems",
        )  # fmt: skip


class SeenAbove(RunRule, tag="seen_above", frozen=True):
    """Arms are more accurate on the problems that they were trained on than on those that they never saw, each by its own corpus.

    Welch's test of the problem clusters' means, an arm at a time: the two groups share no cluster, and near-duplicates of seen problems
    and validation problems are in neither. The claim needs all arms, so its p is the largest (an intersection-union test).
    """

    TEXT = (
        "{listed} more accurate on the problems of {benchmark} that each was trained on than on held-out ones, by its own corpus: Welch's "
        "test of problem clusters, largest p; effect: of the arm with the smallest"
    )
    arms: Annotated[list[str], Meta(min_length=1)]

    def measure(self, inputs: RuleInputs) -> Finding:
        groups = {arm: [self._means(inputs, arm, role) for role in ("seen", "heldout")] for arm in self.arms}
        for arm, (seen, held) in groups.items():
            if min(len(seen), len(held)) < 2:
                raise NotRun(
                    f"{len(seen)} clusters of {self.benchmark} that {arm} was trained on and answered, {len(held)} held out; two of each "
                    "needed"
                )
        tests = {arm: intervals.welch(seen, held, inputs.confidence) for arm, (seen, held) in groups.items()}
        least = min(tests, key=lambda arm: (tests[arm][0], arm))
        effect, (low, high), p = tests[least]
        n = sum(map(len, groups[least]))
        error = intervals.standard_error(low, high, inputs.confidence)
        return Finding(
            ours=effect, effect=effect, low=low, high=high, n=n, sign=int(np.sign(effect)), deviation=error * n**0.5,
            p=max(test[2] for test in tests.values()) if effect > 0 else p, span=intervals.Interval(low, high),
            reason="; ".join(
                f"{arm} {percent(seen.mean())} on {len(seen)} clusters seen, {percent(held.mean())} on {len(held)} held out"
                for arm, (seen, held) in groups.items()
            ),
            secondary={
                arm: {"seen": float(seen.mean()), "heldout": float(held.mean()), "effect": tests[arm][0], "p": tests[arm][2]}
                for arm, (seen, held) in groups.items()
            },
        )  # fmt: skip

    def _means(self, inputs: RuleInputs, arm: str, role: str) -> clusters.Floats:
        rows = score_table.part(inputs.table, arm, self.benchmark, role)
        if rows.empty:
            return np.empty(0)
        _, values, labels = score_table.by_problem(rows)
        return clusters.cluster_means(values, labels)


class OneFile(RunRule, tag="one_file", frozen=True):
    """A mean over several runs, as printed, is the count of the one file that is recorded, by its published verdicts without errors."""

    TEXT = (
        "the printed mean of {seeds} runs, {mean} %, is to its last digit the share that the published judge passed in the one recorded "
        "file of {arm} on {where}, its errors left out"
    )
    arm: str
    mean: str  # in %, its digits as printed
    sd: str  # in points, its digits as printed
    seeds: Annotated[int, Meta(ge=2, le=7)]

    def measure(self, inputs: RuleInputs) -> Finding:
        rows = score_table.part(inputs.table, self.arm, self.benchmark, self.split)
        judged = rows[rows["published"].isin(["correct", "incorrect"])]
        if judged.empty:
            raise NotRun(f"no published verdicts of {self.arm} on {self.where()}")
        passed, errors = int((judged["published"] == "correct").sum()), int((rows["published"] == "error").sum())
        return printed_means.finding(passed, len(judged), errors, printed_means.Printed(self.mean, self.sd, self.seeds))
