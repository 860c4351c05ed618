"""The answers as a page holds them: one column a field, each distinct text once, in the order of the problems.

Every verdict is there. Where the texts are more than the study lets into its page, it holds those of problems drawn by a hash of their
ids, each with all of its answers, until they are as many characters as allowed; the page says how many that is.
"""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import msgspec
import pandas as pd

from distill.core.cells import Cell
from distill.multiverse.outcomes import OtherOutcomes
from distill.records.completion import Completion
from distill.records.verdict import Verdict

Key = tuple[str, str]  # (benchmark, id)
Columns = dict[str, Any]
OUTCOMES = ("correct", "wrong", "no_answer", "truncated", "ungradable")
ROLES = ("", "seen", "near", "valid", "heldout")


class Limits(msgspec.Struct, frozen=True):
    """How much text a page holds."""

    characters: int  # of all texts of answers
    max_chars: int  # of one text; a longer one is cut, and marked as cut


class Readings(NamedTuple):
    """What else was made of the answers."""

    graded: Iterable[Verdict]  # by the grader, before an LLM judge
    others: Iterable[OtherOutcomes]  # by other graders


class Written(NamedTuple):
    """What a student wrote, by (benchmark, id, sample)."""

    texts: dict[tuple[str, str, int], str]


def shorten(text: str, limit: int) -> str:
    """Return a text of at most `limit` characters, and below it how many it had."""
    return text if len(text) <= limit else f"{text[:limit]}\n[cut here, {len(text):,} characters in all]"


def written(completions: Iterable[Completion], limit: int) -> Written:
    """Return a cell's texts, long ones cut."""
    return Written({(row.benchmark, row.id, row.sample): shorten(row.text, limit) for row in completions})


def columns(table: pd.DataFrame, cells: Mapping[Cell, Written], others: Readings, order: list[Key], limits: Limits) -> Columns:
    """Return the answers of a table (distill/stats/score_table.py) by column.

    problem and cell are places in `order` and `cells`; outcome and role are places in OUTCOMES and ROLES; text is a place in `texts`, -1
    where the page does not hold it. graders: what other readings say otherwise.
    """
    places, names = {key: i for i, key in enumerate(order)}, {cell: i for i, cell in enumerate(cells)}
    own = table.assign(
        problem=[places[key] for key in zip(table["benchmark"], table["id"], strict=True)],
        cell=[names[str(arm), int(seed)] for arm, seed in zip(table["arm"], table["seed"], strict=True)],
    ).sort_values(["problem", "cell", "sample"], kind="stable")
    held = chosen({key: 0 for key in order} | sizes(cells), limits.characters)
    texts, extracted = Distinct(), Distinct()
    by_cell = list(cells.values())
    found: list[int] = []
    for problem, cell, sample in zip(own["problem"], own["cell"], own["sample"], strict=True):
        text = by_cell[cell].texts.get((*order[problem], int(sample))) if order[problem] in held else None
        found.append(-1 if text is None else texts.place(text))
    return {
        "problem": own["problem"].tolist(), "cell": own["cell"].tolist(), "sample": own["sample"].tolist(),
        "outcome": [OUTCOMES.index(value) for value in own["outcome"]], "role": [ROLES.index(value) for value in own["split_role"]],
        "extracted": [extracted.place(value) for value in own["extracted"]], "text": found,
        "words": own["words"].tolist(), "tokens": own["tokens"].tolist(), "graders": graders(own, others),
        "texts": texts.values, "extracts": extracted.values, "held": len(held),
    }  # fmt: skip


def graders(own: pd.DataFrame, others: Readings) -> dict[str, dict[int, str]]:
    """Return by the name of another reading the answers (their places) of which it says otherwise what is correct, and what it says.

    The readings: a published judge, the grader before an LLM judge, other graders. One that never differs is left out.
    """
    found = {"published judge": [value if isinstance(value, str) else "" for value in own["published"]]}
    keys = list(zip(own["arm"], own["seed"], own["benchmark"], own["id"], own["sample"], strict=True))
    graded = {(row.arm, row.seed, row.benchmark, row.id, row.sample): row.outcome for row in others.graded}
    found["grader before the LLM judge"] = [graded.get(key, "") for key in keys]
    outcomes = {(row.arm, row.seed, row.benchmark, row.id, row.sample): row.outcomes for row in others.others}
    for name in next(iter(outcomes.values()), {}):
        found[f"grader {name}"] = [outcomes[key][name] if key in outcomes else "" for key in keys]
    right = (own["outcome"] == "correct").tolist()
    differing = {
        name: {i: word for i, (word, r) in enumerate(zip(said, right, strict=True)) if word and (word == "correct") != r}
        for name, said in found.items()
    }
    return {name: said for name, said in differing.items() if said}


def sizes(cells: Mapping[Cell, Written]) -> dict[Key, int]:
    """Return the characters of each problem's distinct texts."""
    distinct: dict[Key, set[str]] = {}
    for cell in cells.values():
        for (benchmark, name, _), text in cell.texts.items():
            distinct.setdefault((benchmark, name), set()).add(text)
    return {key: sum(map(len, texts)) for key, texts in distinct.items()}


def chosen(size: Mapping[Key, int], characters: int) -> set[Key]:
    """Return the problems whose texts a page holds: all, or as many as fit, in the order of a hash."""
    held, left = set[Key](), characters
    for key in sorted(size, key=lambda key: hashlib.sha256("/".join(key).encode()).digest()):
        left -= size[key]
        if left < 0:
            break
        held.add(key)
    return held


class Distinct:
    """Texts, each once."""

    def __init__(self) -> None:
        self.values: list[str] = []
        self._places: dict[str, int] = {}

    def place(self, text: str) -> int:
        """Return a text's place in `values`."""
        if text not in self._places:
            self._places[text] = len(self.values)
            self.values.append(text)
        return self._places[text]
