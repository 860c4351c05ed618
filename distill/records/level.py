"""A teacher's work on a problem at one level. Section `levels` of the study file names the levels in order, the fullest first."""

import msgspec
from msgspec import UNSET, UnsetType

ANSWER = "answer"  # beside the levels that the study file names: the control, question -> answer only


class Level(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The work on one problem at one level."""

    id: str
    level: str  # of section `levels`, or answer
    text: str  # ends in the declared answer line
    words: int  # white-space separated words of `text`
    states_answer: bool  # the text still states the gold answer on its answer line
    finish: str | UnsetType = UNSET  # stop | length, where the text's source says whether it is whole; else its text tells
