"""Which problems a study trains on, which it holds out, and which it asks of every student.

Duplicate problems form one cluster, and a cluster is on one side. Clusters are taken in the order of a hash of (seed, cluster), so that
one problem more moves few others. Exam years may be held out whole; a cluster that reaches into one is held out with it.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence, Set
from fnmatch import fnmatchcase
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from distill.extraction.duplicate_clusters import clusters
from distill.records.assignment import Assignment
from distill.records.problem import Problem

Size = Annotated[int, Meta(ge=0)]


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Section `split` of a study file."""

    seed: Size
    train: Size
    valid: Size
    asked: Literal["all", "none"] | Size  # held-out problems that every student is asked
    heldout_least: Size
    seen: Size
    asked_valid: Size
    near: Annotated[float, Meta(gt=0, le=1)]
    years: list[Size]
    exclude: list[str]
    files: Annotated[list[str], Meta(min_length=1)] | UnsetType = (
        UNSET  # patterns of source files held out whole; only of them are any asked
    )

    def held(self, problem: Problem) -> bool:
        """Tell whether a problem is of a file that is held out whole."""
        return self.files is not UNSET and any(fnmatchcase(problem.source, pattern) for pattern in self.files)


def assign(problems: Sequence[Problem], params: Params, excluded: Set[str] = frozenset()) -> list[Assignment]:
    """Return one assignment a problem, sorted by id; ValueError where the sizes cannot be met."""
    if unknown := set(params.years) - {problem.year for problem in problems}:
        raise ValueError(f"years: no problem is of {min(unknown)}; allowed: years of the study's exams")
    if twice := [name for name, count in Counter(problem.id for problem in problems).items() if count > 1]:
        raise ValueError(f"problem id {min(twice)} occurs more than once in the problems; fix the stage that wrote them")
    complete = {problem.id for problem in problems if problem.statement.strip() and problem.gold.strip()} - excluded
    if idle := [each for each in params.files or [] if not any(fnmatchcase(problem.source, each) for problem in problems)]:
        raise ValueError(f"files: no problem is of a file '{idle[0]}'; files here: {', '.join(sorted({p.source for p in problems})[:9])}")
    of_files = {problem.id for problem in problems if params.held(problem)}
    apart = {problem.id for problem in problems if problem.year in params.years} | of_files  # held out whole
    cluster_of = clusters({problem.id: problem.statement for problem in problems if problem.id not in excluded}, params.near)
    cluster_of |= {name: name for name in excluded}
    members = defaultdict[str, list[str]](list)
    for name in sorted(cluster_of):
        members[cluster_of[name]].append(name)
    split: dict[str, str] = {}
    room = {"train": params.train, "valid": params.valid}
    for cluster in sorted(members, key=_draw(params.seed)):
        names = members[cluster]
        usable = complete.issuperset(names) and apart.isdisjoint(names)
        side = next((side for side, left in room.items() if usable and len(names) <= left), "heldout")
        if side in room:
            room[side] -= len(names)
        split |= dict.fromkeys(names, side)
    if any(room.values()):
        raise ValueError(
            f"{len(complete - apart)} problems with statement and gold leave train short of {room['train']} and valid of {room['valid']}"
        )
    asked = _asked(split, complete if params.files is UNSET else complete & of_files, params)
    return [Assignment(name, cluster_of[name], split[name], name in asked) for name in sorted(split)]


def _asked(split: Mapping[str, str], complete: Set[str], params: Params) -> set[str]:
    """Return the problems asked of every student: `asked` held-out ones, `seen` training and `asked_valid` validation ones."""
    order = _draw(params.seed + 1)
    held = sorted((name for name, side in split.items() if side == "heldout" and name in complete), key=order)
    wanted = params.asked if isinstance(params.asked, int) else {"all": len(held), "none": 0}[params.asked]
    least = max(wanted, params.heldout_least)
    if len(held) < least:
        raise ValueError(f"{len(held)} problems are left to hold out, allowed are at least {least}: lower train or valid")
    asked = set(held[:wanted])
    for key, side, wanted in (("seen", "train", params.seen), ("asked_valid", "valid", params.asked_valid)):
        found = sorted((name for name in split if split[name] == side), key=order)[:wanted]
        if len(found) < wanted:
            raise ValueError(f"{key} is {wanted}, and {side} holds {len(found)}: lower {key}")
        asked.update(found)
    return asked


def _draw(seed: int) -> Callable[[str], bytes]:
    return lambda name: hashlib.blake2b(f"{seed} {name}".encode()).digest()
