"""Grade every stored completion: final answer, equality with the gold answer, outcome. Cheap and pure: a better grader re-scores all.

Outcomes: correct; wrong; no_answer; truncated (cut off by the token limit before a final answer); ungradable (the comparison had no
reading, or no end within its limits). Nothing leaves the denominator. `python -m stages.grade pairs IN.jsonl OUT.jsonl` grades any pairs.
"""

import shlex
import sys
from collections import Counter
from pathlib import Path

import msgspec

from distill.answers import grade_pairs
from distill.answers.answer_format import Form, read_form
from distill.answers.answer_key import golds_with_notes
from distill.answers.final_answer import final_answer
from distill.answers.grade_pairs import outcome
from distill.answers.verify_pool import compare
from distill.cli import command
from distill.core import files, study_file
from distill.core.errors import InputError
from distill.records.completion import Completion
from distill.records.extracted_item import ExtractedItem
from distill.records.problem import Problem
from distill.records.verdict import Verdict

OUTCOMES = ("correct", "wrong", "no_answer", "truncated", "ungradable")

Cell = tuple[str, int]  # (arm, seed); ("base", 0)
Key = tuple[str, str]  # (benchmark, problem id)


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Section `grade` of a study file."""

    answer_line: str
    time_limit: float  # seconds of processor time
    memory_limit: int  # MiB
    workers: int
    max_chars: int


class Benchmark(msgspec.Struct, frozen=True):
    """Of section `benchmarks`: the form of a benchmark's answers."""

    form: str


def main(study: str, params: str, problems: str, readings: str, benchmarks: str, completions: str, verdicts: str, metrics: str) -> None:
    """Read the cells that params.yaml names, grade them, write one verdict per completion and the outcomes by arm."""
    section = study_file.section(study, "grade", Params)
    cells = cell_paths(Path(completions), study_file.section(params, "arms", list[str]), study_file.section(params, "seeds", list[int]))
    golds, forms = terms(study, Path(problems), Path(readings), Path(benchmarks))
    answered = {cell: files.read_records(path, Completion) for cell, path in cells.items()}
    check(answered, golds, Path(completions))
    graded = grade(answered, golds, section, forms)
    wrote = files.write_records(Path(verdicts), graded)
    files.write_json(Path(metrics), outcomes(graded))
    command.closing("grade", sum(map(len, answered.values())), wrote)


def cell_paths(folder: Path, arms: list[str], seeds: list[int]) -> dict[Cell, Path]:
    """Return the file of each cell that params.yaml names; a missing or an unlisted file is an InputError."""
    cells: dict[Cell, Path] = {("base", 0): folder / "base.jsonl.gz"}
    cells |= {(arm, seed): folder / f"{arm}-{seed}.jsonl.gz" for arm in arms for seed in seeds}
    found = {path for path in folder.glob("*") if not path.name.startswith(".")}
    if unlisted := sorted(found - set(cells.values())):
        names = shlex.join(map(str, unlisted))
        raise InputError(
            f"{folder}: {len(unlisted)} of {len(found)} files belong to no arm and seed of params.yaml; remove them: rm -r {names}"
        )
    if missing := sorted(set(cells.values()) - found):
        raise InputError(f"{missing[0]}: {len(missing)} of {len(cells)} cells missing; run `dvc repro`, or mend params.yaml")
    return cells


def terms(study: str, problems: Path, readings: Path, benchmarks: Path) -> tuple[dict[Key, str], dict[str, Form]]:
    """Return what answers are held against: the gold answers, with notes on form, and the form of each benchmark's answers."""
    named = study_file.section(study, "benchmarks", dict[str, Benchmark])
    forms = {name: read_form(benchmark.form, f"{study}: section 'benchmarks.{name}'") for name, benchmark in named.items()}
    golds = read_golds([problems, *sorted(benchmarks.glob("*.jsonl"))])
    return golds_with_notes(golds, files.read_records(readings, ExtractedItem)), forms


def read_golds(paths: list[Path]) -> dict[Key, str]:
    """Return the gold answer by (benchmark, id)."""
    golds: dict[Key, str] = {}
    for path in paths:
        for number, problem in enumerate(files.read_records(path, Problem), 1):
            key = (problem.benchmark, problem.id)
            if key in golds:
                raise InputError(f"{path}:{number}: problem {problem.id} of {problem.benchmark} stands there twice")
            golds[key] = problem.gold
    return golds


def check(answered: dict[Cell, list[Completion]], golds: dict[Key, str], folder: Path) -> None:
    """Every cell answers the same problems with the same samples, once each, and each problem has a gold answer; else an InputError."""
    answers: dict[Path, set[tuple[str, str, int]]] = {}
    for (arm, seed), completions in answered.items():
        where = folder / f"{arm if arm == 'base' else f'{arm}-{seed}'}.jsonl.gz"
        seen = answers[where] = set()
        for number, c in enumerate(completions, 1):
            if not golds.get((c.benchmark, c.id), "").strip():
                what = "has no gold answer" if (c.benchmark, c.id) in golds else "is no problem of this study"
                raise InputError(f"{where}:{number}: {c.id} of {c.benchmark} {what}; sample again after `dvc repro split`")
            if (c.benchmark, c.id, c.sample) in seen:
                raise InputError(f"{where}:{number}: sample {c.sample} of {c.id} stands there twice; remove the file and sample again")
            seen.add((c.benchmark, c.id, c.sample))
    asked = set().union(*answers.values())
    for where, seen in answers.items():
        if lacking := sorted(asked - seen):
            benchmark, name, sample = lacking[0]
            first = f"first {name} of {benchmark}, sample {sample}"
            raise InputError(f"{where}: {len(lacking)} of {len(asked)} answers missing, {first}; remove the file and sample again")
    if not asked:
        raise InputError(f"{folder}: no completion in any cell; sample again")


def grade(answered: dict[Cell, list[Completion]], golds: dict[Key, str], params: Params, forms: dict[str, Form]) -> list[Verdict]:
    """Return one verdict per completion, sorted by arm, seed, benchmark, problem and sample; `forms` by benchmark."""
    rows = [(arm, seed, c, final_answer(c.text, params.answer_line, c.finish)) for (arm, seed), cell in answered.items() for c in cell]
    asked = {(golds[c.benchmark, c.id], answer) for _, _, c, answer in rows if 0 < len(answer) <= params.max_chars}
    equal = compare(asked, params.time_limit, params.memory_limit, params.workers)
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
    command.run(grade_pairs.main if sys.argv[1:2] == ["pairs"] else main)
