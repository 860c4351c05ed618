"""What the grader makes of a completion."""

from msgspec import UNSET, Struct, UnsetType


class Verdict(Struct, frozen=True, forbid_unknown_fields=True):
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
    published: str | UnsetType = UNSET  # what a published judge said of a recorded answer: correct | incorrect | error; absent of others
    profiles: dict[str, str] | UnsetType = UNSET  # the outcome under each further extraction profile of the study; absent where it has none
