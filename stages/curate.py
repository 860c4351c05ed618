"""curate: one arm's corpus as chat examples: problem -> the teacher's work at the arm's level.

Protocol `clean`: all arms train on identical problems in the same order; a problem is used only if every level of it exists, does not
break off and states the answer. To recorded texts without r1's answer line it adds that line, so that every completion ends alike. It
fails on what the papers let pass: a cluster on two sides, a placeholder, an empty statement or gold.
Protocol `published`: where a corpus was published (`curate.published`), its rows, order and split, rebuilt from problems and recordings
with nothing added; flaws are kept and counted. Whether an example fits the student is for `train` to say: a corpus needs no student.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from distill.cli import command
from distill.core import study_file
from distill.core.errors import InputError
from distill.core.files import read_records, replacing, write_json, write_records
from distill.corpus.corpus_flaws import Corpus, Flaw, inspect, sides
from distill.records.assignment import Assignment
from distill.records.correction import Correction, correct
from distill.records.example import Example, Message, prompt
from distill.records.extracted_item import ExtractedItem
from distill.records.level import ANSWER, LEVELS, Level
from distill.records.problem import Problem
from distill.records.recorded_trace import RecordedTrace

PARTS = {"train": "train", "valid": "valid", "heldout": "test"}  # split -> the name that mlx-lm gives its file


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Section `curate` of a study file."""

    seed: int
    system: str
    published: dict[str, str]


def main(study: str, arm: str, problems: str, reading: str, recordings: str, levels: str, split: str, out: str) -> None:
    """Write ARM's train.jsonl, valid.jsonl and test.jsonl, and counts.json."""
    params, row = study_file.section(study, "curate", Params), study_file.arm(study, arm)
    asked = {problem.id: problem for problem in read_records(Path(problems), Problem)}
    corrections = study_file.section(study, "corrections", list[Correction]) if row.corrected else []
    texts, assignments = by_problem(read_records(Path(levels), Level)), read_records(Path(split), Assignment)
    placeholders = {each.id for each in read_records(Path(reading), ExtractedItem) if "placeholder" in each.flags}
    dropped = Counter[str]()
    try:
        _check(row, asked, assignments, corrections)
        printed = correct(asked, corrections)
        if row.protocol == "published" and row.level in params.published:
            rows = [each for each in read_records(Path(recordings), RecordedTrace) if each.level == row.level]
            corpus = rebuild(printed, rows, params.published[row.level])
        else:
            barred = {name: "work that does not state the corrected answer" for name in asked if printed[name].gold != asked[name].gold}
            barred |= dict.fromkeys(placeholders, "a placeholder")
            corpus, dropped = build(printed, texts, assignments, params, row, barred)
        _cut(corpus, row, dropped)
    except ValueError as error:
        raise InputError(f"{study}: arms.{arm}: {error}") from None
    found = list(inspect(corpus, printed, sides(corpus, assignments, row), placeholders, texts, row.level))
    if found and row.protocol == "clean":
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        raise InputError(
            f"{study}: arms.{arm}: {found[0].kind}: {found[0].where}{more}; mend it, or take protocol published, which counts it"
        )
    counts = tally(corpus, dropped, found)
    if row.corrected:
        changed = {name for name in asked if printed[name] != asked[name]}
        counts["corrected"] = sum(example.id in changed for examples in corpus.values() for example in examples)
    with replacing(Path(out)) as folder:
        for part, examples in corpus.items():
            write_records(folder / f"{part}.jsonl", examples)
        write_json(folder / "counts.json", counts)
    wrote = sum(map(len, corpus.values()))
    command.closing(f"curate {arm}", wrote + dropped.total(), wrote, dropped)


def tally(corpus: Corpus, dropped: Counter[str], found: Sequence[Flaw]) -> dict[str, Any]:
    """Return what counts.json holds: examples by part, problems dropped by reason, flaws by kind."""
    kinds = Counter(flaw.kind for flaw in found)
    sizes = {part: len(examples) for part, examples in corpus.items()}
    return sizes | {"dropped": dict(sorted(dropped.items())), "flaws": dict(sorted(kinds.items()))}


