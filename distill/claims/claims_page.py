"""Claims in Markdown: the pages of `claims` and `reported_counts`, the report, README.md and the terminal print these tables and lists."""

from collections.abc import Callable, Mapping

from distill.claims.basis import PRINTED
from distill.claims.claim import Claim, ClaimResult, ClaimSettings, RunClaim
from distill.core.markdown import escape, grid
from distill.records.claim_record import ClaimRecord

PATTERN = {"holds": "pattern holds", "fails": "pattern fails"}
METHOD = (
    "Accuracies and their differences are in 0..1. n counts independent units: clusters of problems, or seeds. The rules are in the study "
    "file."
)
BY_COUNTS = (
    "A claim that rests on printed counts has their verdict, largest p and correction: supported, contradicted or inconclusive however the "
    "answers of two arms pair."
)
Columns = Mapping[str, Callable[[ClaimRecord], object]]  # heading: cell


def columns(confidence: float, records: Mapping[str, ClaimRecord] = {}) -> Columns:
    """Return the columns of a claim's figures; accuracies and their differences are in 0..1."""
    basis: Columns = {"rests on": rests_on} if any(record.basis for record in records.values()) else {}
    return {
        "verdict": verdict, **basis, "paper": lambda record: figure(record.published), "ours": lambda record: figure(record.ours),
        f"effect [{100 * confidence:g} % interval]": effect, "p (Holm)": lambda record: p_value(record.p_holm),
        "n": lambda record: record.n,
    }  # fmt: skip


def table(first: str, records: Mapping[str, ClaimRecord], shown: Columns) -> str:
    """Return one row a claim; the mapping's names are the column `first`."""
    rows = ([name, *(cell(record) for cell in shown.values())] for name, record in records.items())
    return grid([first, *shown], rows, left=2)


def section(
    claims: Mapping[str, Claim],
    results: Mapping[str, ClaimResult],
    settings: ClaimSettings,
    method: str = METHOD,
    shown: Columns | None = None,
) -> str:
    """Return the table, how the claims were tested, and below it each claim with what was found and by which rule."""
    records = {name: result.record for name, result in results.items()}
    tests = sum(record.p is not None and record.basis != PRINTED for record in records.values())
    tested = f"Tests are two-sided, with Holm's correction over {tests} of them at alpha {settings.alpha:g}. {method}"
    if any(record.basis == PRINTED for record in records.values()):
        tested += f" {BY_COUNTS}"
    lines = []
    for name, (record, rationale) in results.items():
        claim = claims[name]
        parts = {
            "the paper says": f"{claim.says} ({claim.source})", "found": rationale.reason, "rule": rationale.rule,
            "test": "" if shown else test(record),
            "power": power(record, settings.power), "by construction": claim.by_construction if isinstance(claim, RunClaim) else "",
            "note": claim.note,
        }  # fmt: skip
        lines += [f"- **{escape(name)}**: {verdict(record)}", *(f"  - {part}: {escape(text)}" for part, text in parts.items() if text)]
    return "\n\n".join([table("claim", records, shown or columns(settings.confidence, records)), tested, "\n".join(lines)])


def verdict(record: ClaimRecord) -> str:
    """Name a verdict; that of a scale model is one on a pattern."""
    return PATTERN.get(record.verdict, record.verdict)


def rests_on(record: ClaimRecord) -> str:
    """Name a claim's basis; "" where there is none."""
    return record.basis or ""


def figure(value: float | None) -> str:
    """Write a claim's figure, which may be an accuracy, a difference or a ratio."""
    return "" if value is None else f"{value:.4f}"


def effect(record: ClaimRecord) -> str:
    """Write the effect and its interval."""
    ends = "" if record.low is None else f" [{figure(record.low)}, {figure(record.high)}]"
    return figure(record.effect) + ends


def interval(record: ClaimRecord) -> str:
    """Write the interval of the effect."""
    return "" if record.low is None else f"{figure(record.low)} to {figure(record.high)}"


def p_value(p: float | None) -> str:
    """Write a p."""
    return "" if p is None else "< 0.0001" if p < 0.0001 else f"{p:.4f}"


def test(record: ClaimRecord) -> str:
    """Write p before and after Holm's correction; "" where there is no test."""
    return "" if record.p is None else f"p {equal(record.p)}, with Holm's correction {equal(record.p_holm)}"


def equal(p: float | None) -> str:
    """Write a p as a sentence has it."""
    written = p_value(p)
    return written if written.startswith("<") else f"= {written}"


def power(record: ClaimRecord, chance: float) -> str:
    """Say what this many units could show, and how many would show what was seen; "" where neither is known."""
    known = [] if record.detectable is None else [f"n = {record.n} shows an effect of {record.detectable:.4f} with probability {chance:g}"]
    return "; ".join(known + ([] if record.deciding is None else [f"the effect seen needs n of about {record.deciding:,}"]))
