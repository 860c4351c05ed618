"""A judged claim as it is stored: its figures in claims.json, its words in rationales.json, so that a diff of metrics shows figures."""

from typing import Any

from msgspec import UNSET, Struct, UnsetType, structs


class ClaimRecord(Struct, frozen=True):
    """A claim's figures, as in claims.json; verdict and basis are the only texts."""

    verdict: str
    published: float | None
    ours: float | None  # comparable with the published figure
    effect: float | None
    low: float | None  # of the effect's interval
    high: float | None
    n: int | None  # independent units
    p: float | None  # two-sided; None where there is no test
    p_holm: float | None
    detectable: float | None  # the smallest effect that n units show with the stated power; None where there is no test
    deciding: int | None  # the units that would show the effect seen; None where no number would, or none is known
    secondary: dict[str, Any]  # the rule's further figures, numbers by name
    basis: str | UnsetType = UNSET  # of a real student's claim: recorded answers | printed counts | own run

    def figures(self) -> dict[str, Any]:
        """Return the fields that are there, by name."""
        return {name: value for name, value in structs.asdict(self).items() if value is not UNSET}


class Rationale(Struct, frozen=True):
    """Why a verdict is what it is, as in rationales.json."""

    rule: str
    reason: str
