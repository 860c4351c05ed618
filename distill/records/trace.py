"""The chain of thought of a solver."""

import msgspec


class Trace(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One solver's chain of thought for one problem, made from the statement alone."""

    id: str
    teacher: str  # symbolic, recorded, or the model's id
    text: str  # "" when unsolved
    answer: str  # "" when unsolved
    finish: str  # stop | length (truncated) | unsolved
    reason: str  # why it is unsolved; "" otherwise
    sample: int = 0  # 0-based; left out of the file where it is 0
