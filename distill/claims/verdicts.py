"""What a claim's rule finds, and the verdict that follows."""

from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import msgspec

from distill.claims.claim import Claim, ClaimResult, ClaimSettings, RunClaim
from distill.records.claim_record import ClaimRecord, Rationale
from distill.stats.intervals import Interval
from distill.stats.paired_tests import holm
from distill.stats.power import deciding_n, detectable

WORDS = {  # by vocabulary: the verdict of a finding; `reproduction` is kept for real students
    "pattern": {"shown": "holds", "opposite": "fails", "undecided": "inconclusive"},
    "reproduction": {"shown": "reproduced", "opposite": "contradicted", "undecided": "inconclusive"},
    "reported_counts": {"shown": "supported", "opposite": "contradicted", "undecided": "inconclusive"},
}


class NotRun(ValueError):
    """The run holds nothing that could test the claim."""


class Finding(NamedTuple):
    """A rule's result. With a test, p and the sign decide; without one, the rule has decided `state` by the interval or the figure."""

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
    span: Interval | None = None  # interval of `ours`, where it can be compared with a published value
    needed: int | None = None  # units that would decide, where there is no test
    unit: str = "problem clusters"  # what n and needed count


def above(low: float, high: float, bound: float) -> str:
    """Return the state of a claim that an interval is above a bound."""
    return "shown" if low > bound else "opposite" if high < bound else "undecided"


def below(low: float, high: float, bound: float) -> str:
    """Return the state of a claim that an interval is below a bound."""
    return above(-high, -low, -bound)


class VerdictSettings(NamedTuple):
    """How the claims of a section are tested."""

    vocabulary: str  # a key of WORDS
    alpha: float  # two-sided, of the whole family
    power: float
    family: int  # tests in the family


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind"):
    """How a claim is tested, with the parameters that the study file states."""

    TEXT: ClassVar[str]  # the rule in words; {arm} stands for a parameter, {listed} for the arms, {where} for benchmark and split

    def text(self, **more: str) -> str:
        """Return the rule in words."""
        values = msgspec.structs.asdict(self)
        return self.TEXT.format(**values, **more, listed=", ".join(values.get("arms", ())))

    def measure(self, inputs: Any, /) -> Finding:
        """Test the claim; NotRun where the inputs hold nothing that could."""
        raise NotImplementedError


def results(
    claims: Mapping[str, Claim], rules: Mapping[str, Rule], inputs: object, vocabulary: str, settings: ClaimSettings
) -> dict[str, ClaimResult]:
    """Return the result of each claim, in their order; Holm's correction runs over all findings with a p."""
    findings, missing = dict[str, Finding](), dict[str, str]()
    for name, rule in rules.items():
        try:
            findings[name] = rule.measure(inputs)
        except NotRun as error:
            missing[name] = str(error)
    adjusted = holm({name: finding.p for name, finding in findings.items() if finding.p is not None})
    tests = VerdictSettings(vocabulary, settings.alpha, settings.power, max(1, len(adjusted)))
    concluded = {}
    for name, claim in claims.items():
        finding = findings.get(name) or Finding(None, missing[name])
        p = adjusted.get(name)
        verdict, reason = ("not run", finding.reason) if name in missing else conclude(finding, p, tests, claim)
        units = power_figures(finding, tests)
        record = ClaimRecord(
            verdict=verdict, published=claim.published, ours=finding.ours, effect=finding.effect, low=finding.low, high=finding.high,
            n=finding.n, p=finding.p, p_holm=p, detectable=units.detectable, deciding=units.deciding, secondary=finding.secondary,
        )  # fmt: skip
        concluded[name] = ClaimResult(record, Rationale(rules[name].text(), reason))
    return concluded


def conclude(finding: Finding, p_holm: float | None, settings: VerdictSettings, claim: Claim) -> tuple[str, str]:
    """Return (verdict, reason)."""
    state, words, reason = finding.state, WORDS[settings.vocabulary], finding.reason
    if p_holm is not None:
        state = "undecided" if p_holm > settings.alpha else "shown" if finding.sign > 0 else "opposite"
    if state == "undecided":
        if p_holm is not None:
            needed = power_figures(finding, settings).deciding
            reason += f"; not significant (Holm p = {p_holm:.3g}), " + (
                f"an effect of this size would be decided by about {needed:,} {finding.unit} (here {finding.n})"
                if needed
                else "and an effect of this size is not decided by any number of problems"
            )
        elif finding.needed is not None:
            reason += f"; at this spread about {finding.needed:,} {finding.unit} would decide (here {finding.n})"
        if settings.vocabulary == "pattern" and finding.sign < 0:  # a pattern with the wrong sign is absent, whatever its p
            return words["opposite"], "the effect has the wrong sign: " + reason
    if not isinstance(claim, RunClaim):
        return words[state], reason
    if settings.vocabulary == "reproduction" and claim.published is not None and claim.tolerance is not None:
        size = _size(finding, claim.published, claim.tolerance)
        further = f"ours lies further than {claim.tolerance:g} from the published {claim.published:g}"
        if size == "outside" and state != "opposite":
            return words["opposite"], f"{reason}; {further}, with its interval"
        if size == "open" and state == "shown":
            away = abs((finding.ours or 0.0) - claim.published) - claim.tolerance
            needed = deciding_n(away, finding.deviation or 0.0, settings.alpha, settings.power)
            more = f"; about {needed:,} {finding.unit} would decide (here {finding.n})" if needed and finding.ours == finding.effect else ""
            return words["undecided"], f"{reason}; the direction holds, and {further}, but not with all of its interval{more}"
    return "by construction" if state == "shown" and claim.by_construction else words[state], reason


def _size(finding: Finding, published: float, tolerance: float) -> str:
    """Say whether our figure is within the tolerance of the published one; outside, with its interval; or open, outside in part.

    Without an interval the figure alone decides.
    """
    if finding.ours is None or abs(finding.ours - published) <= tolerance:
        return "within"
    low, high = finding.span or (finding.ours, finding.ours)
    return "outside" if low > published + tolerance or high < published - tolerance else "open"


class Power(NamedTuple):
    """What a number of units can show."""

    detectable: float | None  # the smallest effect that this many show
    deciding: int | None  # how many would show the effect seen


def power_figures(finding: Finding, settings: VerdictSettings) -> Power:
    """Return both figures at the family's strictest alpha; where there is no test, only what the rule itself knows."""
    if finding.p is None or not finding.deviation or not finding.n:
        return Power(None, finding.needed)
    alpha = settings.alpha / settings.family
    return Power(
        detectable(finding.deviation, finding.n, alpha, settings.power),
        deciding_n(finding.effect or 0.0, finding.deviation, alpha, settings.power),
    )
