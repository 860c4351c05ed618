"""report: one page on a study, made of the run's metrics, tables and stored answers; every number on it is read, none is typed.

Writes the page, svg/*.svg beside the tables (the templates that `dvc plots` uses) and curves.csv (the training curves, tidy).
"""

import csv
import io
from pathlib import Path
from typing import Any

import msgspec

from distill.cli import command
from distill.core import files, study_file
from distill.core.errors import InputError
from distill.records.assignment import Assignment
from distill.records.claim_record import ClaimRecord, Rationale
from distill.records.problem import Problem
from distill.report import examples, plots, report_inputs, report_page
from distill.report.report_inputs import BASE, LongRun
from distill.report.report_page import Ledger, Places, Run


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Section `report` of a study file."""

    examples: int
    seed: int
    arms: list[str]
    max_chars: int
    limits: list[str]


class Intervals(msgspec.Struct, frozen=True):
    """Of section `summarise`, what the report states."""

    confidence: float


def main(study: str, params: str, data: str, metrics: str, grounds: str, tidy: str, templates: str, out: str) -> None:
    """Read what a study's run left; write its page, its plots and the table of its training curves."""
    section = study_file.section(study, "report", Params)
    run = collect(study, params, Path(metrics), Path(grounds), section.limits)
    drawn = plots.collect(Path(tidy), list(run.arms), run.trainings, report_inputs.read(Path(metrics, "overfit.json"), LongRun))
    for name in section.arms:
        study_file.arm(study, name)  # a misspelt name would only be left out
    students = [(BASE, 0), *((arm, run.seeds[0]) for arm in section.arms if arm in run.arms)]
    examples = sample(section, students, Path(data))
    text = report_page.write(run, drawn, examples, Places(study, params, data, metrics, grounds, tidy).seen_from(Path(out)))
    plots.draw(drawn, Path(templates), run.study, Path(tidy, "svg"))
    files.write_text(Path(tidy, "curves.csv"), as_csv(plots.curves(Path(tidy, "train"), run.trainings)))
    files.write_text(Path(out), text)
    command.closing("report", len(run.trainings), len(drawn) + 2)


def collect(study: str, params: str, metrics: Path, grounds: Path, limits: list[str]) -> Run:
    """Read the metrics of the arms and seeds that params.yaml names."""
    names, seeds = study_file.section(params, "arms", list[str]), study_file.section(params, "seeds", list[int])
    said = study_file.section(study, "claims", Ledger)
    claims, reasons = report_inputs.read(metrics / "claims.json", dict[str, ClaimRecord]), report_inputs.read(grounds, dict[str, Rationale])
    for path, found in ((metrics / "claims.json", claims.keys()), (grounds, reasons.keys())):
        if unlike := sorted(found ^ said.ledger.keys()):
            raise InputError(f"{path}: claim '{unlike[0]}' stands in only one of it and {study}; run `dvc repro claims`")
    return Run(
        study=Path(study).stem, arms={name: study_file.arm(study, name) for name in names}, seeds=seeds,
        confidence=study_file.section(study, "summarise", Intervals).confidence, limits=limits, said=said, claims=claims, grounds=reasons,
        summary=report_inputs.summary(metrics / "summary.json", names), trainings=report_inputs.trainings(metrics / "train", names, seeds),
        **{key: report_inputs.read(metrics / f"{name}.json", dict[str, Any]) for key, name in AUDITS.items()},
    )  # fmt: skip


AUDITS = {"teacher": "teacher", "levels": "levels", "extraction": "extract", "judge": "judge"}


def sample(section: Params, students: list[tuple[str, int]], data: Path) -> str:
    """Return the rationales of these students on a fixed sample of the held-out problems."""
    problems, split = files.read_records(data / "problems.jsonl", Problem), files.read_records(data / "split.jsonl", Assignment)
    chosen = examples.choose(problems, split, section.examples, section.seed)
    found = examples.answers(chosen, students, data / "completions", data / "verdicts.jsonl.gz")
    return examples.page(chosen, found, section.max_chars)


def as_csv(rows: plots.Rows) -> str:
    """Return a tidy table as CSV."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


if __name__ == "__main__":
    command.run(main)
