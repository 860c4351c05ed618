"""Grade every stored completion: final answer, equality with the gold answer, outcome. Cheap and pure: a better grader re-scores all.

Outcomes: correct; wrong; no_answer; truncated (cut off by the token limit before a final answer); ungradable (the comparison could not
parse the answer, or did not end within its limits). All of them count in the denominator.
"""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from distill.answers.answer_format import Form, read_form
from distill.answers.answer_key import golds_with_notes
from distill.answers.final_answer import final_answer
from distill.answers.grade_pairs import outcome
from distill.answers.verify_pool import compare
from distill.cli import command
from distill.cli.layout import Paths
from distill.core import files, study_file
from distill.core.cells import Cell, cell_paths
from distill.core.errors import InputError
from distill.records.completion import Completion
from distill.records.extracted_item import ExtractedItem
from distill.records.problem import Problem
from distill.records.verdict import Verdict

OUTCOMES = ("correct", "wrong", "no_answer", "truncated", "ungradable")
Golds = dict[tuple[str, str], str]  # by benchmark and problem id

Positive = Annotated[float, Meta(gt=0)]
Count = Annotated[int, Meta(ge=1)]


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Section `grade` of a study file."""

    answer_line: str
    time_limit: Positive  # seconds of processor time
    memory_limit: Annotated[int, Meta(ge=64)]  # MiB
    workers: Annotated[int, Meta(ge=1, le=256)]
    max_chars: Count


class Benchmark(msgspec.Struct, frozen=True):
    """Of section `benchmarks`: the form of a benchmark's answers."""

    form: str


def main(paths: Paths) -> None:
    """Read the cells that params.yaml names, grade them, write one verdict per completion and the outcomes by arm."""
    params = study_file.section(paths.study_file, "grade", Params)
    arms, seeds = study_file.section(paths.params, "arms", list[str]), study_file.section(paths.params, "seeds", list[int])
    cells = cell_paths(paths.completions, arms, seeds, ".jsonl.gz", base=True)
    golds, forms = gold_answers(paths)
    answered = {cell: files.read_records(path, Completion) for cell, path in cells.items()}
    check(answered, cells, golds)
    graded = grade(answered, golds, params, forms)
    wrote = files.write_records(paths.verdicts, graded)
    files.write_json(paths.grade_metrics, outcomes(graded))
    command.closing("grade", sum(map(len, answered.values())), wrote)


def gold_answers(paths: Paths) -> tuple[Golds, dict[str, Form]]:
    """Return the gold answers, with the key's notes on form, and the form of each benchmark's answers."""
    named = study_file.section(paths.study_file, "benchmarks", dict[str, Benchmark])
    forms = {name: read_form(row.form, f"{paths.study_file}: section 'benchmarks.{name}'") for name, row in named.items()}
    golds = read_golds(sorted(paths.benchmarks.glob("*.jsonl")))
    return golds_with_notes(golds, files.read_records(paths.extracted, ExtractedItem)), forms


def read_golds(sources: list[Path]) -> Golds:
    """Return the gold answer by (benchmark, id)."""
    golds: Golds = {}
    for path in sources:
        for number, problem in enumerate(files.read_records(path, Problem), 1):
            key = (problem.benchmark, problem.id)
            if key in golds:
                raise InputError(f"{path}:{number}: problem {problem.id} of {problem.benchmark} is there twice")
            golds[key] = problem.gold
    return golds


def check(answered: Mapping[Cell, list[Completion]], cells: Mapping[Cell, Path], golds: Golds) -> None:
    """Every cell answers the same problems with the same samples, once each, and each problem has a gold answer; else an InputError."""
    answers: dict[Path, set[tuple[str, str, int]]] = {}
    for cell, completions in answered.items():
        path = cells[cell]
        seen = answers[path] = set()
        for number, c in enumerate(completions, 1):
            if not golds.get((c.benchmark, c.id), "").strip():
                what = "has no gold answer" if (c.benchmark, c.id) in golds else "is no problem of this study"
                raise InputError(f"{path}:{number}: {c.id} of {c.benchmark} {what}; sample again after `dvc repro split`")
            if (c.benchmark, c.id, c.sample) in seen:
                raise InputError(f"{path}:{number}: sample {c.sample} of {c.id} is there twice; remove the file and sample again")
            seen.add((c.benchmark, c.id, c.sample))
    asked = set().union(*answers.values())
    for path, seen in answers.items():
        if missing := sorted(asked - seen):
            first = "first {1} of {0}, sample {2}".format(*missing[0])
            raise InputError(f"{path}: {len(missing)} of {len(asked)} answers missing, {first}; remove the file and sample again")
    if not asked:
        raise InputError(f"{next(iter(answers)).parent}: no completion in any cell; sample again")


def grade(answered: Mapping[Cell, list[Completion]], golds: Golds, params: Params, forms: Mapping[str, Form]) -> list[Verdict]:
    """Return one verdict per completion, sorted by arm, seed, benchmark, problem and sample; `forms` by benchmark."""
    rows = [
        (arm, seed, c, final_answer(c.text, params.answer_line, c.finish, "strict")) for (arm, seed), cell in answered.items() for c in cell
    ]
    pairs = {(golds[c.benchmark, c.id], answer) for _, _, c, answer in rows if 0 < len(answer) <= params.max_chars}
    equal = compare(pairs, params.time_limit, params.memory_limit, params.workers)
    settled = {name: {pair: verdict if verdict is not None else form.settle(*pair) for pair, verdict in equal.items()}
               for name, form in forms.items() if form.kind in ("number", "integer")}  # fmt: skip
    verdicts = [
        Verdict(
            arm=arm, seed=seed, benchmark=c.benchmark, id=c.id, sample=c.sample,
            outcome=outcome(c.finish, (golds[c.benchmark, c.id], answer), settled.get(c.benchmark, equal)),
            extracted=answer[: params.max_chars], words=len(c.text.split()), tokens=c.tokens,
        )
        for arm, seed, c, answer in rows
    ]  # fmt: skip
    return sorted(verdicts, key=lambda v: (v.arm, v.seed, v.benchmark, v.id, v.sample))


def outcomes(verdicts: list[Verdict]) -> dict[str, dict[str, dict[str, int]]]:
    """Count outcomes by arm; an outcome that did not occur is 0."""
    counts = Counter((verdict.arm, verdict.outcome) for verdict in verdicts)
    arms = sorted({verdict.arm for verdict in verdicts})
    return {"outcomes": {arm: {name: counts[arm, name] for name in OUTCOMES} for arm in arms}}


if __name__ == "__main__":
    command.run(main)
