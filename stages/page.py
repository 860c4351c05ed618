"""page: the study as one file for a browser, which needs no network: results, claims, and every problem with every answer.

Opened from disk it shows what metrics and verdicts say, and recomputes the claims in the reader's browser from the verdicts that it holds.
"""

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from distill.cli import command
from distill.cli.layout import Paths
from distill.core import files, study_file
from distill.core.cells import cell_paths
from distill.multiverse.outcomes import OtherOutcomes
from distill.page import answers, crops, document, html, likelihoods
from distill.page.crops import Region, Shown
from distill.page.document import Interval, Ledger, Run
from distill.page.likelihoods import Scored
from distill.records.completion import Completion
from distill.records.problem import Problem
from distill.records.verdict import Verdict
from distill.report import plots, report_inputs
from distill.report.report_inputs import LongRun
from distill.stats import score_table

METRICS = (
    "summary", "headline", "grade", "teacher", "overfit", "levels", "extract", "training", "llm_judge", "drops", "multiverse", "likelihood",
)  # fmt: skip


class Limits(msgspec.Struct, frozen=True):
    """Of section `report` of a study file, what the page shows."""

    limits: list[str]


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Section `page` of a study file."""

    characters: Annotated[int, Meta(ge=0, le=50_000_000)]
    max_chars: Annotated[int, Meta(ge=1, le=100_000)]
    crops: Shown | UnsetType = UNSET  # of the exams' pages; absent where they may not be shown, or there are none


def main(paths: Paths) -> None:
    """Read what a study's run left; write its page."""
    params = study_file.section(paths.study_file, "page", Params)
    limits = answers.Limits(params.characters, params.max_chars)
    names, seeds = study_file.section(paths.params, "arms", list[str]), study_file.section(paths.params, "seeds", list[int])
    table = score_table.read(paths.resolved, paths.problems, paths.split, paths.corpora, paths.benchmarks)
    asked = [paths.problems, *sorted(paths.benchmarks.glob("*.jsonl"))]
    problems = document.order([row for path in asked for row in files.read_records(path, Problem)], table)
    there = set(zip(table["arm"], table["seed"], strict=True))
    cells = {
        cell: answers.written(files.iterate_records(path, Completion), limits.max_chars)
        for cell, path in cell_paths(paths.completions, names, seeds, ".jsonl.gz", base=True).items()
        if cell in there
    }
    others = answers.Readings(files.iterate_records(paths.verdicts, Verdict), files.iterate_records(paths.other_graders, OtherOutcomes))
    held = answers.columns(table, cells, others, [(row.benchmark, row.id) for row in problems], limits)
    ledger = study_file.section(paths.study_file, "claims", Ledger)
    cut, pixels = printed(paths, problems, params)
    claims, rationales = (files.read_json(path) for path in (paths.claims, paths.rationales))
    run = Run(
        study=paths.study, arms=study_file.section(paths.study_file, "arms", dict[str, Any]), cells=list(cells), problems=problems,
        answers=held, claims=claims, rationales=rationales, ledger=ledger,
        likelihoods=scored(paths, ledger), crops=cut,
        intervals=study_file.section(paths.study_file, "summarise", Interval),
        metrics=document.metrics(paths.summary.parent, {name: f"{name}.json" for name in METRICS}), plots=drawn(paths, names, seeds),
        limits=study_file.section(paths.study_file, "report", Limits).limits, sources=sources(paths, bool(cut)),
    )  # fmt: skip
    clusters = dict(zip(zip(table["benchmark"], table["id"], strict=True), table["cluster"], strict=True))
    text = html.render(document.build(run, clusters, limits.max_chars), pixels)
    files.write_text(paths.page, text)
    command.closing("page", len(table), len(problems))


def printed(paths: Paths, problems: list[Problem], params: Params) -> tuple[dict[int, Any], bytes]:
    """Return the crops of the exams, where the study may show them."""
    if params.crops is UNSET:
        return {}, b""
    return crops.held(paths.raw, problems, {row.id: row for row in files.read_records(paths.extracted, Region)}, params.crops)


def scored(paths: Paths, ledger: Ledger) -> list[dict[str, Any]]:
    """Return the likelihoods that the claims compare, where there are such claims."""
    wanted = likelihoods.needed(claim["rule"] for claim in ledger.ledger.values())
    return likelihoods.lines(files.iterate_records(paths.likelihood, Scored), wanted) if wanted else []


def drawn(paths: Paths, names: list[str], seeds: list[int]) -> list[dict[str, Any]]:
    """Return the plots of the report as Vega-Lite, with their captions."""
    recorded = report_inputs.summary(paths.summary, names).recorded
    trainings = {} if recorded else report_inputs.trainings(paths.training, names, seeds)
    long_run = report_inputs.read(paths.overfit_metrics, LongRun) if files.read_json(paths.overfit_metrics) else None
    found = plots.collect(paths.plots, paths.overfit_curve, paths.multiverse_curve, names, trainings, long_run)
    return [
        {"name": plot.name, "heading": plot.heading, "caption": plot.caption, "table": plot.source.as_posix(),
         "spec": plots.fill(paths.templates / f"{plot.name}.json", plot.rows, paths.study)}
        for plot in found
    ]  # fmt: skip


def sources(paths: Paths, crops_shown: bool) -> list[tuple[str, str]]:
    """Return the files that the page is made from, and what makes each."""
    made = {
        paths.study_file: "", paths.params: "", paths.claims: "claims", paths.rationales: "claims", paths.summary: "summarise",
        paths.resolved: "llm_judge", paths.verdicts: "grade", paths.other_graders: "other_graders", paths.completions: "sample",
        paths.problems: "extract", paths.benchmarks: "benchmarks", paths.split: "split", paths.corpora: "curate",
        paths.likelihood: "likelihood", paths.plots: "summarise",
        paths.multiverse: "multiverse", paths.drops: "drops", paths.likelihood_metrics: "likelihood",
    } | ({paths.raw: "fetch", paths.extracted: "extract"} if crops_shown else {})  # fmt: skip
    return [(path.as_posix(), f"dvc repro {stage}" if stage else "written by hand") for path, stage in made.items()]


if __name__ == "__main__":
    command.run(main)
