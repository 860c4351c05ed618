"""curate: one arm's corpus as chat examples: problem -> the teacher's work at the arm's level.

All clean arms train on identical problems in the same order: a problem is used only if every level of it exists and states the answer.
Protocol `clean` fails on what the papers let pass (a cluster on two sides, an empty statement or gold, an example that would be cut);
`published` keeps such flaws and counts them.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta

from stages.learning.student import Student
from stages.shared import stage
from stages.shared.chat import Example, Message, prompt
from stages.shared.files import Fault, read_records, replacing, write_json, write_records
from stages.shared.problem import Problem
from stages.shared.split import Assignment
from stages.shared.trace import ANSWER, LEVELS, Level

PARTS = {"train": "train", "valid": "valid", "heldout": "test"}  # split -> the name that mlx-lm gives its file
Corpus = dict[str, list[Example]]


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Section `curate` of a study file."""

    seed: int
    system: str
    max_seq_length: Annotated[int, Meta(ge=1)]


class Flaw(NamedTuple):
    """What the clean protocol refuses and the published one counts."""

    kind: str
    where: str


def main(study: str, arm: str, problems: str, levels: str, split: str, student: str, out: str) -> None:
    """Write ARM's train.jsonl, valid.jsonl and test.jsonl, and counts.json."""
    params, row = stage.section(study, "curate", Params), stage.arm(study, arm)
    asked = {problem.id: problem for problem in read_records(Path(problems), Problem)}
    written, assignments = read_records(Path(levels), Level), read_records(Path(split), Assignment)
    try:
        corpus, dropped = build(asked, written, assignments, params, row)
    except ValueError as error:
        raise Fault(f"{study}: arms.{arm}: {error}") from None
    flaws = list(inspect(corpus, asked, assignments, Student(Path(student)), params.max_seq_length))
    if flaws and row.protocol == "clean":
        more = f" (and {len(flaws) - 1} more)" if len(flaws) > 1 else ""
        raise Fault(f"{study}: arms.{arm}: {flaws[0].kind}: {flaws[0].where}{more}; mend it, or take protocol published, which counts it")
    sizes = {part: len(examples) for part, examples in corpus.items()}
    kinds = Counter(flaw.kind for flaw in flaws)
    with replacing(Path(out)) as folder:
        for part, examples in corpus.items():
            write_records(folder / f"{part}.jsonl", examples)
        write_json(folder / "counts.json", sizes | {"dropped": dict(sorted(dropped.items())), "flaws": dict(sorted(kinds.items()))})
    stage.closing(f"curate {arm}", len(assignments), sum(sizes.values()), dropped)


def build(
    problems: dict[str, Problem], levels: Sequence[Level], assignments: Sequence[Assignment], params: Params, arm: stage.Arm
) -> tuple[Corpus, Counter[str]]:
    """Return the arm's examples by part, in an order that all arms share, and what was dropped by reason; ValueError if none is left."""
    _check(arm)
    if missing := {assignment.id for assignment in assignments} ^ problems.keys():
        raise ValueError(f"problem {min(missing)} stands in only one of the problems and their split; run `dvc repro` for the split")
    texts: dict[str, dict[str, Level]] = defaultdict(dict)
    for level in levels:
        texts[level.id][level.level] = level
    corpus, dropped = Corpus({part: [] for part in PARTS.values()}), Counter[str]()
    for place in sorted(assignments, key=lambda place: hashlib.blake2b(f"{params.seed} {place.id}".encode()).digest()):
        if reason := _unfit(texts[place.id], arm):
            dropped[reason] += 1
            continue
        answer = Message("assistant", texts[place.id][arm.level].text)
        corpus[PARTS[place.split]].append(Example(place.id, [*prompt(params.system, problems[place.id].statement), answer]))
    if len(corpus["train"]) < max(arm.n, 1) or not corpus["valid"]:
        left = f"{len(corpus['train'])} training and {len(corpus['valid'])} validation examples are left, {max(arm.n, 1)} and 1 are needed"
        raise ValueError(f"{left} (dropped: {dict(sorted(dropped.items()))}); lower n (0 takes all), or raise split.train")
    if arm.n:
        dropped["beyond the arm's n"] = len(corpus["train"]) - arm.n
        corpus["train"] = corpus["train"][: arm.n]
    return corpus, dropped


def _check(arm: stage.Arm) -> None:
    if arm.level not in (*LEVELS, ANSWER):
        raise ValueError(f"no level '{arm.level}'; levels are {', '.join((*LEVELS, ANSWER))}")
    if arm.protocol not in ("clean", "published"):
        raise ValueError(f"no protocol '{arm.protocol}'; protocols are clean, published")
    if arm.corrected:
        raise ValueError("corrected is true, and this study has no corrected problem texts; set it to false")


def _unfit(levels: dict[str, Level], arm: stage.Arm) -> str:
    """Return why a problem cannot be used, "" if it can; equal for all clean arms."""
    if arm.protocol == "published":
        return "" if arm.level in levels else "no work at this level"
    if any(name not in levels for name in (*LEVELS, ANSWER)):
        return "no verified work at every level"
    return "" if all(level.states_answer for level in levels.values()) else "a level that does not state the answer"


def inspect(
    corpus: Corpus, problems: dict[str, Problem], assignments: Sequence[Assignment], student: Student, max_seq_length: int
) -> Iterator[Flaw]:
    """Yield the corpus's flaws."""
    sides = defaultdict(set)
    for place in assignments:
        sides[place.cluster].add(place.split)
    for cluster, found in sorted(sides.items()):
        if len(found) > 1:
            yield Flaw("a duplicate cluster on two sides", f"cluster {cluster} stands in {' and '.join(sorted(found))}")
    for part, examples in corpus.items():
        for example in examples:
            problem = problems[example.id]
            if not (problem.statement.strip() and problem.gold.strip()):
                yield Flaw("an empty statement or gold", f"problem {example.id} in {part}")
            length = len(student.example(example.messages)[0])
            if length > max_seq_length:
                where = f"problem {example.id} in {part} has {length} tokens, allowed are {max_seq_length}"
                yield Flaw("an example over max_seq_length", where)


if __name__ == "__main__":
    stage.run(main)
