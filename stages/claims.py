"""The claims: each of the paper's claims, tested by its committed rule on the figures of this run.

headline.json: accuracies, gains and the number of each verdict, for a first look. claims.json: CLAIM and the fields of
distill/records/claim_record.py; p is null where there is no test. Holm's correction runs over all claims with a p. rationales.json:
CLAIM.{rule, reason}, in words. Verdicts of a scale model (vocabulary `pattern`): holds, fails, inconclusive, by construction (the pattern
is there because of how the study was built), not run. Of real students (`reproduction`): reproduced, contradicted, inconclusive, by
construction, not run; there a figure beyond its tolerance contradicts the claim with all of its interval, and leaves it open with a part.
A real student's claim names its basis: recorded answers, an own run or, where the run lacks an arm, the paper's printed counts (whose
verdict is supported, contradicted or inconclusive). Under each further extraction profile of the study CLAIM.secondary.profiles.PROFILE
has {ours, effect, low, high, p, p_holm}.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import UNSET
from msgspec.structs import replace

from distill.claims import basis, claims_page, defined, run_claims, verdicts
from distill.claims.claim import ClaimResult
from distill.claims.claim_rules import Above
from distill.claims.likelihood_rules import LikelihoodRule
from distill.claims.rule_inputs import RuleInputs
from distill.claims.run_claims import Claim, Params
from distill.cli import command
from distill.cli.layout import Paths
from distill.core import files, study_file
from distill.core.cells import BASE
from distill.core.errors import InputError
from distill.records.problem import OWN
from distill.stats import score_table


def main(paths: Paths) -> None:
    """Test every claim of the study file; write the figures and the reasons of the verdicts as JSON, and both as Markdown."""
    params = study_file.section(paths.study_file, "claims", Params)
    rules = {name: claim.rule for name, claim in params.ledger.items()}
    arms = study_file.section(paths.study_file, "arms", dict[str, Any])
    if undefined := next(defined.faults(rules, arms, sorted({OWN, *(path.stem for path in paths.benchmarks.glob("*.jsonl"))})), ""):
        raise InputError(f"{paths.study_file}: {undefined}")
    inputs = RuleInputs(
        score_table.read(paths.resolved, paths.problems, paths.split, paths.corpora, paths.benchmarks),
        run_claims.keys(paths.summary, "arms"), run_claims.teacher(paths.teacher_metrics),
        run_claims.long_run(paths.overfit_metrics),
        params.confidence, params.power, params.resamples, params.seed, run_claims.likelihoods(paths.likelihood, rules),
    )  # fmt: skip
    results = verdicts.results(params.ledger, rules, inputs, params.vocabulary, params)
    for profile in score_table.further(inputs.table):
        under = verdicts.results(params.ledger, rules, inputs.under(profile), params.vocabulary, params)
        results = {
            name: result if isinstance(rules[name], LikelihoodRule) else beside(result, profile, under[name])
            for name, result in results.items()
        }
    if params.vocabulary == "reproduction":
        kind = study_file.section(paths.study_file, "student", study_file.Kind).kind
        counts = params.counts.results() if params.counts is not UNSET else {}
        results = basis.with_basis(results, basis.RECORDED if kind == "recorded" else basis.OWN, counts)
    files.write_json(paths.headline, headline(inputs.summary, inputs.teacher, params.ledger, results))
    files.write_json(paths.claims, {name: result.record.figures() for name, result in results.items()})
    files.write_json(paths.rationales, {name: msgspec.structs.asdict(result.rationale) for name, result in results.items()})
    files.write_text(paths.claims_page, f"# Claims of {paths.study}\n\n{claims_page.section(params.ledger, results, params)}\n")
    command.closing("claims", len(params.ledger), len(results))


def beside(result: ClaimResult, profile: str, under: ClaimResult) -> ClaimResult:
    """Return a result with that under a further extraction profile beside it."""
    if result.record.verdict == basis.NOT_RUN:
        return result
    other = under.record
    kept = {key: getattr(other, key) for key in ("ours", "effect", "low", "high", "p", "p_holm")}
    secondary = result.record.secondary | {"profiles": result.record.secondary.get("profiles", {}) | {profile: kept}}
    reason = f"{result.rationale.reason}; by profile {profile}: {other.verdict}, {under.rationale.reason}"
    return ClaimResult(replace(result.record, secondary=secondary), replace(result.rationale, reason=reason))


def headline(
    summary: Mapping[str, Any], teacher: Mapping[str, Any], ledger: Mapping[str, Claim], results: Mapping[str, ClaimResult]
) -> dict[str, Any]:
    """Return accuracy by arm, the gains over the base that a claim tests, and the number of each verdict.

    Of the study's own held-out problems; of a study that asks none of these, of the first benchmark that a claim is on and an arm answered.
    """
    answered = {name for values in summary["arms"].values() for name, cell in values.items() if isinstance(cell, dict) and "all" in cell}
    on = [claim.rule.benchmark for claim in ledger.values() if isinstance(claim.rule, Above) and claim.rule.benchmark in answered]
    own = any("heldout" in values.get(OWN, {}) for values in summary["arms"].values()) or not on
    benchmark, split = (OWN, "heldout") if own else (on[0], "all")
    cells = {arm: values.get(benchmark, {}).get(split) for arm, values in summary["arms"].items()}
    found: dict[str, Any] = {"accuracy": {arm: cell["accuracy"] for arm, cell in cells.items() if cell}, "gain": {}}
    for name, claim in ledger.items():
        rule = claim.rule
        if isinstance(rule, Above) and (rule.comparator, rule.benchmark) == (BASE, benchmark):
            record = results[name].record
            if record.basis == basis.PRINTED:
                continue
            found["gain"][rule.arm] = {"effect": record.effect, "low": record.low, "high": record.high}
    verdicts = Counter(result.record.verdict for result in results.values())
    return found | {"teacher": teacher["accuracy"], "claims": {verdict: verdicts[verdict] for verdict in sorted(verdicts)}}


if __name__ == "__main__":
    command.run(main)
