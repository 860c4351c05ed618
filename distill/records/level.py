"""A verified trace, condensed to one reasoning level by the distiller."""

import msgspec

LEVELS = ("r1", "r2", "r3", "r4", "r5", "r6")  # from the full chain to a one-line insight (paper, section on response length)
ANSWER = "answer"  # the control: question -> answer only


class Level(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One verified trace at one reasoning level."""

    id: str
    level: str  # r1 .. r6, answer
    text: str  # ends in the declared answer line
    words: int  # white-space separated words of `text`
    states_answer: bool  # the text still states the gold answer on its answer line
