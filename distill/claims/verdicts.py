"""What a claim's rule finds in the run, and the verdict that follows."""

from typing import Any, NamedTuple

from distill.records.claim_record import ClaimRecord, Rationale
from distill.stats.statistics import Interval, deciding_n, detectable, holm

WORDS = {  # by vocabulary: how a finding is called; `reproduction` is kept for real students
    "pattern": {"shown": "holds", "opposite": "fails", "undecided": "inconclusive"},
    "reproduction": {"shown": "reproduced", "opposite": "contradicted", "undecided": "inconclusive"},
    "printed": {"shown": "supported", "opposite": "contradicted", "undecided": "inconclusive"},  # of a paper's own counts
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
    span: Interval | None = None  # interval of `ours`, where it can be held against a published value
    needed: int | None = None  # units that would decide, where there is no test
    unit: str = "problem clusters"  # what n and needed count


class Judged(NamedTuple):
    """A claim's figures, and what its verdict rests on."""

    line: ClaimRecord
    grounds: Rationale


class TestSettings(NamedTuple):
    """What the verdicts of a study are held to."""

    vocabulary: str  # pattern | reproduction | printed
    alpha: float  # two-sided, of the whole family
    power: float
    family: int  # tests in the family


class Terms(NamedTuple):
    """What a claim states beside its rule."""

    rule: str  # in words
    published: float | None
    tolerance: float | None
    by_construction: str


def judge(found: dict[str, Finding | NotRun], terms: dict[str, Terms], vocabulary: str, alpha: float, power: float) -> dict[str, Judged]:
    """Return the ledger by claim, in the order of `terms`; Holm's correction runs over all findings with a p."""
    findings = {name: finding for name, finding in found.items() if isinstance(finding, Finding)}
    adjusted = holm({name: finding.p for name, finding in findings.items() if finding.p is not None})
    bar = TestSettings(vocabulary, alpha, power, max(1, len(adjusted)))
    judged = {}
    for name, term in terms.items():
        finding = findings.get(name, Finding(None, str(found[name])))
        p = adjusted.get(name)
        verdict, reason = conclude(finding, p, bar, *term[1:]) if name in findings else ("not run", finding.reason)
        units = power_figures(finding, bar)
        line = ClaimRecord(
            verdict=verdict, published=term.published, ours=finding.ours, effect=finding.effect, low=finding.low, high=finding.high,
            n=finding.n, p=finding.p, p_holm=p, detectable=units.detectable, deciding=units.deciding, secondary=finding.secondary,
        )  # fmt: skip
        judged[name] = Judged(line, Rationale(term.rule, reason))
    return judged


def conclude(
    finding: Finding, p_holm: float | None, bar: TestSettings, published: float | None, tolerance: float | None, design: str
) -> tuple[str, str]:
    """Return (verdict, reason)."""
    state, words, reason = finding.state, WORDS[bar.vocabulary], finding.reason
    if p_holm is not None:
        state = "undecided" if p_holm > bar.alpha else "shown" if finding.sign > 0 else "opposite"
    verdict = words[state]
    if state == "undecided":
        if p_holm is not None:
            reason += f"; not significant (Holm p = {p_holm:.3g}), {_more(finding, bar)}"
        elif finding.needed is not None:
            reason += f"; at this spread about {finding.needed} {finding.unit} would decide (here {finding.n})"
        if bar.vocabulary == "pattern" and finding.sign < 0:  # a pattern that points the other way is not there, whatever its p
            return words["opposite"], "the effect has the wrong sign: " + reason
    if bar.vocabulary == "reproduction" and published is not None and tolerance is not None:
        size = _size(finding, published, tolerance)
        if size == "outside" and state != "opposite":
            return words["opposite"], f"{reason}; ours lies further than {tolerance:g} from the published {published:g}, with its interval"
        if size == "open" and state == "shown":
            away = abs((finding.ours or 0.0) - published) - tolerance
            needed = deciding_n(away, finding.deviation or 0.0, bar.alpha, bar.power)
            more = f"; about {needed} {finding.unit} would decide (here {finding.n})" if needed and finding.ours == finding.effect else ""
            return words["undecided"], (
                f"{reason}; the direction holds, and ours lies further than {tolerance:g} from the published {published:g}, but not "
                f"with all of its interval{more}"
            )
    if state == "shown" and design:
        return "by construction", reason
    return verdict, reason


def _size(finding: Finding, published: float, tolerance: float) -> str:
    """Say where our figure lies: within the tolerance of the published one; outside, with its interval; or open, outside in part.

    Without an interval the figure alone decides.
    """
    if finding.ours is None:
        return "within"
    if abs(finding.ours - published) <= tolerance:
        return "within"
    low, high = finding.span or (finding.ours, finding.ours)
    return "outside" if low > published + tolerance or high < published - tolerance else "open"


class Power(NamedTuple):
    """What a number of units can show."""

    detectable: float | None  # the smallest effect that this many show
    deciding: int | None  # how many would show the effect seen


def power_figures(finding: Finding, bar: TestSettings) -> Power:
    """Return both figures, held to the family's strictest alpha; where there is no test, only what the rule itself knows."""
    if finding.p is None or not finding.deviation or not finding.n:
        return Power(None, finding.needed)
    alpha = bar.alpha / bar.family
    return Power(
        detectable(finding.deviation, finding.n, alpha, bar.power), deciding_n(finding.effect or 0.0, finding.deviation, alpha, bar.power)
    )


def _more(finding: Finding, bar: TestSettings) -> str:
    """Say how many units would decide."""
    if not finding.effect or not finding.deviation:
        return "and an effect of this size is not decided by any number of problems"
    needed = deciding_n(finding.effect, finding.deviation, bar.alpha / bar.family, bar.power)
    return f"an effect of this size would be decided by about {needed} {finding.unit} (here {finding.n})"
