"""What each claim's verdict rests on: a real student's recorded answers, a run of one's own, or the paper's printed counts alone."""

from collections.abc import Mapping

from msgspec.structs import replace

from distill.claims.claim import ClaimResult

RECORDED, PRINTED, OWN = "recorded answers", "printed counts", "own run"
NOT_RUN = "not run"


def with_basis(results: Mapping[str, ClaimResult], run: str, counts: Mapping[str, ClaimResult]) -> dict[str, ClaimResult]:
    """Name the basis of each result: `run`, and where the run holds nothing that could test the claim, its result by the printed counts.

    Such a claim has the verdict, the figures and Holm's correction of the printed counts; one that those do not have either has no basis.
    """
    found = {}
    for name, (record, rationale) in results.items():
        if record.verdict != NOT_RUN:
            found[name] = ClaimResult(replace(record, basis=run), rationale)
        elif name in counts:
            counted, why = counts[name]
            reason = f"by the printed counts (of the run: {rationale.reason}): {why.reason}"
            found[name] = ClaimResult(replace(counted, published=record.published, basis=PRINTED), replace(why, reason=reason))
        else:
            found[name] = ClaimResult(record, rationale)
    return found
