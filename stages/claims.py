"""The claim ledger: each of the paper's claims, judged by its committed rule on the figures of this run.

metrics: CLAIM.{verdict, published, ours, effect, low, high, n, p, p_holm, detectable, deciding, secondary}, see
distill/records/claim_record.py; p is null where there is no test. Holm's correction runs over all claims with a p. grounds: CLAIM.{rule, reason}, in words. Verdicts of a scale
model (vocabulary `pattern`): holds, fails, inconclusive, by construction (the pattern is there because of how the study was built), not
run. Of real students (`reproduction`): reproduced, contradicted, inconclusive, by construction, not run; there a figure beyond its
tolerance contradicts the claim with all of its interval, and leaves it open with a part.
"""

from pathlib import Path
from typing import Literal

import msgspec
from tabulate import tabulate

from distill.claims.claim_rules import AnyRule
from distill.claims.rule_inputs import Run
from distill.claims.verdicts import Finding, Judged, NotRun, Terms, judge
from distill.cli import command
from distill.core import files, study_file
from distill.core.errors import InputError
from distill.stats import score_table


class Claim(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One claim of the paper."""

    says: str
    source: str
    published: float | None
    tolerance: float | None
    rule: AnyRule
    by_construction: str
    note: str


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Section `claims` of a study file."""

    vocabulary: Literal["pattern", "reproduction"]
    alpha: float
    power: float
    confidence: float
    resamples: int
    seed: int
    ledger: dict[str, Claim]


def main(
    study: str,
    verdicts: str,
    problems: str,
    split: str,
    corpus: str,
    benchmarks: str,
    teacher: str,
    overfit: str,
    summary: str,
    metrics: str,
    grounds: str,
    table: str,
) -> None:
    """Judge every claim of the study file; write the figures and the grounds of the verdicts as JSON, and both as Markdown."""
    params = study_file.section(study, "claims", Params)
    run = Run(
        score_table.read(Path(verdicts), Path(problems), Path(split), Path(corpus), Path(benchmarks)),
        _keys(summary, "arms"), _keys(teacher, "accuracy", "problems"),
        _keys(overfit, "iterations", "best_iteration", "best_loss", "last_loss"),
        params.confidence, params.power, params.resamples, params.seed,
    )  # fmt: skip
    judged = measure(params, run)
    files.write_json(Path(metrics), {name: msgspec.structs.asdict(found.line) for name, found in judged.items()})
    files.write_json(Path(grounds), {name: msgspec.structs.asdict(found.grounds) for name, found in judged.items()})
    files.write_text(Path(table), markdown(Path(study).stem, params, judged))
    command.closing("claims", len(params.ledger), len(judged))


def _keys(path: str, *names: str) -> dict[str, object]:
    document = files.read_json(Path(path))
    for name in names:
        if not isinstance(document, dict) or name not in document:
            raise InputError(f"{path}: no key '{name}'; run `dvc repro` for the stage that makes it")
    return dict(document)


def measure(params: Params, run: Run) -> dict[str, Judged]:
    """Return the ledger by claim, in the study file's order."""
    found: dict[str, Finding | NotRun] = {}
    for name, claim in params.ledger.items():
        try:
            found[name] = claim.rule.measure(run)
        except NotRun as lack:
            found[name] = lack
    terms = {
        name: Terms(claim.rule.text(), claim.published, claim.tolerance, claim.by_construction) for name, claim in params.ledger.items()
    }
    return judge(found, terms, params.vocabulary, params.alpha, params.power)


def markdown(study: str, params: Params, judged: dict[str, Judged]) -> str:
    """Return the ledger as a table, and below it what each claim says, how it was judged and what was found."""
    called = {"holds": "pattern holds", "fails": "pattern fails"}
    rows = [
        [name, called.get(line.verdict, line.verdict), _figure(line.published), _figure(line.ours), _figure(line.effect),
         f"{_figure(line.low)} .. {_figure(line.high)}" if line.low is not None else "", _p(line.p), _p(line.p_holm), line.n]
        for name, (line, _) in judged.items()
    ]  # fmt: skip
    interval = f"{params.confidence:.0%} interval"
    head = ["claim", "verdict", "published", "ours", "effect", interval, "p", "p (Holm)", "n"]
    grid = tabulate(rows, head, tablefmt="github", disable_numparse=True, missingval="")
    details = [
        f"- **{name}**: {claim.says} ({claim.source}). Rule: {judged[name].grounds.rule}. Found: {judged[name].grounds.reason}."
        + (f" By construction: {claim.by_construction}" if claim.by_construction else "")
        + (f" Note: {claim.note}" if claim.note else "")
        for name, claim in params.ledger.items()
    ]
    rules = f"Two-sided tests, Holm over {sum(line.p is not None for line, _ in judged.values())} tests, alpha {params.alpha:g}."
    return f"# Claims of {study}\n\n{grid}\n\n{rules}\n\n" + "\n".join(details) + "\n"


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _p(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"


if __name__ == "__main__":
    command.run(main)
