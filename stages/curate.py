"""curate: one arm's corpus as chat examples: problem -> the teacher's work at the arm's level.

Protocol `clean` fails on what the papers let pass: a cluster on two sides, a placeholder, an empty statement or gold. Protocol `published`
rebuilds a corpus that was published (`curate.published`), and counts its flaws. Whether an example fits the student is for `train` to say.
"""

from collections import Counter
from typing import Annotated

import msgspec
from msgspec import Meta

from distill.cli import command
from distill.cli.layout import Paths
from distill.core import study_file
from distill.core.errors import InputError
from distill.core.files import read_records, replacing, write_json, write_records
from distill.corpus import curation
from distill.corpus.corpus_flaws import inspect, sides
from distill.extraction import corrections as reviewed
from distill.extraction.corrections import Row
from distill.records.assignment import Assignment
from distill.records.contamination_match import ContaminationMatch
from distill.records.correction import correct
from distill.records.extracted_item import ExtractedItem
from distill.records.level import ANSWER, Level
from distill.records.problem import Problem
from distill.records.recorded_trace import RecordedTrace

Seed = Annotated[int, Meta(ge=0)]


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Section `curate` of a study file."""

    seed: Seed
    system: str
    same_problems: bool  # clean arms use only problems with good work at every level, so that all train on the same ones
    published: dict[str, str] = {}  # system prompt of each level's published corpus; absent where none was published


def main(paths: Paths, arm: str) -> None:
    """Write ARM's train.jsonl, valid.jsonl and test.jsonl, and counts.json."""
    params, row = study_file.section(paths.study_file, "curate", Params), study_file.arm(paths.study_file, arm)
    if row.n < 0:
        raise InputError(f"{paths.study_file}: arms.{arm}.n: {row.n} is below 0; 0 takes all examples")
    problems = {problem.id: problem for problem in read_records(paths.problems, Problem)}
    rows = study_file.section(paths.study_file, "corrections", list[Row])
    corrections = reviewed.for_arms(rows, problems) if row.corrected else []
    levels = study_file.section(paths.study_file, "levels", list[str])
    needed = [*levels, ANSWER] if params.same_problems else [row.level, ANSWER]
    texts, assignments = curation.by_problem(read_records(paths.levels, Level)), read_records(paths.split, Assignment)
    placeholders = {each.id for each in read_records(paths.extracted, ExtractedItem) if "placeholder" in each.flags}
    matched = read_records(paths.contamination, ContaminationMatch)
    dropped = Counter[str]()
    try:
        curation.check(row, levels, problems, assignments, corrections)
        corrected = correct(problems, corrections)
        if row.protocol == "published" and row.level in params.published:
            traces = [each for each in read_records(paths.recorded_traces, RecordedTrace) if each.level == row.level]
            corpus = curation.published(corrected, traces, params.published[row.level])
        else:
            changed = {name for name in problems if corrected[name].gold != problems[name].gold}
            excluded = {each.id: f"a problem of benchmark {each.benchmark}" for each in matched if each.drop}
            excluded |= dict.fromkeys(changed, "work that does not state the corrected answer") | dict.fromkeys(
                placeholders, "a placeholder"
            )
            corpus, dropped = curation.build(corrected, texts, assignments, row, needed, params.seed, params.system, excluded)
        curation.cut(corpus, row, dropped)
    except ValueError as error:
        raise InputError(f"{paths.study_file}: arms.{arm}: {error}") from None
    flaws = list(inspect(corpus, corrected, sides(corpus, assignments, row), placeholders, texts, row.level))
    if flaws and row.protocol == "clean":
        found = f"{flaws[0].kind}: {flaws[0].where}" + (f" (and {len(flaws) - 1} more)" if len(flaws) > 1 else "")
        raise InputError(f"{paths.study_file}: arms.{arm}: {found}; fix it, or take protocol published, which counts it")
    counts = {part: len(examples) for part, examples in corpus.items()} | {
        "dropped": dict(sorted(dropped.items())),
        "flaws": dict(sorted(Counter(flaw.kind for flaw in flaws).items())),
    }
    if kept := curation.contaminated(corpus, matched):
        counts["contaminated"] = kept
    if row.corrected:
        counts["corrected"] = sum(corrected[example.id] != problems[example.id] for examples in corpus.values() for example in examples)
    with replacing(paths.corpus) as folder:
        for part, examples in corpus.items():
            write_records(folder / f"{part}.jsonl", examples)
        write_json(folder / "counts.json", counts)
    wrote = sum(map(len, corpus.values()))
    command.closing(f"curate {arm}", wrote + dropped.total(), wrote, dropped)


if __name__ == "__main__":
    command.run(main)
