"""Reviewed corrections of a study's problem texts, applied where an arm asks for them."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from distill.records.problem import Problem


class Correction(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One changed token of one problem, and what the page shows."""

    item: str  # the problem's id
    field: Literal["statement", "gold"]
    before: str = msgspec.field(name="from")  # occurs once in the field
    after: str = msgspec.field(name="to")
    page: Annotated[int, Meta(ge=1)]  # 1-based page of the PDF that shows it
    reason: str


def correct(problems: Mapping[str, Problem], corrections: Sequence[Correction]) -> dict[str, Problem]:
    """Return the problems with every correction applied, in the order of the list; ValueError where one does not fit."""
    corrected = dict(problems)
    for each in corrections:
        problem = corrected.get(each.item)
        if problem is None:
            raise ValueError(f"corrections: {each.item} is no problem of this study; see the ids in problems.jsonl")
        text = getattr(problem, each.field)
        if not each.before or (count := text.count(each.before)) != 1:
            found = f"occurs {count} times" if each.before else "is empty"
            raise ValueError(f"corrections: {each.item}: '{each.before}' {found} in the {each.field}, allowed is once; take a longer piece")
        corrected[each.item] = msgspec.structs.replace(problem, **{each.field: text.replace(each.before, each.after)})
    return corrected
