"""Every claim judged again under all combinations of the choices in section `multiverse`, by the claims' own rules and Holm's correction.

multiverse.json: axes, the options, the ledger's first; choices, how many combinations; tables, how many different tables of scores they
make; claims.CLAIM.{verdict, choices, same, share, left_out, verdicts, least, most, axes, flips}: the ledger's verdict; combinations that
were judged, those with that verdict, and their share; those left out, by reason; how often each verdict; the smallest and the largest
effect; the share by option of each axis that applies; and the smallest changes that flip the verdict. multiverse.csv: a claim's effect,
interval and verdict by choice. A study whose section is empty has no choices and empty files.
"""

import sys

import msgspec
from tqdm import tqdm

from distill.claims import run_claims, verdicts
from distill.claims.claim import ClaimResult
from distill.claims.rule_inputs import RuleInputs
from distill.cli import command
from distill.cli.layout import Paths
from distill.core import files, study_file
from distill.core.errors import InputError
from distill.multiverse import choices, robustness, score_tables
from distill.multiverse.choices import Choice
from distill.multiverse.outcomes import OtherOutcomes
from distill.stats import score_table
from distill.stats.summary import Settings

Results = dict[str, ClaimResult]


class Extraction(msgspec.Struct, frozen=True):
    """Of section `grade`: the extraction profiles, the first of which gives the ledger's outcome."""

    profiles: list[str]


class Intervals(msgspec.Struct, frozen=True):
    """Of section `summarise`: how the lines of the summary are computed."""

    confidence: float
    seed: int


def main(paths: Paths) -> None:
    """Judge the claims under every choice; write each claim's share, its flips and its specification curve."""
    params = study_file.optional_section(paths.study_file, "multiverse", choices.Params)
    if params is None:
        files.write_json(paths.multiverse, {})
        files.write_text(paths.multiverse_curve, robustness.table([]))
        return
    seeds = study_file.section(paths.params, "seeds", list[int])
    profile = study_file.section(paths.study_file, "grade", Extraction).profiles[0]
    try:
        axes = choices.axes(params, seeds, profile)
    except ValueError as error:
        raise InputError(f"{paths.study_file}: section 'multiverse': {error}") from None
    cells, tables = judged(paths, params, axes, profile)
    ledger = files.read_json(paths.claims)
    found = {
        name: robustness.judge(name, {choice: results[name].record for choice, results in cells.items()}, next(iter(cells)), row["verdict"])
        for name, row in ledger.items()
    }
    files.write_json(
        paths.multiverse,
        {"axes": axes, "choices": len(cells), "tables": tables, "claims": {name: claim.figures for name, claim in found.items()}},
    )
    curves = [row for claim in found.values() for row in claim.curve]
    files.write_text(paths.multiverse_curve, robustness.table(curves))
    command.closing("multiverse", len(cells) * len(found), len(curves))


def judged(paths: Paths, params: choices.Params, axes: dict[str, list[str]], profile: str) -> tuple[dict[Choice, Results], int]:
    """Return the results of every choice, the ledger's first, and the number of different tables; equal tables are judged once."""
    claims = study_file.section(paths.study_file, "claims", run_claims.Params)
    shown = study_file.section(paths.study_file, "summarise", Intervals)
    settings = Settings(shown.confidence, params.resamples, shown.seed)
    rules = {name: claim.rule for name, claim in claims.ledger.items()}
    own = score_table.read(paths.resolved, paths.problems, paths.split, paths.corpora, paths.benchmarks)
    table = score_tables.with_graders(own, profile, files.read_records(paths.other_graders, OtherOutcomes))
    inputs = RuleInputs(
        table, {}, run_claims.teacher(paths.teacher_metrics), run_claims.long_run(paths.overfit_metrics),
        claims.confidence, claims.power, params.resamples, claims.seed, run_claims.likelihoods(paths.likelihood, rules),
    )  # fmt: skip
    cells: dict[Choice, Results] = {}
    known: dict[bytes, Results] = {}
    for choice in tqdm(choices.grid(axes), unit="choice", desc="multiverse", file=sys.stderr):
        changed = score_tables.under(table, choice)
        key = score_tables.fingerprint(changed)
        if key not in known:
            summary, scored = score_tables.lines(changed, rules, settings), score_tables.likelihoods(inputs.likelihoods, choice)
            under = inputs._replace(table=changed, summary=summary, likelihoods=scored)
            known[key] = verdicts.results(claims.ledger, rules, under, claims.vocabulary, claims)
        cells[choice] = known[key]
    return cells, len(known)


if __name__ == "__main__":
    command.run(main)
