"""published: what a paper's printed counts can bear, judged from the study file alone; no answer and no model is needed.

metrics: counts.NAME.{rate, low, high, n, agrees} (Wilson's interval; whether the counts give the percentage that is printed beside them)
and claims.CLAIM, with the keys of claims.json; the words stand on the page alone. Verdicts: supported (however the answers of two arms
pair), contradicted, inconclusive.
"""

from pathlib import Path
from typing import Any

import msgspec
from tabulate import tabulate

from distill.claims.count_tests import Count, TestSettings
from distill.claims.reported_count_rules import AnyRule
from distill.claims.verdicts import Finding, Judged, NotRun, Terms, judge
from distill.cli import command
from distill.core import files, study_file
from distill.core.errors import InputError
from distill.stats.statistics import wilson


class Claim(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One claim of the paper."""

    says: str
    source: str
    published: float | None
    rule: AnyRule
    note: str


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Section `published` of a study file."""

    alpha: float
    power: float
    confidence: float
    counts: dict[str, Count]
    ledger: dict[str, Claim]


def main(study: str, metrics: str, table: str) -> None:
    """Judge every claim of the section; write the figures as JSON, and with the words as Markdown."""
    params = study_file.section(study, "reported_counts", Params)
    for name, count in params.counts.items():
        if not (0 <= count.right <= count.of and count.of > 0):
            raise InputError(f"{study}: published.counts.{name}: {count.right:g} right of {count.of}; allowed are 0 to all of at least one")
    try:
        rates = {name: rate(count, params.confidence) for name, count in params.counts.items()}
        judged = measure(params)
    except ValueError as error:
        raise InputError(f"{study}: section 'published': {error}") from None
    claims = {name: msgspec.structs.asdict(found.line) for name, found in judged.items()}
    files.write_json(Path(metrics), {"counts": rates, "claims": claims})
    files.write_text(Path(table), markdown(Path(study).stem, params, rates, judged))
    command.closing("published", len(params.counts) + len(params.ledger), len(rates) + len(judged))


def rate(count: Count, confidence: float) -> dict[str, Any]:
    """Return a count's rate with its interval over questions."""
    low, high = wilson(count.rate, count.of, confidence)
    return {"rate": count.rate, "low": low, "high": high, "n": count.of, "agrees": count.agrees()}


def measure(params: Params) -> dict[str, Judged]:
    """Return the ledger by claim, in the study file's order."""
    bar = TestSettings(params.counts, params.alpha, params.power, params.confidence)
    found: dict[str, Finding | NotRun] = {name: claim.rule.measure(bar) for name, claim in params.ledger.items()}
    terms = {name: Terms(claim.rule.text(), claim.published, None, "") for name, claim in params.ledger.items()}
    return judge(found, terms, "printed", params.alpha, params.power)


def markdown(study: str, params: Params, rates: dict[str, dict[str, Any]], judged: dict[str, Judged]) -> str:
    """Return the counts and the ledger as tables, and below them what each claim says, how it was judged and what was found."""
    interval = f"{params.confidence:.0%} interval"
    printed = [
        [name, f"{count.right:g}", count.of, count.printed, f"{100 * line['low']:.1f} .. {100 * line['high']:.1f}",
         "yes" if line["agrees"] else "no", count.source]
        for (name, count), line in zip(params.counts.items(), rates.values(), strict=True)
    ]  # fmt: skip
    lines = [
        [name, line.verdict, _figure(line.ours), f"{_figure(line.low)} .. {_figure(line.high)}" if line.low is not None else "",
         _p(line.secondary.get("p_unpaired")), _p(line.secondary.get("p_best")), _p(line.p), _p(line.p_holm), line.n,
         line.deciding]
        for name, (line, _) in judged.items()
    ]  # fmt: skip
    head = ["claim", "verdict", "by the counts", f"widest {interval}", "p unpaired", "least p", "largest p", "its Holm", "n", "n to decide"]
    details = [
        f"- **{name}**: {claim.says} ({claim.source}). Rule: {judged[name].grounds.rule}. Found: {judged[name].grounds.reason}."
        + (f" Note: {claim.note}" if claim.note else "")
        for name, claim in params.ledger.items()
    ]
    tests = sum(line.p is not None for line, _ in judged.values())
    rules = (
        f"Two-sided tests, Holm over {tests} of them, alpha {params.alpha:g}, power {params.power:g}. The answers are "
        "not published, so it is not known which answers of two arms go together. The largest p and the widest interval are those that the "
        "counts allow, and a claim is supported only by them. n to decide: the questions that would show an effect of this size."
    )
    return "\n\n".join([
        f"# What the printed numbers of {study} can bear",
        "Written by `dvc repro published` from the study file alone.",
        "## Claims", _grid(head, lines), rules, "\n".join(details),
        "## Counts", _grid(["count", "right", "of", "printed, %", interval, "agrees", "source"], printed),
    ]) + "\n"  # fmt: skip


def _grid(head: list[str], rows: list[list[Any]]) -> str:
    return tabulate(rows, head, tablefmt="github", disable_numparse=True, missingval="")


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _p(value: float | None) -> str:
    return "" if value is None else f"{value:.2g}"


if __name__ == "__main__":
    command.run(main)
