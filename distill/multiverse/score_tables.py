"""The score table under a choice: other outcomes, rows left out, other units. What the rules of the claims then read is unchanged."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from msgspec.structs import replace

from distill.claims.rule_inputs import RunRule
from distill.claims.verdicts import Rule
from distill.core.errors import InputError
from distill.likelihood.row import Likelihood
from distill.multiverse.choices import Choice
from distill.multiverse.outcomes import Key, OtherOutcomes
from distill.stats import score_table, summary
from distill.stats.summary import Row, Settings

KEY = ["arm", "seed", "benchmark", "id", "sample"]
BY = "outcome by "


def with_graders(table: pd.DataFrame, profile: str, others: Sequence[OtherOutcomes]) -> pd.DataFrame:
    """Return the study's score table with a column of outcomes by each grader; `profile` names the study's own."""
    rows: dict[Key, Mapping[str, str]] = {(row.arm, row.seed, row.benchmark, row.id, row.sample): row.outcomes for row in others}
    keys = list(table[KEY].itertuples(index=False, name=None))
    if missing := [key for key in keys if key not in rows]:
        raise InputError(f"{len(missing)} answers are graded by no other grader, first {missing[0]}; run `dvc repro other_graders`")
    names = others[0].outcomes if others else []
    columns = {BY + name: [rows[key][name] for key in keys] for name in names}
    return table.assign(**{BY + profile: table["outcome"]}, **columns)


def under(table: pd.DataFrame, choice: Choice) -> pd.DataFrame:
    """Return a table of `with_graders` as a choice has it."""
    outcome = table[BY + choice.grader]
    kept = pd.Series(True, index=table.index)
    for name, option in (("truncated", choice.truncated), ("ungradable", choice.ungradable)):
        if option == "dropped":
            kept &= outcome != name
    if choice.seeds != "mean":
        several = table.groupby("arm")["seed"].transform("nunique") > 1  # the base has one, which is compared with each
        kept &= ~several | (table["seed"] == int(choice.seeds.removeprefix("seed ")))
    changed = table.assign(outcome=outcome, correct=(outcome == "correct").astype(float))
    if choice.near == "one":
        kept &= table["id"] == table.groupby(["benchmark", "cluster"])["id"].transform("min")
    elif choice.near == "heldout":
        changed["split_role"] = changed["split_role"].replace("near", "heldout")
    if choice.units == "problems":
        changed["cluster"] = changed["benchmark"] + "/" + changed["id"]
    return changed[kept]


def likelihoods(rows: Sequence[Likelihood], choice: Choice) -> list[Likelihood]:
    """Return the rows of stage `likelihood` as a choice of seeds, units and near-duplicates has them; nobody grades them."""
    seeds: dict[str, set[int]] = {}
    first: dict[tuple[str, str], str] = {}
    for row in rows:
        seeds.setdefault(row.arm, set()).add(row.seed)
        first[row.benchmark, row.cluster] = min(row.id, first.get((row.benchmark, row.cluster), row.id))
    return [
        replace(row, cluster=f"{row.benchmark}/{row.id}") if choice.units == "problems" else row
        for row in rows
        if (choice.seeds in ("mean", f"seed {row.seed}") or len(seeds[row.arm]) == 1)
        and (choice.near != "one" or row.id == first[row.benchmark, row.cluster])
    ]


def fingerprint(table: pd.DataFrame) -> bytes:
    """Return what two tables of `under` share if all figures of theirs are equal: their rows, scores, roles and clusters."""
    codes = [pd.factorize(table[column])[0] for column in ("split_role", "cluster")]
    return b"".join(np.ascontiguousarray(part).tobytes() for part in (table.index.to_numpy(), table["correct"].to_numpy(), *codes))


def lines(table: pd.DataFrame, rules: Mapping[str, Rule], settings: Settings) -> Row:
    """Return those lines of the study's summary that the rules read, computed from this table."""
    arms: Row = {}
    for rule in rules.values():
        if isinstance(rule, RunRule) and (arm := getattr(rule, "arm", "")):
            rows = score_table.part(table, arm, rule.benchmark, rule.split)
            if not rows.empty:
                line = summary.estimate(rows, f"{arm}/{rule.benchmark}/{rule.split}", settings)
                arms.setdefault(arm, {}).setdefault(rule.benchmark, {})[rule.split] = line
    return {"arms": arms}
