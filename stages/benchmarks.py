"""benchmarks: the evaluation sets, one file each: those of the study's own problems that are asked, and other sets."""

from pathlib import Path
from typing import Any

import msgspec

from distill.answers.answer_format import read_form
from distill.cli import command
from distill.cli.layout import Paths
from distill.core import study_file
from distill.core.errors import InputError
from distill.core.files import read_records, replacing, write_records
from distill.records.assignment import Assignment
from distill.records.problem import Problem
from distill.sources import benchmark_sources
from distill.sources.benchmark_sources import KINDS, Competition, Hub, Local, Repository


class Asked(msgspec.Struct, frozen=True):
    """Of section `sample`: the benchmarks that students are asked. Only these are made."""

    benchmarks: list[str]


def main(paths: Paths) -> None:
    """Write NAME.jsonl for the study's own problems, and for each benchmark that section `sample` asks."""
    study = paths.study_file
    for name, keys in study_file.section(study, "benchmarks", dict[str, dict[str, Any]]).items():
        if keys.get("kind") not in KINDS:
            raise InputError(f"{study}: section 'benchmarks.{name}': kind is '{keys.get('kind')}'; allowed: {', '.join(KINDS)}")
    sources = study_file.section(study, "benchmarks", dict[str, Competition | Repository | Hub | Local])
    asked = study_file.section(study, "sample", Asked).benchmarks
    if unknown := [name for name in asked if name not in sources]:
        raise InputError(f"{study}: section 'sample' asks '{unknown[0]}'; section 'benchmarks' has {', '.join(sources)}")
    forms = {name: read_form(source.form, f"{study}: section 'benchmarks.{name}'") for name, source in sources.items()}
    own = evaluated(paths.problems, paths.split)
    wrote = len(own)
    with replacing(paths.benchmarks) as folder:
        folder.mkdir()
        if own:
            write_records(folder / f"{own[0].benchmark}.jsonl", own)
        for name, source in sources.items():
            if name in asked:
                problems = benchmark_sources.problems(source, name, forms[name], paths.work / "benchmarks" / name)
                made = write_records(folder / f"{name}.jsonl", problems)
                print(f"benchmarks: {name}: {made} problems; answers: {source.form}; licence: {source.licence}")
                wrote += made
    command.closing("benchmarks", len(asked) + 1, wrote)


def evaluated(problems: Path, split: Path) -> list[Problem]:
    """Return the study's own problems that the split has every student asked."""
    names = {assignment.id for assignment in read_records(split, Assignment) if assignment.evaluate}
    found = [problem for problem in read_records(problems, Problem) if problem.id in names]
    if len(found) < len(names):
        raise InputError(f"{split}: {len(names)} problems are to be asked, {len(found)} of them are in {problems}; run `dvc repro split`")
    return found


if __name__ == "__main__":
    command.run(main)
