"""Rows of a study's section `corrections`: what was changed in a problem and by whom, and which items somebody looked at and found right.

A row with `by` comes of a review and holds for every arm, except where the text of record is somebody's transcription: as the rows without
`by`, it then changes the problems of the arms that ask for corrected texts.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from distill.records.correction import Correction
from distill.records.problem import Problem

MARKS = ("accepted", "needs_figure", "dropped")
Name = Annotated[str, Meta(pattern=r"\S")]


class Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A change of one item's text or answer, or a mark on some items."""

    reason: str
    item: str | UnsetType = UNSET  # of a change: the item's id, and the five that follow
    field: Literal["statement", "gold"] | UnsetType = UNSET
    before: str | UnsetType = msgspec.field(name="from", default=UNSET)  # occurs once in the field; "" where the field is empty
    after: str | UnsetType = msgspec.field(name="to", default=UNSET)
    page: Annotated[int, Meta(ge=0)] | UnsetType = UNSET  # of the PDF that shows it; 0 where there is none
    items: list[str] | UnsetType = UNSET  # of a mark: their ids
    mark: Literal["accepted", "needs_figure", "dropped"] | UnsetType = UNSET
    by: Name | UnsetType = UNSET  # who looked

    def __post_init__(self) -> None:
        change = (self.item, self.field, self.before, self.after, self.page)
        mark = (self.items, self.mark)
        whole = UNSET not in change if UNSET in mark else UNSET not in (*mark, self.by)
        if not whole or any(key is not UNSET for key in (change if UNSET not in mark else mark)):
            raise ValueError("a row is a change (item, field, from, to, page, reason, by) or a mark (items, mark, reason, by)")

    def ids(self) -> list[str]:
        """Return the items that it is about."""
        return self.items if isinstance(self.items, list) else [str(self.item)]

    def correction(self) -> Correction:
        """Return a change as the corpus applies it."""
        return Correction(*(getattr(self, name) for name in Correction.__struct_fields__))


def changes(rows: Sequence[Row]) -> list[Correction]:
    """Return all changes of texts."""
    return [row.correction() for row in rows if row.item is not UNSET]


def for_arms(rows: Sequence[Row], problems: Mapping[str, Problem]) -> list[Correction]:
    """Return the changes that only the arms with corrected texts have; the others are in the problems already."""
    own = {name for name, problem in problems.items() if problem.reader != "transcription"}
    return [row.correction() for row in rows if row.item is not UNSET and not (row.by is not UNSET and row.item in own)]