def by_problem(levels: Sequence[Level]) -> dict[str, dict[str, Level]]:
    """Group the levels by problem and name."""
    texts: dict[str, dict[str, Level]] = defaultdict(dict)
    for level in levels:
        texts[level.id][level.level] = level
    return texts


def rebuild(problems: Mapping[str, Problem], recordings: Sequence[RecordedTrace], system: str) -> Corpus:
    """Return a published corpus in its own order: question from the problem, work from the recording, nothing else."""
    corpus = Corpus({part: [] for part in PARTS.values()})
    for row in sorted(recordings, key=lambda row: row.place):
        turns = [*prompt(system, problems[row.id].statement), Message("assistant", row.text)]
        corpus[row.part].append(Example(row.id, turns))
    return corpus


def build(
    problems: Mapping[str, Problem],
    texts: Mapping[str, Mapping[str, Level]],
    assignments: Sequence[Assignment],
    params: Params,
    arm: study_file.Arm,
    barred: Mapping[str, str],
) -> tuple[Corpus, Counter[str]]:
    """Return the arm's examples by part, in an order that all arms share, and what was dropped by reason; `barred` are from clean arms."""
    corpus, dropped = Corpus({part: [] for part in PARTS.values()}), Counter[str]()
    for place in sorted(assignments, key=lambda place: hashlib.blake2b(f"{params.seed} {place.id}".encode()).digest()):
        levels = texts.get(place.id, {})
        if reason := _unfit(levels, arm, barred.get(place.id, "")):
            dropped[reason] += 1
            continue
        text = levels[arm.level].text
        if arm.protocol == "clean" and not f"\n{text}".endswith(f"\n{levels[ANSWER].text}"):
            text = f"{text.rstrip()}\n{levels[ANSWER].text}"
        turns = [*prompt(params.system, problems[place.id].statement), Message("assistant", text)]
        corpus[PARTS[place.split]].append(Example(place.id, turns))
    return corpus, dropped


def _cut(corpus: Corpus, arm: study_file.Arm, dropped: Counter[str]) -> None:
    """Keep the arm's first n training examples; ValueError if there are fewer, or none to validate on."""
    if len(corpus["train"]) < max(arm.n, 1) or not corpus["valid"]:
        left = f"{len(corpus['train'])} training and {len(corpus['valid'])} validation examples are left, {max(arm.n, 1)} and 1 are needed"
        raise ValueError(f"{left} (dropped: {dict(sorted(dropped.items()))}); lower n (0 takes all), or raise split.train")
    if arm.n:
        dropped["beyond the arm's n"] = len(corpus["train"]) - arm.n
        corpus["train"] = corpus["train"][: arm.n]


def _check(
    arm: study_file.Arm, problems: Mapping[str, Problem], assignments: Sequence[Assignment], corrections: Sequence[Correction]
) -> None:
    if arm.level not in (*LEVELS, ANSWER):
        raise ValueError(f"no level '{arm.level}'; levels are {', '.join((*LEVELS, ANSWER))}")
    if arm.protocol not in ("clean", "published"):
        raise ValueError(f"no protocol '{arm.protocol}'; protocols are clean, published")
    if arm.corrected and not corrections:
        raise ValueError("corrected is true, and this study has no corrected problem texts; set it to false")
    if missing := {assignment.id for assignment in assignments} ^ problems.keys():
        raise ValueError(f"problem {min(missing)} stands in only one of the problems and their split; run `dvc repro` for the split")


def _unfit(levels: Mapping[str, Level], arm: study_file.Arm, barred: str) -> str:
    """Return why a problem cannot be used, "" if it can; equal for all clean arms of the same texts."""
    if arm.protocol == "published":
        return "" if arm.level in levels else "no work at this level"
    if barred:
        return barred
    if any(name not in levels for name in (*LEVELS, ANSWER)):
        return "no verified work at every level"
    return "" if all(level.states_answer for level in levels.values()) else "a level that does not state the answer"


if __name__ == "__main__":
    command.run(main)
