"""split: which problems a study trains on, which it holds out, and which it asks of every student.

Duplicate problems form one cluster, and a cluster stands on one side. Clusters are walked in the order of a hash of (seed, cluster), so
that one problem more moves few others. Exam years may be held out whole; a cluster that reaches into one is held out with it.
"""

import hashlib
import re
import sys
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence, Set
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from distill.cli import command
from distill.core import study_file
from distill.core.errors import InputError
from distill.core.files import read_records, write_records
from distill.records.assignment import Assignment
from distill.records.extracted_item import ExtractedItem
from distill.records.problem import Problem

Size = Annotated[int, Meta(ge=0)]
DASHES = str.maketrans("−–—", "---")
TOKEN = re.compile(r"\d+(?:\.\d+)?|[^\W\d_]+|[^\w\s.,;:!?'\"`’‘“”$]")  # numbers, words, and signs that carry meaning


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Section `split` of a study file."""

    seed: int
    train: Size
    valid: Size
    heldout: Size
    heldout_least: Size
    seen: Size
    asked_valid: Size
    near: Annotated[float, Meta(gt=0, le=1)]
    years: list[int]
    exclude: list[str]


def main(study: str, problems: str, reading: str, out: str) -> None:
    """Assign every problem; one without statement or gold, or with a flag of `exclude`, is neither trained on nor asked."""
    params = study_file.section(study, "split", Params)
    records = read_records(Path(problems), Problem)
    excluded = {each.id for each in read_records(Path(reading), ExtractedItem) if not set(params.exclude).isdisjoint(each.flags)}
    try:
        assignments = assign(records, params, excluded)
    except ValueError as error:
        raise InputError(f"{study}: section 'split': {error}") from None
    wrote = write_records(Path(out), assignments)
    sizes = Counter(assignment.split for assignment in assignments)
    asked = Counter(assignment.split for assignment in assignments if assignment.evaluate)
    found = [f"{side} {sizes[side]} ({asked[side]} asked)" for side in ("train", "valid", "heldout")]
    print(f"split: {', '.join(found)}", file=sys.stderr)
    command.closing("split", len(records), wrote)


def assign(problems: Sequence[Problem], params: Params, excluded: Set[str] = frozenset()) -> list[Assignment]:
    """Return one assignment a problem, sorted by id; ValueError where the sizes cannot be met."""
    if unprinted := set(params.years) - {problem.year for problem in problems}:
        raise ValueError(f"years: no problem is of {min(unprinted)}; allowed: years of the study's exams")
    if twice := [name for name, count in Counter(problem.id for problem in problems).items() if count > 1]:
        raise ValueError(f"problem id {min(twice)} stands more than once in the problems; mend the stage that wrote them")
    by_cluster = clusters([problem for problem in problems if problem.id not in excluded], params.near) | {
        name: [name] for name in excluded
    }
    whole = {problem.id for problem in problems if is_whole(problem)} - excluded
    held = {problem.id for problem in problems if problem.year in params.years}
    split: dict[str, str] = {}
    room = {"train": params.train, "valid": params.valid}
    for cluster in sorted(by_cluster, key=_draw(params.seed)):
        members = by_cluster[cluster]
        open_ = whole.issuperset(members) and held.isdisjoint(members)
        fits = [side for side, left in room.items() if open_ and len(members) <= left]
        side = fits[0] if fits else "heldout"
        if fits:
            room[side] -= len(members)
        split |= dict.fromkeys(members, side)
    if any(room.values()):
        raise ValueError(
            f"{len(whole - held)} problems with statement and gold leave train short of {room['train']} and valid of {room['valid']}"
        )
    asked = _asked(split, whole, params)
    home = {member: cluster for cluster, members in by_cluster.items() for member in members}
    return [Assignment(name, home[name], split[name], name in asked) for name in sorted(split)]


def _asked(split: dict[str, str], whole: set[str], params: Params) -> set[str]:
    """Return the problems asked of every student: held-out ones (`heldout`, 0 = all), `seen` training and `asked_valid` validation ones."""
    order = _draw(params.seed + 1)
    held = sorted((name for name, side in split.items() if side == "heldout" and name in whole), key=order)
    held = held[: params.heldout or None]
    least = max(params.heldout, params.heldout_least)
    if len(held) < least:
        raise ValueError(f"{len(held)} problems are left to hold out, allowed are at least {least}: lower train or valid")
    asked = set(held)
    for key, side, wanted in (("seen", "train", params.seen), ("asked_valid", "valid", params.asked_valid)):
        found = sorted((name for name in split if split[name] == side), key=order)[:wanted]
        if len(found) < wanted:
            raise ValueError(f"{key} is {wanted}, and {side} holds {len(found)}: lower {key}")
        asked.update(found)
    return asked


def _draw(seed: int) -> Callable[[str], bytes]:
    return lambda name: hashlib.blake2b(f"{seed} {name}".encode()).digest()


def is_whole(problem: Problem) -> bool:
    """Tell whether a problem has both statement and gold."""
    return bool(problem.statement.strip() and problem.gold.strip())


def clusters(problems: Sequence[Problem], near: float) -> dict[str, list[str]]:
    """Return duplicate clusters, named by their smallest id: equal token lists, or token sets of Jaccard similarity `near` below 1.0.

    A problem without a statement is its own cluster.
    """
    root = {problem.id: problem.id for problem in problems}

    def find(name: str) -> str:
        while root[name] != name:
            root[name] = root[root[name]]
            name = root[name]
        return name

    def join(one: str, other: str) -> None:
        low, high = sorted((find(one), find(other)))
        root[high] = low

    texts: dict[tuple[str, ...], str] = {}
    for problem in problems:
        if text := tokens(problem.statement):
            join(problem.id, texts.setdefault(text, problem.id))
    for one, other in _near(texts, near) if near < 1 else ():
        join(one, other)
    members = defaultdict(list)
    for name in sorted(root):
        members[find(name)].append(name)
    return dict(members)


def _near(texts: dict[tuple[str, ...], str], near: float) -> list[tuple[str, str]]:
    """Return the pairs of ids whose token sets are similar: |a & b| / |a | b| >= near. Time is quadratic in the number of texts."""
    sets = sorted(((set(text), name) for text, name in texts.items()), key=lambda entry: (len(entry[0]), entry[1]))
    pairs = []
    for place, (small, name) in enumerate(sets):
        for large, other in sets[place + 1 :]:
            if len(small) < near * len(large):
                break  # the rest is larger still
            if len(small & large) >= near * len(small | large):
                pairs.append((name, other))
    return pairs


def tokens(statement: str) -> tuple[str, ...]:
    """Return what a statement says, without case, spacing and the punctuation of prose; numbers and signs stay.

    >>> tokens("Find  x^2 − 3.5, please!")
    ('find', 'x', '^', '2', '-', '3.5', 'please')
    """
    text = unicodedata.normalize("NFC", statement).translate(DASHES).casefold()
    return tuple(TOKEN.findall(re.sub(r"(?<=[^\W\d_])-(?=[^\W\d_])", " ", text)))


if __name__ == "__main__":
    command.run(main)
