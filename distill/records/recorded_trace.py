"""A teacher's recorded work: the texts that somebody published, each matched to its problem and to its place in their corpus."""

import re

import msgspec
from msgspec import UNSET, UnsetType

ANSWER_LINE = "Answer:"  # how the recorded distiller states its answer

_PAIRS = ((r"\[", r"\]"), (r"\(", r"\)"), ("{", "}"))
_TWINS = ("**", "$$")
_ENDS = (".", "!", "?", ")", "]", "}", "*", "$", "|", "”", '"', "%", "°")  # a text may stop after these
_ANSWER = re.compile(r"\\boxed\{|answer\W*:|^\W*answer\b", re.IGNORECASE)


class RecordedTrace(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One recorded text."""

    id: str  # the problem's
    level: str  # of section `levels` of the study file
    part: str  # train | valid | test: its part of the published corpus of its level; "" where only a table was published
    place: int  # 0-based, in that part or table
    text: str  # as published, unchanged
    finish: str | UnsetType = UNSET  # stop | length (it breaks off), where its source says so; else its text tells


def finish_of(trace: RecordedTrace) -> str:
    """Return stop, or length where the text breaks off: as its source says, else as the text shows."""
    if trace.finish is not UNSET:
        return trace.finish
    return "length" if breaks_off(trace.text) or never_closes(trace.text) else "stop"


def never_closes(text: str) -> bool:
    """Tell whether a text opens its thinking and does not close it."""
    return text.count("<think>") > text.count("</think>")


def breaks_off(text: str) -> bool:
    """Tell whether a text stops in mid-sentence: an open formula or emphasis, or a last line that neither ends nor marks an answer.

    >>> breaks_off("So 5 + 7 ="), breaks_off("So \\\\(5 + 7"), breaks_off("So it is 12."), breaks_off("Answer: 12")
    (True, True, False, False)
    """
    text = text.rstrip()
    last = text.rpartition("\n")[2]
    return is_open(text) or not (text.endswith(_ENDS) or _ANSWER.search(last))


def is_open(text: str) -> bool:
    """Tell whether a formula or an emphasis is opened and not closed."""
    return any(text.count(left) > text.count(right) for left, right in _PAIRS) or any(text.count(mark) % 2 for mark in _TWINS)
