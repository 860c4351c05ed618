"""The table of graded answers, each marked by what its arm's corpus had seen: what summaries and claims are computed from."""

from pathlib import Path

import msgspec
import numpy as np
import pandas as pd

from stages.shared import files
from stages.shared.completion import Verdict
from stages.shared.files import Fault
from stages.shared.problem import Problem
from stages.shared.split import Assignment
from stages.shared.statistics import Floats, Labels

COMPETITION = "competition"


class _Member(msgspec.Struct, frozen=True):
    """The id of a corpus example; its text does not matter here."""

    id: str


def read(verdicts: Path, problems: Path, split: Path, corpus: Path) -> pd.DataFrame:
    """Read one row per verdict: the verdict's fields, correct (0 or 1), section, year, cluster and place (see `places`).

    Problems of another benchmark than the competition have section "", year 0, a cluster of their own and place "".
    """
    rows = files.read_records(verdicts, Verdict)
    if not rows:
        raise Fault(f"{verdicts}: no verdicts; nothing to sum up; run `dvc repro grade`")
    table = pd.DataFrame([msgspec.structs.asdict(row) for row in rows])
    table["correct"] = (table["outcome"] == "correct").astype(float)
    assignments = files.read_records(split, Assignment)
    where = {(COMPETITION, p.id): p for p in files.read_records(problems, Problem)}
    cluster = {(COMPETITION, a.id): a.cluster for a in assignments}
    keys = list(zip(table["benchmark"], table["id"], strict=True))
    for key in keys:
        if key[0] == COMPETITION and (key not in where or key not in cluster):
            raise Fault(f"{verdicts}: {key[1]} is not in {problems} and {split}; run `dvc repro sample grade`")
    table["section"] = [where[key].section if key in where else "" for key in keys]
    table["year"] = [where[key].year if key in where else 0 for key in keys]
    table["cluster"] = [cluster.get(key) or f"{key[0]}/{key[1]}" for key in keys]
    marks = {arm: _arm_places(str(arm), assignments, corpus) for arm in sorted(set(table["arm"]))}
    table["place"] = [
        marks[arm][name] if benchmark == COMPETITION else ""
        for arm, benchmark, name in zip(table["arm"], table["benchmark"], table["id"], strict=True)
    ]
    return table


def _arm_places(arm: str, assignments: list[Assignment], corpus: Path) -> dict[str, str]:
    """Return the places of the problems for one arm; the base has no corpus and is compared on the study's own split."""
    if arm == "base":
        seen, valid = ({a.id for a in assignments if a.split == name} for name in ("train", "valid"))
    else:
        seen, valid = ({m.id for m in files.read_records(corpus / arm / f"{name}.jsonl", _Member)} for name in ("train", "valid"))
    return places(assignments, seen, valid)


def places(assignments: list[Assignment], seen: set[str], valid: set[str]) -> dict[str, str]:
    """Place each problem: seen (trained on), valid, near (a duplicate of a seen one) or heldout (the rest)."""
    near = {a.cluster for a in assignments if a.id in seen}
    return {a.id: "seen" if a.id in seen else "valid" if a.id in valid else "near" if a.cluster in near else "heldout" for a in assignments}


def part(table: pd.DataFrame, arm: str, benchmark: str, split: str) -> pd.DataFrame:
    """Return an arm's rows on one split of a benchmark; `all` is every problem, validation problems included."""
    rows = table[(table["arm"] == arm) & (table["benchmark"] == benchmark)]
    return rows if split == "all" else rows[rows["place"] == split]


def by_problem(rows: pd.DataFrame, column: str = "correct") -> tuple[list[str], Floats, Labels]:
    """Return (ids, mean over seeds and samples of each problem, its cluster), by id."""
    grouped = rows.groupby("id", sort=True)
    means = grouped[column].mean()
    return [str(name) for name in means.index], np.asarray(means, dtype=np.float64), np.asarray(grouped["cluster"].first(), dtype=object)
