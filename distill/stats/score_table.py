"""The table of graded answers, each marked by what its arm's corpus had seen: what summaries and claims are computed from."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import pandas as pd
from msgspec import UNSET

from distill.core import files
from distill.core.cells import BASE
from distill.core.errors import InputError
from distill.records.assignment import Assignment
from distill.records.problem import OWN, Problem
from distill.records.verdict import Verdict
from distill.stats.clusters import Floats, Labels

UNDER = "correct under "


class Common(NamedTuple):
    """Several arms on the problems that all of them have."""

    ids: list[str]
    values: Floats  # (n_problems, n_arms)
    clusters: Labels  # (n_problems,)


class _Member(msgspec.Struct, frozen=True):
    """The id of a corpus example; its text does not matter here."""

    id: str


def read(verdicts: Path, problems: Path, split: Path, corpus: Path, benchmarks: Path) -> pd.DataFrame:
    """Read one row per verdict: the verdict's fields, correct (0 or 1), section, year, cluster and split_role (see `split_roles`).

    `correct` goes by the first extraction profile, a column UNDER + NAME by each further one.
    Problems of another benchmark than the competition have a cluster of their own and split_role "".
    """
    rows = files.read_records(verdicts, Verdict)
    if not rows:
        raise InputError(f"{verdicts}: no verdicts; run `dvc repro grade`")
    table = pd.DataFrame([msgspec.structs.asdict(row) for row in rows])
    table["correct"] = (table["outcome"] == "correct").astype(float)
    for name in profiles(rows):
        table[UNDER + name] = [float(row.profiles is not UNSET and row.profiles[name] == "correct") for row in rows]
    assignments = files.read_records(split, Assignment)
    sources = [problems, *sorted(benchmarks.glob("*.jsonl"))]
    where = {(p.benchmark, p.id): p for source in sources for p in files.read_records(source, Problem)}
    cluster = {(OWN, a.id): a.cluster for a in assignments}
    texts = {name: p.statement for (benchmark, name), p in where.items() if benchmark == OWN}
    keys = list(zip(table["benchmark"], table["id"], strict=True))
    for key in keys:
        if key not in where or (key[0] == OWN and key not in cluster):
            home = f"{problems} and {split}" if key[0] == OWN else benchmarks
            raise InputError(f"{verdicts}: {key[1]} is not in {home}; run `dvc repro sample grade`")
    table["section"] = [where[key].section for key in keys]
    table["year"] = [where[key].year for key in keys]
    table["cluster"] = [cluster.get(key) or f"{key[0]}/{key[1]}" for key in keys]
    roles = {arm: _arm_roles(str(arm), assignments, corpus, texts) for arm in sorted(set(table["arm"]))}
    table["split_role"] = [
        roles[arm][name] if benchmark == OWN else ""
        for arm, benchmark, name in zip(table["arm"], table["benchmark"], table["id"], strict=True)
    ]
    return table


def profiles(rows: Iterable[Verdict]) -> list[str]:
    """Return the names of the further extraction profiles; all verdicts of a study have the same."""
    return next((list(row.profiles) for row in rows if row.profiles is not UNSET), [])


def further(table: pd.DataFrame) -> list[str]:
    """Return the names of the further extraction profiles of a table."""
    return [str(column).removeprefix(UNDER) for column in table.columns if str(column).startswith(UNDER)]


def under(table: pd.DataFrame, profile: str) -> pd.DataFrame:
    """Return the table with what is correct under a further profile as `correct`."""
    return table.assign(correct=table[UNDER + profile])


def _arm_roles(arm: str, assignments: list[Assignment], corpus: Path, texts: Mapping[str, str]) -> dict[str, str]:
    """Return the roles of the problems for one arm; the base has no corpus and is compared on the study's own split."""
    if arm == BASE:
        seen, valid = ({a.id for a in assignments if a.split == name} for name in ("train", "valid"))
    else:
        seen, valid = ({m.id for m in files.read_records(corpus / arm / f"{name}.jsonl", _Member)} for name in ("train", "valid"))
    return split_roles(assignments, seen, valid, texts)


def split_roles(assignments: list[Assignment], seen: set[str], valid: set[str], texts: Mapping[str, str]) -> dict[str, str]:
    """Return the role of each problem: seen (its text was trained on), near (in a cluster with a seen one), valid or heldout (the rest).

    The text counts, not the id: a published corpus may hold a problem that was set again in another year.
    """
    if lacking := sorted({*seen, *valid, *(a.id for a in assignments)} - texts.keys()):
        raise InputError(
            f"problem {lacking[0]} of a corpus or the split ({len(lacking)} in all) is not among the problems; run `dvc repro curate`"
        )
    trained, validated = ({texts[name] for name in names} for names in (seen, valid))
    near = {a.cluster for a in assignments if texts[a.id] in trained}

    def role(a: Assignment) -> str:
        if texts[a.id] in trained:
            return "seen"
        return "near" if a.cluster in near else "valid" if texts[a.id] in validated else "heldout"

    return {a.id: role(a) for a in assignments}


def part(table: pd.DataFrame, arm: str, benchmark: str, split: str) -> pd.DataFrame:
    """Return an arm's rows on one split of a benchmark; `all` is every problem, validation problems included."""
    rows = table[(table["arm"] == arm) & (table["benchmark"] == benchmark)]
    return rows if split == "all" else rows[rows["split_role"] == split]


def by_problem(rows: pd.DataFrame, column: str = "correct") -> tuple[list[str], Floats, Labels]:
    """Return (ids, mean over seeds and samples of each problem, its cluster), by id."""
    grouped = rows.groupby("id", sort=True)
    means = grouped[column].mean()
    return [str(name) for name in means.index], np.asarray(means, dtype=np.float64), np.asarray(grouped["cluster"].first(), dtype=object)


def common(parts: list[pd.DataFrame], column: str = "correct") -> Common:
    """Return the per-problem means over seeds of several arms, one part an arm, on the problems that all parts hold, by id."""
    found = [by_problem(rows, column) for rows in parts]
    frames = [pd.DataFrame({arm: values, "cluster": clusters}, index=ids) for arm, (ids, values, clusters) in enumerate(found)]
    joined = pd.concat([frame[arm] for arm, frame in enumerate(frames)], axis=1, join="inner").sort_index()
    clusters = np.asarray(frames[0]["cluster"].loc[joined.index], dtype=object)
    return Common([str(name) for name in joined.index], joined.to_numpy(dtype=np.float64), clusters)
