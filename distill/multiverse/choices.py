"""The choices of an analysis that another careful person could have made, one axis each; the ledger's own is one of every axis."""

import itertools
from collections.abc import Sequence
from typing import Annotated, Literal, NamedTuple

import msgspec
from msgspec import Meta

from distill.multiverse.outcomes import Grader

Lost = Literal["wrong", "dropped"]
EACH = "each"


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Section `multiverse` of a study file: the options of each axis."""

    grader: Annotated[list[Grader], Meta(min_length=1)]
    truncated: Annotated[list[Lost], Meta(min_length=1)]  # answers cut off before a final one
    ungradable: Annotated[list[Lost], Meta(min_length=1)]
    seeds: Annotated[list[Literal["mean", "each"]], Meta(min_length=1)]  # each: every seed by itself
    units: Annotated[list[Literal["clusters", "problems"]], Meta(min_length=1)]  # what is resampled and sign-flipped together
    near: Annotated[list[Literal["apart", "heldout", "one"]], Meta(min_length=1)]  # near-duplicates of the problems trained on
    resamples: Annotated[int, Meta(ge=100, le=10_000_000)]  # of each choice's tests and intervals


class Choice(NamedTuple):
    """One option of each axis."""

    grader: str
    truncated: str
    ungradable: str
    seeds: str  # mean, or `seed N`
    units: str
    near: str

    def changes(self, other: "Choice") -> dict[str, str]:
        """Return the options that differ from another choice's."""
        return {axis: mine for axis, mine, theirs in zip(self._fields, self, other, strict=True) if mine != theirs}


def ledger(profile: str) -> Choice:
    """Return the choice of the claim ledger; `profile` is the study's first extraction profile."""
    return Choice(profile, "wrong", "wrong", "mean", "clusters", "apart")


def axes(params: Params, seeds: Sequence[int], profile: str) -> dict[str, list[str]]:
    """Return the options by axis, the ledger's first; ValueError where an axis lacks it or has an option twice."""
    found: dict[str, list[str]] = {}
    for axis, own in ledger(profile)._asdict().items():
        options: list[str] = getattr(params, axis)
        if own not in options:
            raise ValueError(f"{axis} lacks '{own}', the ledger's own choice; options here: {', '.join(options)}")
        if len(set(options)) < len(options):
            raise ValueError(f"{axis} has an option twice: {', '.join(options)}")
        others = [option for option in options if option != own]
        found[axis] = [own, *([f"seed {seed}" for seed in seeds] if others == [EACH] else others)]
    return found


def grid(options: dict[str, list[str]]) -> list[Choice]:
    """Return every combination, the ledger's first."""
    return [Choice(*combination) for combination in itertools.product(*options.values())]
