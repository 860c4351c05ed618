"""From the problems that were answered to the denominators of accuracies and of claims."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from distill.claims.basis import PRINTED
from distill.claims.claim_rules import Above
from distill.claims.rule_inputs import RunRule
from distill.claims.trend_rules import Falls
from distill.claims.verdicts import Rule
from distill.drops.steps import Step, on, step
from distill.records.problem import OWN
from distill.stats import score_table

ROLES = {"seen": "trained on", "near": "near-duplicate of one trained on", "valid": "validated on", "heldout": "held out"}


def heldout(table: pd.DataFrame, summary: Mapping[str, Any]) -> Iterator[Step]:
    """Yield the step to each arm's held-out accuracy: roles are counted here, its n is the summary's."""
    for arm in sorted(set(table["arm"])):
        rows = score_table.part(table, arm, OWN, "all").drop_duplicates("id")
        if len(rows):
            roles = Counter(rows["split_role"])
            n = summary["arms"][arm][OWN].get("heldout", {"n": 0})["n"]
            lost = {name: roles[role] for role, name in ROLES.items() if role != "heldout"}
            yield on(OWN, step("summarise", arm, len(rows), lost, n))


def claims(table: pd.DataFrame, rules: Mapping[str, Rule], results: Mapping[str, Any]) -> Iterator[Step]:
    """Yield the step to each claim that pairs arms on the clusters of problems that all of them have; its n is the ledger's."""
    for name, rule in rules.items():
        arms = [rule.arm, rule.comparator] if isinstance(rule, Above) else rule.arms if isinstance(rule, Falls) else []
        found = results[name]
        if isinstance(rule, RunRule) and arms and found["n"] is not None and found.get("basis") != PRINTED:
            yield on(rule.benchmark, step("claims", name, *_common(table, rule, arms), found["n"]))


def _common(table: pd.DataFrame, rule: RunRule, arms: Sequence[str]) -> tuple[int, dict[str, int]]:
    """Return the problems answered on a rule's benchmark, and why some are in no pair: the first of its arms that lacks a problem."""
    problems = table[table["benchmark"] == rule.benchmark].drop_duplicates("id").set_index("id")["cluster"]
    left, lost = set(problems.index), Counter[str]()
    for arm in arms:
        every = score_table.part(table, arm, rule.benchmark, "all").drop_duplicates("id").set_index("id")["split_role"]
        own = set(score_table.part(table, arm, rule.benchmark, rule.split)["id"])
        for problem in sorted(left - own):
            lost[f"{arm}: {ROLES.get(every[problem], 'not answered') if problem in every.index else 'not answered'}"] += 1
        left &= own
    clusters = problems.loc[sorted(left)].nunique()
    lost["in one cluster with another"] = len(left) - clusters
    return len(problems), dict(lost)
