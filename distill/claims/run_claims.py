"""The section `claims` of a study file, and the figures of the run, beside its answers, that rules read."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, UnsetType

from distill.claims.claim import ClaimSettings, RunClaim
from distill.claims.claim_rules import AnyRule
from distill.claims.likelihood_rules import LikelihoodRule
from distill.claims.reported_count_rules import CountedClaims
from distill.core import files
from distill.core.errors import InputError
from distill.likelihood.row import Likelihood


class Claim(RunClaim, frozen=True, forbid_unknown_fields=True):
    """One claim of the paper and the rule that tests it."""

    rule: AnyRule


class Params(ClaimSettings, frozen=True, forbid_unknown_fields=True):
    """Section `claims` of a study file."""

    vocabulary: Literal["pattern", "reproduction"]
    resamples: Annotated[int, Meta(ge=100, le=10_000_000)]
    seed: Annotated[int, Meta(ge=0)]
    ledger: dict[str, Claim]
    counts: CountedClaims | UnsetType = UNSET  # the printed counts: what tests a claim of the same name that the run cannot


def teacher(path: Path) -> dict[str, Any]:
    """Return the teacher's figures."""
    return keys(path, "accuracy", "problems")


def long_run(path: Path) -> dict[str, Any]:
    """Return the figures of the long run; {} of a study without one."""
    return keys(path, "iterations", "best_iteration", "best_loss", "last_loss") if files.read_json(path) != {} else {}


def likelihoods(path: Path, rules: Mapping[str, AnyRule]) -> list[Likelihood]:
    """Return the rows of stage `likelihood`, where a rule needs them."""
    return files.read_records(path, Likelihood) if any(isinstance(rule, LikelihoodRule) for rule in rules.values()) else []


def keys(path: Path, *names: str) -> dict[str, Any]:
    """Return a JSON document that must have these keys."""
    document = files.read_json(path)
    for name in names:
        if not isinstance(document, dict) or name not in document:
            raise InputError(f"{path}: no key '{name}'; run `dvc repro` for the stage that makes it")
    return dict(document)
