"""Grade every stored completion: final answer, equality with the gold answer, outcome. Cheap and pure: a better grader re-scores all.

Outcomes: correct; wrong; no_answer; truncated (cut off by the token limit before a final answer); ungradable (the comparison could not
parse the answer, or did not end within its limits). All of them count in the denominator. The first extraction profile of the study
gives the outcome; a verdict has the outcome under each further one beside it.

A recorded student may miss problems, each arm its own: what was not recorded is counted by arm and benchmark, and is no outcome.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta

from distill.answers.answer_format import Form, read_form
from distill.answers.answer_key import golds_with_notes
from distill.answers.final_answer import Profile, final_answer
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

    profiles: Annotated[list[Profile], Meta(min_length=1)]  # by which a final answer is found; the first gives the outcome
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
    missing_allowed = recorded(paths)
    check(answered, cells, golds, whole=not missing_allowed)
    graded = grade(answered, golds, params, forms)
    wrote = files.write_records(paths.verdicts, graded)
    counts = outcomes(graded, params.profiles[1:]) | ({"not_recorded": not_recorded(answered, golds)} if missing_allowed else {})
    files.write_json(paths.grade_metrics, counts)
    command.closing("grade", sum(map(len, answered.values())), wrote)


def recorded(paths: Paths) -> bool:
    """Tell whether the student's answers are recorded, so that problems may lack one."""
    return study_file.section(paths.study_file, "student", study_file.Kind).kind == "recorded"


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


def check(answered: Mapping[Cell, list[Completion]], cells: Mapping[Cell, Path], golds: Golds, *, whole: bool) -> None:
    """Every cell answers problems with a gold answer, once each, and where `whole` the same with the same samples; else an InputError."""
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
        if whole and (missing := sorted(asked - seen)):
            first = "first {1} of {0}, sample {2}".format(*missing[0])
            raise InputError(f"{path}: {len(missing)} of {len(asked)} answers missing, {first}; remove the file and sample again")
    if not asked:
        raise InputError(f"{next(iter(answers)).parent}: no completion in any cell; sample again")


def not_recorded(answered: Mapping[Cell, list[Completion]], golds: Golds) -> dict[str, dict[str, int]]:
    """Count by arm and benchmark the problems asked that have no recorded answer."""
    asked = Counter(benchmark for benchmark, _ in golds)
    found: dict[str, Counter[str]] = {}
    for (arm, _), completions in answered.items():
        found[arm] = asked - Counter(benchmark for benchmark, _ in {(c.benchmark, c.id) for c in completions})
    return {arm: dict(sorted(counts.items())) for arm, counts in found.items() if counts}


def grade(answered: Mapping[Cell, list[Completion]], golds: Golds, params: Params, forms: Mapping[str, Form]) -> list[Verdict]:
    """Return one verdict per completion, sorted by arm, seed, benchmark, problem and sample; `forms` by benchmark."""
    rows = [(arm, seed, c) for (arm, seed), cell in answered.items() for c in cell]
    finals = {name: [final_answer(c.text, params.answer_line, c.finish, name) for _, _, c in rows] for name in params.profiles}
    pairs = {
        (golds[c.benchmark, c.id], answer)
        for answers in finals.values()
        for (_, _, c), answer in zip(rows, answers, strict=True)
        if 0 < len(answer) <= params.max_chars
    }
    equal = compare(pairs, params.time_limit, params.memory_limit, params.workers)
    settled = {name: {pair: verdict if verdict is not None else form.settle(*pair) for pair, verdict in equal.items()}
               for name, form in forms.items() if form.kind in ("number", "integer")}  # fmt: skip
    first, *further = params.profiles

    def what(profile: Profile, place: int) -> str:
        c = rows[place][2]
        return outcome(c.finish, (golds[c.benchmark, c.id], finals[profile][place]), settled.get(c.benchmark, equal))

    verdicts = [
        Verdict(
            arm=arm, seed=seed, benchmark=c.benchmark, id=c.id, sample=c.sample,
            outcome=what(first, place), extracted=finals[first][place][: params.max_chars],
            words=len(c.text.split()), tokens=c.tokens, published=c.published_verdict,
            profiles={name: what(name, place) for name in further} or UNSET,
        )
        for place, (arm, seed, c) in enumerate(rows)
    ]  # fmt: skip
    return sorted(verdicts, key=lambda v: (v.arm, v.seed, v.benchmark, v.id, v.sample))


def outcomes(verdicts: list[Verdict], further: Sequence[str] = ()) -> dict[str, Any]:
    """Count outcomes by arm, and under each further profile; an outcome that did not occur is 0."""
    arms = sorted({verdict.arm for verdict in verdicts})

    def counted(pairs: Iterable[tuple[str, str]]) -> dict[str, dict[str, int]]:
        counts = Counter(pairs)
        return {arm: {name: counts[arm, name] for name in OUTCOMES} for arm in arms}

    found: dict[str, Any] = {"outcomes": counted((verdict.arm, verdict.outcome) for verdict in verdicts)}
    under = {name: counted((v.arm, v.profiles[name]) for v in verdicts if v.profiles is not UNSET) for name in further}
    return found | ({"profiles": under} if under else {})


if __name__ == "__main__":
    command.run(main)
