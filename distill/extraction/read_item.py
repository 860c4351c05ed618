"""One item as the general reader found it: its text, its key, its place on the page, how far it can be trusted, and why no further.

On disk an item is an ExtractedItem of extracted.jsonl, whose flags are the doubts; with its Problem, where it has one, it is a ReadItem.
So a review reads every study in one way, those with a transcription too.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from math import prod
from types import MappingProxyType

import msgspec

from distill.extraction.page import Region
from distill.records.extracted_item import ExtractedItem
from distill.records.problem import Problem

# Doubt -> the share of such items that are right, as a rough guide; a confidence is their product. docs/your-exams.md lists them.
DOUBTS: Mapping[str, float] = MappingProxyType({
    "needs_figure": 0.5,  # the text points at a figure, or the item's region holds a drawing
    "formula_lost": 0.3,  # a glyph without a character, a script without a base, an open bracket, an operator without an operand
    "low_ocr_confidence": 0.4,  # the recogniser is unsure of a part
    "number_gap": 0.5,  # the number before is missing: this text may hold two problems
    "numbering_restart": 0.6,  # the numbers begin again without a heading that names a section
    "unusual_length": 0.6,  # far shorter or longer than the others of its test
    "choices_incomplete": 0.4,  # a letter of (A), (B), ... is missing or occurs twice
    "key_missing": 0.0,  # no answer
    "key_repeated": 0.5,  # the key states two answers
    "key_unlike_choices": 0.3,  # a letter where there are no choices, or the reverse; a letter beyond the last choice
    "key_from_solution": 0.8,  # no key: the last line of a worked solution
    "key_of_other_size": 0.5,  # the key has answers for other numbers than the test has problems
    "right_to_left": 0.2,  # Hebrew or Arabic: the order of the words is not checked
    "two_up": 0.7,  # two pages on one sheet
    # of transcribed studies
    "placeholder": 0.0, "duplicate": 1.0, "misnumbered": 0.5, "suspect_text": 0.5,
    "suspect_answer": 0.5, "unprinted": 0.5, "untranscribed": 0.5,
})  # fmt: skip


class ReadItem(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One item, as a reviewer sees it."""

    id: str  # as in problems.jsonl, where it has a key
    source: str  # the file that prints it, in the raw folder
    year: int  # 0 where none is known
    section: str  # "" where there is none
    number: str  # as printed: 7, A1, T1
    text: str
    key: str  # "" where none was found
    page: int  # from 1, of the source: where it begins
    box: Region  # on that page: left, top, right, bottom, in points from the upper left corner
    confidence: float  # 0 to 1
    doubts: list[str]  # keys of DOUBTS, as flags of extracted.jsonl


def confidence(doubts: Iterable[str]) -> float:
    """Return what an item's doubts leave of 1.

    >>> confidence([]), confidence(["needs_figure", "number_gap"])
    (1.0, 0.25)
    """
    return round(prod((DOUBTS.get(doubt, 1.0) for doubt in doubts), start=1.0), 3)


def read_items(extracted: Sequence[ExtractedItem], problems: Sequence[Problem]) -> list[ReadItem]:
    """Return the items of a study by confidence, the least first; one without a problem has year, section and number by its id."""
    known = {problem.id: problem for problem in problems}
    found = []
    for each in extracted:
        problem = known.get(each.id)
        year, section, number = (problem.year, problem.section, problem.number) if problem else parts(each.id)
        found.append(ReadItem(
            each.id, each.source, year, section, number, each.text, each.key, each.page, each.region, confidence(each.flags), each.flags,
        ))  # fmt: skip
    return sorted(found, key=lambda item: (item.confidence, item.id))


def identity(year: int, section: str, number: str) -> str:
    """Return an item's id, which is also a file's name.

    >>> identity(2019, "algebra", "7"), identity(0, "", "T1")
    ('2019-algebra-07', 'T1')
    """
    return "-".join(part for part in (str(year) if year else "", section, number.zfill(2)) if part)


def parts(name: str) -> tuple[int, str, str]:
    """Return year, section and number of an id.

    >>> parts("2019-algebra-07"), parts("T1")
    ((2019, 'algebra', '7'), (0, '', 'T1'))
    """
    match = re.fullmatch(r"(?:(\d{4})(?:-|\Z))?(?:(.*)-)?([^-]*)", name)
    assert match is not None
    return int(match[1] or 0), match[2] or "", match[3].lstrip("0") or match[3]
