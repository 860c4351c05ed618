"""What a claim's rule finds in the run, and the verdict that follows."""

from typing import Any, NamedTuple

import msgspec

from stages.shared.statistics import deciding_n, detectable

WORDS = {  # by vocabulary: how a finding is called; `reproduction` is kept for real students
    "pattern": {"shown": "holds", "opposite": "fails", "undecided": "inconclusive"},
    "reproduction": {"shown": "reproduced", "opposite": "contradicted", "undecided": "inconclusive"},
}


class NotRun(ValueError):
    """The run holds nothing that the claim could be judged by."""


class Finding(NamedTuple):
    """A rule's result. With a test, p and the sign decide; without one, the interval or the figure has decided `state` already."""

    ours: float | None  # comparable with the claim's published value
    reason: str  # what was found, in words
    effect: float | None = None
    low: float | None = None
    high: float | None = None
    n: int | None = None  # independent units: clusters of problems, or seeds
    p: float | None = None  # two-sided; None where there is no test
    sign: int = 0  # 1 as claimed, -1 against it, 0 neither
    state: str = ""  # shown | opposite | undecided, where p is None
    deviation: float | None = None  # of a unit, so that the effect's standard error is deviation / √n
    secondary: dict[str, Any] = {}  # noqa: RUF012  further figures; never changed


class Judged(msgspec.Struct, frozen=True):
    """One line of claims.json."""

    verdict: str
    published: float | None
    ours: float | None
    p: float | None
    p_holm: float | None
    effect: float | None
    low: float | None
    high: float | None
    n: int | None
    rule: str
    reason: str
    by_construction: str
    note: str
    secondary: dict[str, Any]


class Bar(NamedTuple):
    """What the verdicts of a study are held to."""

    vocabulary: str  # pattern | reproduction
    alpha: float  # two-sided, of the whole family
    power: float
    family: int  # tests in the family


def conclude(
    finding: Finding, p_holm: float | None, bar: Bar, published: float | None, tolerance: float | None, design: str
) -> tuple[str, str]:
    """Return (verdict, reason)."""
    state = finding.state
    if p_holm is not None:
        state = "undecided" if p_holm > bar.alpha else "shown" if finding.sign > 0 else "opposite"
    verdict, reason = WORDS[bar.vocabulary][state], finding.reason
    if state == "undecided" and p_holm is not None:
        reason += f"; not significant (Holm p = {p_holm:.3g}), {_more(finding, bar)}"
        if bar.vocabulary == "pattern" and finding.sign < 0:  # a pattern that points the other way is not there, whatever its p
            verdict, reason = WORDS["pattern"]["opposite"], "the effect has the wrong sign: " + reason
    if state == "shown" and bar.vocabulary == "reproduction" and _far(finding.ours, published, tolerance):
        return WORDS["reproduction"]["opposite"], f"{reason}; ours lies further than {tolerance:g} from the published {published:g}"
    if state == "shown" and design:
        return "by construction", reason
    return verdict, reason


def _far(ours: float | None, published: float | None, tolerance: float | None) -> bool:
    """Return whether a figure lies outside its tolerance; the pattern alone is claimed where one of the three is not stated."""
    return ours is not None and published is not None and tolerance is not None and abs(ours - published) > tolerance


def power_figures(finding: Finding, bar: Bar) -> dict[str, Any]:
    """Return the smallest effect that this many units can show, with the family's strictest alpha; {} where there is no test."""
    if finding.p is None or not finding.deviation or not finding.n:
        return {}
    return {"detectable": detectable(finding.deviation, finding.n, bar.alpha / bar.family, bar.power)}


def _more(finding: Finding, bar: Bar) -> str:
    """Say how many units would decide."""
    if not finding.effect or not finding.deviation:
        return "and an effect of this size is not decided by any number of problems"
    needed = deciding_n(finding.effect, finding.deviation, bar.alpha / bar.family, bar.power)
    return f"an effect of this size would be decided by about {needed} problem clusters (here {finding.n})"
