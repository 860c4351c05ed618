"""Which problems are scored: of each part a number drawn by hash, the same for all arms, so that arms can be compared on them."""

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from distill.records.assignment import Assignment
from distill.records.problem import OWN, Problem

SEEN, HELDOUT = "seen", "heldout"


class Drawn(NamedTuple):
    """A problem that is scored."""

    part: str
    problem: Problem
    cluster: str


def draw(
    sizes: Mapping[str, int],
    seed: int,
    problems: Sequence[Problem],
    benchmarks: Sequence[Problem],
    assignments: Sequence[Assignment],
    roles: Mapping[str, Mapping[str, str]],
) -> list[Drawn]:
    """Draw the parts; `roles` has by arm the role of each of the study's own problems.

    seen: in the training corpus of every arm; heldout: held out for every arm. Of these, problems that the students are asked come first,
    because only they have a sampled chain. A part with fewer problems than its size has all that there are; one with none is a ValueError.
    """
    clusters = {each.id: each.cluster for each in assignments}
    asked = {each.id for each in assignments if each.evaluate}
    own = {role: [each for each in problems if _all(roles.values(), each.id, role)] for role in (SEEN, HELDOUT)}
    drawn = []
    for part, size in sizes.items():
        found = own.get(part) or [each for each in benchmarks if each.benchmark == part and part != OWN]
        if not found:
            allowed = ", ".join([SEEN, HELDOUT, *sorted({each.benchmark for each in benchmarks} - {OWN})])
            raise ValueError(f"parts.{part}: no problem of it, for all arms alike; parts are {allowed}; remove it")
        order = sorted(found, key=lambda each: (part in own and each.id not in asked, _hash(seed, each)))
        drawn += [Drawn(part, each, clusters[each.id] if part in own else f"{part}/{each.id}") for each in order[:size]]
    return drawn


def _all(roles: Iterable[Mapping[str, str]], name: str, role: str) -> bool:
    return all(of_arm.get(name) == role for of_arm in roles)


def _hash(seed: int, problem: Problem) -> bytes:
    return hashlib.blake2b(f"{seed} {problem.benchmark} {problem.id}".encode()).digest()


def unknown(names: Collection[str], benchmarks: Collection[str]) -> list[str]:
    """Return the names that are no part."""
    return sorted(set(names) - {SEEN, HELDOUT, *benchmarks})
