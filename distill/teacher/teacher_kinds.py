"""The kinds of teacher that a role can have: the key `teacher` of the sections solve, verify and condense."""

from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from distill.core.errors import InputError


class Symbolic(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="teacher", tag="symbolic"):
    """Exact solvers, and their chain with text dropped."""


class Recorded(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="teacher", tag="recorded"):
    """Published chains, what they conclude, and the published levels."""


class RecordedLevels(Recorded, frozen=True, tag_field="teacher", tag="recorded"):
    """Section `condense` of recorded work."""

    answer: Literal["trace", "gold"]  # the level `answer`: the answer line of the first level, or the gold answer of all that has a text
    answer_line: Annotated[str, Meta(pattern=r"\S")] | UnsetType = UNSET  # what stands before the gold answer; absent: "Answer:"

    def __post_init__(self) -> None:
        if self.answer_line is not UNSET and self.answer != "gold":
            raise ValueError("answer_line goes with `answer: gold`: a trace has its own")


def teacher_type(study: Path, role: str, section: dict[str, Any], model: type[Any]) -> type[Any]:
    """Return the type of a role's section; `model` is that of a role which a model plays (`teacher: chat`)."""
    recorded = RecordedLevels if role == "condense" else Recorded
    kinds: dict[Any, type[Any]] = {"symbolic": Symbolic, "recorded": recorded, "chat": model}
    if (teacher := section.get("teacher")) not in list(kinds):
        raise InputError(f"{study}: section '{role}': teacher is {teacher!r}; allowed: {', '.join(kinds)}")
    return kinds[teacher]
