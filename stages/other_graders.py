"""Grade every stored completion by the other graders of section `multiverse`; stage `multiverse` judges the claims by them.

other_graders.jsonl.gz: one row a completion, its outcome by each of them. other_graders.json: GRADER.{answers, agree, correct, ours}: of
all completions, those with the outcome of the study's own verdict (correct or not), the correct ones by this grader, and by the study's.
A study whose section is empty is graded by no other grader.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from distill.answers.answer_format import Form, read_form
from distill.answers.answer_key import golds_with_notes
from distill.cli import command
from distill.cli.layout import Paths
from distill.core import files, study_file
from distill.core.cells import cell_paths
from distill.core.errors import InputError
from distill.multiverse import graders
from distill.multiverse.graders import Answer
from distill.multiverse.outcomes import Grader, Key, OtherOutcomes
from distill.records.completion import Completion
from distill.records.extracted_item import ExtractedItem
from distill.records.problem import Problem
from distill.records.verdict import Verdict


class Graders(msgspec.Struct, frozen=True):
    """Of section `multiverse`: the graders, the study's own among them."""

    grader: list[Grader]


class Benchmark(msgspec.Struct, frozen=True):
    """Of section `benchmarks`: the form of a benchmark's answers."""

    form: str


def main(paths: Paths) -> None:
    """Read the completions of the cells that params.yaml names, grade them, write the outcomes and how far they agree with ours."""
    params = study_file.optional_section(paths.study_file, "multiverse", Graders)
    if params is None:
        files.write_records(paths.other_graders, [])
        files.write_json(paths.other_graders_metrics, {})
        return
    grading = study_file.section(paths.study_file, "grade", graders.Grading)
    named = [name for name in params.grader if name != grading.profiles[0]]
    keys, answers = completions(paths)
    outcomes = graders.grade(answers, named, grading)
    rows = [OtherOutcomes(*key, {name: outcomes[name][answer] for name in named}) for key, answer in zip(keys, answers, strict=True)]
    rows.sort(key=lambda row: (row.arm, row.seed, row.benchmark, row.id, row.sample))
    files.write_records(paths.other_graders, rows)
    files.write_json(paths.other_graders_metrics, agreement(rows, files.read_records(paths.resolved, Verdict), named))
    command.closing("other_graders", len(answers), len(rows))


def completions(paths: Paths) -> tuple[list[Key], list[Answer]]:
    """Return the key of each completion, and what its graders see."""
    arms, seeds = study_file.section(paths.params, "arms", list[str]), study_file.section(paths.params, "seeds", list[int])
    named = study_file.section(paths.study_file, "benchmarks", dict[str, Benchmark])
    forms: dict[str, Form] = {name: read_form(row.form, f"{paths.study_file}: section 'benchmarks.{name}'") for name, row in named.items()}
    problems = [problem for path in sorted(paths.benchmarks.glob("*.jsonl")) for problem in files.read_records(path, Problem)]
    golds = golds_with_notes({(p.benchmark, p.id): p.gold for p in problems}, files.read_records(paths.extracted, ExtractedItem))
    keys, answers = [], []
    for (arm, seed), path in cell_paths(paths.completions, arms, seeds, ".jsonl.gz", base=True).items():
        for c in files.iterate_records(path, Completion):
            if (c.benchmark, c.id) not in golds:
                raise InputError(f"{path}: {c.id} of {c.benchmark} is no problem of this study; run `dvc repro sample grade`")
            keys.append((arm, seed, c.benchmark, c.id, c.sample))
            answers.append(Answer(golds[c.benchmark, c.id], c.text, c.finish, forms.get(c.benchmark)))
    return keys, answers


def agreement(rows: Sequence[OtherOutcomes], verdicts: Sequence[Verdict], named: Sequence[str]) -> dict[str, Any]:
    """Return by grader how many answers it calls correct, and how many it calls as the study's verdicts do."""
    own = {(v.arm, v.seed, v.benchmark, v.id, v.sample): v.outcome == "correct" for v in verdicts}
    found = {}
    for name in named:
        pairs = [(own[row.arm, row.seed, row.benchmark, row.id, row.sample], row.outcomes[name] == "correct") for row in rows]
        found[name] = {
            "answers": len(pairs), "agree": sum(ours == theirs for ours, theirs in pairs),
            "correct": sum(theirs for _, theirs in pairs), "ours": sum(ours for ours, _ in pairs),
        }  # fmt: skip
    return found


if __name__ == "__main__":
    command.run(main)
