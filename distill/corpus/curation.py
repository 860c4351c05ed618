"""One arm's corpus as chat examples: problem -> the teacher's work at the arm's level.

Protocol `clean`: a problem is used only if its text at the arm's level exists, does not break off and states the answer; with
`same_problems` only if that holds at every level, so that all arms train on identical problems in the same order. A text that does not end
in the level `answer` gets that line, so that every completion ends alike.
Protocol `published`: the rows, order and split of the corpus that was published, with nothing added.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from distill.core.study_file import Arm
from distill.corpus.corpus_flaws import END_MARK, Corpus
from distill.records.assignment import Assignment
from distill.records.contamination_match import ContaminationMatch
from distill.records.correction import Correction
from distill.records.example import Example, Message, prompt
from distill.records.level import ANSWER, Level
from distill.records.problem import Problem
from distill.records.recorded_trace import RecordedTrace

PARTS = {"train": "train", "valid": "valid", "heldout": "test"}  # split -> the name that mlx-lm gives its file
Texts = Mapping[str, Mapping[str, Level]]  # by problem and level


def by_problem(levels: Sequence[Level]) -> Texts:
    """Group the levels by problem and name."""
    texts: dict[str, dict[str, Level]] = defaultdict(dict)
    for level in levels:
        texts[level.id][level.level] = level
    return texts


def check(
    arm: Arm,
    levels: Sequence[str],
    problems: Mapping[str, Problem],
    assignments: Sequence[Assignment],
    corrections: Sequence[Correction],
) -> None:
    """Raise a ValueError for an arm that cannot be, and for a split of other problems."""
    if arm.level not in (*levels, ANSWER):
        raise ValueError(f"no level '{arm.level}'; levels are {', '.join((*levels, ANSWER))}")
    if arm.protocol not in ("clean", "published"):
        raise ValueError(f"no protocol '{arm.protocol}'; protocols are clean, published")
    if arm.corrected and not corrections:
        raise ValueError("corrected is true, and this study has no corrected problem texts; set it to false")
    if missing := {assignment.id for assignment in assignments} ^ problems.keys():
        raise ValueError(f"problem {min(missing)} is in only one of the problems and their split; run `dvc repro` for the split")


def published(problems: Mapping[str, Problem], traces: Sequence[RecordedTrace], system: str) -> Corpus:
    """Return a published corpus in its own order: question from the problem, work from the recorded trace, nothing else."""
    corpus = Corpus({part: [] for part in PARTS.values()})
    for trace in sorted(traces, key=lambda trace: trace.place):
        turns = [*prompt(system, problems[trace.id].statement), Message("assistant", trace.text)]
        corpus[trace.part].append(Example(trace.id, turns))
    return corpus


def build(
    problems: Mapping[str, Problem],
    texts: Texts,
    assignments: Sequence[Assignment],
    arm: Arm,
    needed: Sequence[str],
    seed: int,
    system: str,
    excluded: Mapping[str, str],
) -> tuple[Corpus, Counter[str]]:
    """Return the arm's examples by part, in an order that all arms share, and counts of dropped problems by reason.

    `needed` are the levels that a clean arm's problem must have; `excluded` the problems that it leaves out, each with the reason.
    """
    corpus, dropped = Corpus({part: [] for part in PARTS.values()}), Counter[str]()
    for each in sorted(assignments, key=lambda each: hashlib.blake2b(f"{seed} {each.id}".encode()).digest()):
        levels = texts.get(each.id, {})
        if reason := _unfit(levels, arm, needed, excluded.get(each.id, "")):
            dropped[reason] += 1
            continue
        text = levels[arm.level].text
        if arm.protocol == "clean" and not f"\n{text}".endswith(f"\n{levels[ANSWER].text}"):
            text = f"{text.rstrip()}\n{levels[ANSWER].text}"
        turns = [*prompt(system, problems[each.id].statement), Message("assistant", text)]
        corpus[PARTS[each.split]].append(Example(each.id, turns))
    return corpus, dropped


def cut(corpus: Corpus, arm: Arm, dropped: Counter[str]) -> None:
    """Keep the arm's first n training examples; ValueError if there are fewer, or none to validate on."""
    least = max(arm.n, 1)
    if len(corpus["train"]) < least or not corpus["valid"]:
        left = f"{len(corpus['train'])} training and {len(corpus['valid'])} validation examples are left, {least} and 1 are needed"
        raise ValueError(f"{left} (dropped: {dict(sorted(dropped.items()))}); lower n (0 takes all), or raise split.train")
    if arm.n:
        dropped["beyond the arm's n"] = len(corpus["train"]) - arm.n
        corpus["train"] = corpus["train"][: arm.n]


def contaminated(corpus: Corpus, matched: Sequence[ContaminationMatch]) -> dict[str, int]:
    """Count by benchmark the examples trained or validated on that match one of its problems."""
    pairs = sorted({(each.benchmark, each.id) for each in matched})
    kept = Counter(example.id for part in ("train", "valid") for example in corpus[part])
    found = Counter[str]()
    for benchmark, name in pairs:
        found[benchmark] += kept[name]
    return {benchmark: count for benchmark, count in found.items() if count}


def _unfit(levels: Mapping[str, Level], arm: Arm, needed: Sequence[str], excluded: str) -> str:
    """Return why a problem cannot be used, "" if it can."""
    if arm.protocol == "published":
        return "" if arm.level in levels else "no work at this level"
    if excluded:
        return excluded
    if any(name not in levels for name in needed):
        return "no verified work at every level"
    if any(END_MARK.search(levels[name].text) for name in needed):
        return "a level with an end mark of chat templates"
    return "" if all(levels[name].states_answer for name in needed) else "a level that does not state the answer"
