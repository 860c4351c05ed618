"""The section on claims under other defensible choices: how stable each verdict is, and what flips it."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from distill.core.markdown import grid

ABOUT = (
    "Each claim is judged again, by its own rule, under every combination of the choices below; the ledger's own is the first of each. "
    "A choice that changes no figure of a claim does not apply to it and is left out. same verdict: the share of a claim's combinations "
    "with the ledger's verdict; what flips it: the smallest changes of the ledger's choice that change the verdict. The combinations are "
    "no sample of anything, so that a share is no probability."
)
FLIPS = 3  # kinds of changes shown of a claim
NAMES = {
    "grader": "grader", "truncated": "truncated answers", "ungradable": "ungradable answers", "seeds": "seeds", "units": "units",
    "near": "near-duplicates",
}  # fmt: skip


def section(found: Mapping[str, Any]) -> str:
    """Return the section; "" for a study without other choices."""
    if not found:
        return ""
    options = grid(["choice", "options"], ([NAMES[axis], ", ".join(names)] for axis, names in found["axes"].items()), left=2)
    rows = [_row(name, claim) for name, claim in found["claims"].items()]
    table = grid(["claim", "verdict", "what flips it", "choices", "same verdict", "effect"], rows, left=3)
    counts = f"{found['choices']} combinations, which make {found['tables']} different tables of scores."
    return "\n\n".join([ABOUT, options, counts, table])


def _row(name: str, claim: Mapping[str, Any]) -> list[object]:
    if claim["choices"] < 2:
        return [name, claim["verdict"], "no choice applies", claim["choices"], None, None]
    ends = f"{claim['least']:.3f} to {claim['most']:.3f}" if "least" in claim else None
    return [name, claim["verdict"], _flips(claim["flips"]), claim["choices"], f"{100 * claim['share']:.1f} %", ends]


def _flips(flips: list[dict[str, Any]]) -> str:
    """Write the smallest changes, those of the same axes together: `seeds: seed 3, seed 4 (fails)`."""
    groups: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for flip in flips:
        changes = flip["changes"]
        groups[*changes, flip["verdict"]].append(" with ".join(changes.values()))
    shown = []
    for (*axes, verdict), options in groups.items():
        named = " with ".join(NAMES[axis] for axis in axes)
        shown.append(f"{named}: {', '.join(options)} ({verdict})" if axes else f"fewer resamples ({verdict})")
    return "; ".join(shown[:FLIPS] + [f"and {len(shown) - FLIPS} more"] * (len(shown) > FLIPS)) or "none"
