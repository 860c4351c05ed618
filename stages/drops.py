"""Every problem lost at any stage, by stage and reason, reconciled to each denominator: input minus drops must be output.

drops.json: steps, a list of {stage, of, input, drops, output} in the order of the pipeline; drops counts by reason. Input, drops and output
come from the files that the stages wrote, where possible each from another; a step that does not add up is an error that names it.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from distill.claims import run_claims
from distill.cli import command
from distill.cli.layout import BASE, Paths
from distill.core import files, study_file
from distill.core.errors import InputError
from distill.drops import denominators, steps
from distill.drops.steps import Corpus, Step
from distill.records.assignment import Assignment
from distill.records.problem import OWN, Problem
from distill.stats import score_table


class Level(msgspec.Struct, frozen=True):
    """Of section `curate`: the system prompts of the published corpora, by level."""

    published: dict[str, str] = {}


def main(paths: Paths) -> None:
    """Count what each step leaves out; write the steps."""
    arms = study_file.section(paths.params, "arms", list[str])
    try:
        found = [*of_corpus(paths, arms), *of_answers(paths, arms)]
    except ValueError as error:
        raise InputError(f"{paths.drops}: {error}; run `dvc repro` for the stages of this study, or report the loss") from None
    files.write_json(paths.drops, {"steps": [msgspec.to_builtins(each) for each in found]})
    command.closing("drops", len(found), len(found))


def of_corpus(paths: Paths, arms: list[str]) -> Iterator[Step]:
    """Yield the steps from the source to the examples that each arm trains on."""
    problems = sum(1 for _ in files.iterate_records(paths.problems, Problem))
    yield steps.extract(files.read_json(paths.extract_metrics), problems)
    yield steps.verify(files.read_json(paths.teacher_metrics), problems)
    assignments = files.read_records(paths.split, Assignment)
    audited = files.read_json(paths.audit_metrics)["problems"]["split"]
    yield steps.split(Counter(each.split for each in assignments), problems, audited.get("heldout", 0))
    left = Counter(each.split for each in assignments if not each.evaluate)
    yield steps.asked(left, problems, benchmarks(paths).get(OWN, 0))
    published = study_file.section(paths.study_file, "curate", Level).published
    trained = files.read_json(paths.training)
    for arm in arms:
        row, folder = study_file.arm(paths.study_file, arm), paths.corpora / arm
        counts = files.read_json(folder / "counts.json")
        rows = sum(lines(folder / f"{part}.jsonl") for part in ("train", "valid"))
        yield steps.curate(arm, Corpus(counts, rows, row.protocol == "published" and row.level in published), problems)
        yield from steps.train(arm, counts, trained.get(arm, {}))


def of_answers(paths: Paths, arms: list[str]) -> Iterator[Step]:
    """Yield the steps from the problems that are asked to the denominators of accuracies and claims."""
    table = score_table.read(paths.resolved, paths.problems, paths.split, paths.corpora, paths.benchmarks)
    missing = files.read_json(paths.grade_metrics).get("not_recorded", {})
    asked = benchmarks(paths)
    found = table.groupby(["arm", "benchmark"])["id"].nunique().to_dict()
    for arm in (BASE, *arms):
        answered = {benchmark: int(found.get((arm, benchmark), 0)) for benchmark in asked}
        yield from steps.answered(arm, asked, missing.get(arm, {}), answered)
    yield from denominators.heldout(table, files.read_json(paths.summary))
    claims = study_file.section(paths.study_file, "claims", run_claims.Params)
    yield from denominators.claims(table, {name: claim.rule for name, claim in claims.ledger.items()}, files.read_json(paths.claims))


def benchmarks(paths: Paths) -> dict[str, int]:
    """Return the number of problems of each benchmark."""
    return {path.stem: lines(path) for path in sorted(paths.benchmarks.glob("*.jsonl"))}


def lines(path: Path) -> int:
    """Return the number of records of a file."""
    return sum(1 for _ in files.iterate_records(path, dict[str, Any]))


if __name__ == "__main__":
    command.run(main)
