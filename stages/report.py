"""report: one page on a study, made of the run's metrics, tables and stored answers; every number on it is read, none is typed.

Writes the page and svg/*.svg, drawn by the templates that `dvc plots` uses.
"""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from distill.cli import command
from distill.cli.layout import Paths
from distill.core import files, study_file
from distill.core.cells import BASE, Cell, cell_paths
from distill.records.assignment import Assignment
from distill.records.problem import Problem
from distill.report import examples, likelihood_section, plots, report_inputs, report_page
from distill.report.report_inputs import Intervals, LongRun
from distill.report.report_page import Content, Source


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Section `report` of a study file."""

    examples: Annotated[int, Meta(ge=0)]
    seed: Annotated[int, Meta(ge=0)]
    arms: list[str]
    max_chars: Annotated[int, Meta(ge=1)]
    limits: list[str]


def main(paths: Paths) -> None:
    """Read what a study's run left; write its page and its plots."""
    params = study_file.section(paths.study_file, "report", Params)
    content = collect(paths, params.limits)
    long_run = report_inputs.read(paths.overfit_metrics, LongRun) if files.read_json(paths.overfit_metrics) else None
    drawn = plots.collect(paths.plots, paths.overfit_curve, paths.multiverse_curve, list(content.arms), content.trainings, long_run)
    drawn += likelihood_section.plot(*report_inputs.table(paths.likelihood_table, likelihood_section.Gain), paths.likelihood_table)
    for name in params.arms:
        study_file.arm(paths.study_file, name)  # a misspelt name would only be left out
    students = [(BASE, 0), *((arm, content.seeds[0]) for arm in params.arms if arm in content.arms)]
    shown = answers(paths, params, content, students)
    text = report_page.write(content, drawn, shown, sources(paths, content), paths.svg, paths.judge_metrics, paths.report)
    plots.draw(drawn, paths.templates, content.study, paths.svg)
    files.write_text(paths.report, text)
    command.closing("report", len(content.trainings), len(drawn) + 1)


def collect(paths: Paths, limits: list[str]) -> Content:
    """Read the metrics of the arms and seeds that params.yaml names."""
    names, seeds = study_file.section(paths.params, "arms", list[str]), study_file.section(paths.params, "seeds", list[int])
    arms = {name: study_file.arm(paths.study_file, name) for name in names}
    found = report_inputs.summary(paths.summary, names)
    return Content(
        study=paths.study, arms=arms, seeds=seeds,
        confidence=study_file.section(paths.study_file, "summarise", Intervals).confidence, limits=limits,
        claims=report_inputs.body(paths.claims_page), summary=found,
        trainings={} if found.recorded else report_inputs.trainings(paths.training, names, seeds),
        teacher=report_inputs.read(paths.teacher_metrics, dict[str, Any]), levels=report_inputs.read(paths.levels_metrics, dict[str, Any]),
        extraction=report_inputs.read(paths.extract_metrics, dict[str, Any]), judge=report_inputs.read(paths.judge_metrics, dict[str, Any]),
        audit=paths.audit_page, likelihood=likelihood(paths), drops=report_inputs.read(paths.drops, dict[str, Any]),
        multiverse=report_inputs.read(paths.multiverse, dict[str, Any]),
    )  # fmt: skip


def likelihood(paths: Paths) -> str:
    """Return the section on likelihoods; "" where the study scores none."""
    found = report_inputs.read(paths.likelihood_metrics, dict[str, Any])
    confidence = study_file.section(paths.study_file, "likelihood", Intervals).confidence if found else 0.0
    return likelihood_section.section(found, confidence, report_page.link(paths.likelihood_metrics, paths.report))


def answers(paths: Paths, params: Params, content: Content, students: list[Cell]) -> str:
    """Return the answers of these students to a fixed sample of the held-out problems."""
    cells = cell_paths(paths.completions, list(content.arms), content.seeds, ".jsonl.gz", base=True)
    problems, split = files.read_records(paths.problems, Problem), files.read_records(paths.split, Assignment)
    chosen = examples.choose(problems, split, params.examples, params.seed)
    there = {cell: cells[cell] for cell in students if cell[0] in content.summary.arms}
    found = examples.answers(chosen, there, paths.verdicts, whole=not content.summary.recorded)
    return examples.page(chosen, found, params.max_chars)


def sources(paths: Paths, content: Content) -> list[Source]:
    """Return the files that the page is made from."""
    return [
        Source("arms, limitations", paths.study_file, ""), Source("arms and seeds that ran", paths.params, ""),
        Source("results, problems asked", paths.summary, "summarise"), Source("claims", paths.claims_page, "claims"),
        Source("teacher", paths.teacher_metrics, "verify"), Source("levels", paths.levels_metrics, "condense"),
        Source("extraction", paths.extract_metrics, "extract"), Source("long run", paths.overfit_metrics, "overfit"),
        Source("problems left out", paths.drops, "drops"),
        Source("claims under other choices", paths.multiverse, "multiverse"),
        *([Source("likelihood", paths.likelihood_metrics, "likelihood")] if content.likelihood else []),
        Source("training", paths.training, "summarise"), Source("plots", paths.plots, "summarise"),
        Source("example answers", paths.completions, "sample", in_git=False),
        Source("their outcomes", paths.verdicts, "grade", in_git=False),
    ]  # fmt: skip


if __name__ == "__main__":
    command.run(main)
