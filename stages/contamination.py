"""contamination: which of the study's problems are problems of a benchmark that its students are asked, by the rules of the study.

The study's own evaluated problems are no target: `split` keeps their clusters on one side. Where a rule says `drop: true`, `curate` leaves
the matched problems out of clean arms; it counts those that a corpus keeps.

Metrics: texts.NAME: texts checked; benchmarks.NAME.items; benchmarks.NAME.RULE.{items, problems}: the benchmark's problems that were found,
and the study's that match them; RULE any: by any rule. A study whose section is empty is compared with nothing.
"""

from collections import Counter
from collections.abc import Iterator, Sequence

import msgspec

from distill.cli import command
from distill.cli.layout import Paths
from distill.core import study_file
from distill.core.errors import InputError
from distill.core.files import iterate_records, read_records, write_json, write_records
from distill.corpus.contamination import Rule, Text, counts, matches
from distill.records.level import Level
from distill.records.problem import Problem

STATEMENT = "statement"


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Section `contamination` of a study file."""

    against: list[str]
    texts: list[str]
    rules: list[Rule]


def main(paths: Paths) -> None:
    """Write one record a match, and counts by benchmark and rule."""
    params = study_file.optional_section(paths.study_file, "contamination", Params)
    if params is None:
        write_records(paths.contamination, [])
        write_json(paths.contamination_metrics, {})
        return
    items = [item for name in params.against for item in benchmark(paths, name)]
    checked = Counter[str]()
    found = sorted(matches(texts(paths, params.texts, checked), items, params.rules), key=lambda each: (each.id, each.benchmark, each.item))
    if strange := [name for name in params.texts if not checked[name]]:
        allowed = ", ".join((STATEMENT, *sorted({level.level for level in iterate_records(paths.levels, Level)})))
        raise InputError(f"{paths.study_file}: contamination.texts: no text '{strange[0]}'; allowed: {allowed}")
    wrote = write_records(paths.contamination, found)
    write_json(paths.contamination_metrics, counts(found, items, checked))
    command.closing("contamination", checked.total(), wrote)


def benchmark(paths: Paths, name: str) -> list[Problem]:
    """Return the problems of a benchmark that stage `benchmarks` made."""
    path = paths.benchmarks / f"{name}.jsonl"
    if not path.exists():
        made = ", ".join(sorted(each.stem for each in paths.benchmarks.glob("*.jsonl")))
        raise InputError(f"{paths.study_file}: contamination.against: no benchmark '{name}'; made are {made}; add it to sample.benchmarks")
    return read_records(path, Problem)


def texts(paths: Paths, names: Sequence[str], checked: Counter[str]) -> Iterator[Text]:
    """Yield the study's texts one by one, and count them: statements, and the teacher's work at the levels named."""
    if STATEMENT in names:
        for problem in iterate_records(paths.problems, Problem):
            checked[STATEMENT] += 1
            yield Text(problem.id, STATEMENT, problem.statement)
    if levels := set(names) - {STATEMENT}:
        for level in iterate_records(paths.levels, Level):
            if level.level in levels:
                checked[level.level] += 1
                yield Text(level.id, level.level, level.text)


if __name__ == "__main__":
    command.run(main)
