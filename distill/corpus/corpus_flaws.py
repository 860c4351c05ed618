"""What the clean protocol refuses in a corpus and the published one counts."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence, Set
from typing import NamedTuple

from msgspec import UNSET

from distill.core.study_file import Arm
from distill.records.assignment import Assignment
from distill.records.example import Example
from distill.records.level import Level
from distill.records.problem import Problem
from distill.records.recorded_trace import breaks_off

Corpus = dict[str, list[Example]]  # part (train, valid, test) -> examples

END_MARK = re.compile(  # what ends a turn in the chat templates of common students; a text would be cut off there in training
    r"<\|(?:im_end|endoftext|eot_id|eom_id|end_of_text|end|return)\|>|<end_of_turn>|<｜end▁of▁sentence｜>|</s>|<eos>"
)


class Flaw(NamedTuple):
    """One flaw."""

    kind: str
    where: str


def sides(corpus: Corpus, assignments: Sequence[Assignment], arm: Arm) -> dict[str, set[str]]:
    """Return the sides of each duplicate cluster: of the study's split, or of the published corpus itself."""
    cluster_of = {each.id: each.cluster for each in assignments}
    found: dict[str, set[str]] = defaultdict(set)
    if arm.protocol == "clean":
        for each in assignments:
            found[each.cluster].add(each.split)
    for part, examples in corpus.items() if arm.protocol == "published" else ():
        for example in examples:
            found[cluster_of[example.id]].add(part)
    return found


def inspect(
    corpus: Corpus,
    problems: Mapping[str, Problem],
    clusters: Mapping[str, set[str]],
    placeholders: Set[str],
    texts: Mapping[str, Mapping[str, Level]],
    level: str,
) -> Iterator[Flaw]:
    """Yield the corpus's flaws."""
    for cluster, found in sorted(clusters.items()):
        if len(found) > 1:
            yield Flaw("a duplicate cluster on two sides", f"cluster {cluster} is in {' and '.join(sorted(found))}")
    trained = {problems[example.id].statement for example in corpus["train"]}
    for part, examples in corpus.items():
        for example in examples:
            problem, where = problems[example.id], f"problem {example.id} in {part}"
            if not (problem.statement.strip() and problem.gold.strip()):
                yield Flaw("an empty statement or gold", where)
            if example.id in placeholders:
                yield Flaw("a placeholder", where)
            made = texts[example.id][level]
            if breaks_off(example.messages[-1].content) if made.finish is UNSET else made.finish == "length":
                yield Flaw("a text that breaks off", where)
            if END_MARK.search(example.messages[-1].content):
                yield Flaw("a text with an end mark of chat templates", where)
            if not made.states_answer:
                yield Flaw("a text that does not state the answer", where)
            if part != "train" and problem.statement in trained:
                yield Flaw("a question that is trained on too", where)
