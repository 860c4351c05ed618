"""What the grader makes of a completion."""

import msgspec


class Verdict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One graded completion."""

    arm: str
    seed: int  # 0 for the base
    benchmark: str
    id: str
    sample: int
    outcome: str  # correct | wrong | no_answer | truncated | ungradable
    extracted: str  # the final answer as found; "" when there is none
    words: int  # white-space separated words of the completion
    tokens: int
