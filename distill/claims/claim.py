"""A claim of the paper as a study file states it, and the settings that all claims of a section are tested by."""

from typing import NamedTuple

import msgspec

from distill.records.claim_record import ClaimRecord, Rationale


class Claim(msgspec.Struct, frozen=True):
    """What the paper says; the rule that tests it belongs to the stage."""

    says: str
    source: str
    published: float | None  # the paper's figure; null: it gives none
    note: str


class RunClaim(Claim, frozen=True):
    """A claim that is tested on a run of ours."""

    tolerance: float | None  # of the distance to the published figure; null: the size is not compared
    by_construction: str  # why our own design makes the claim true; "" where it does not


class ClaimSettings(msgspec.Struct, frozen=True):
    """Of a section of claims."""

    alpha: float  # two-sided, of the whole family of tests
    power: float
    confidence: float


class ClaimResult(NamedTuple):
    """A claim's figures, and why its verdict is what it is."""

    record: ClaimRecord
    rationale: Rationale
