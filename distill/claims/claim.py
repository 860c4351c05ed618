"""A claim of the paper as a study file states it, and the settings that all claims of a section are tested by."""

from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta

from distill.records.claim_record import ClaimRecord, Rationale

Inside = Annotated[float, Meta(gt=0, lt=1)]


class Claim(msgspec.Struct, frozen=True):
    """What the paper says; the rule that tests it belongs to the stage."""

    says: str
    source: str
    published: float | None  # the paper's figure; null: it gives none
    note: str


class RunClaim(Claim, frozen=True):
    """A claim that is tested on a run of ours."""

    tolerance: Annotated[float, Meta(ge=0)] | None  # of the distance to the published figure; null: the size is not compared
    by_construction: str  # why our own design makes the claim true; "" where it does not


class ClaimSettings(msgspec.Struct, frozen=True):
    """Of a section of claims."""

    alpha: Inside  # two-sided, of the whole family of tests
    power: Inside
    confidence: Inside


class ClaimResult(NamedTuple):
    """A claim's figures, and why its verdict is what it is."""

    record: ClaimRecord
    rationale: Rationale
