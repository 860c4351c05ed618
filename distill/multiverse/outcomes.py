"""A completion's outcomes by other graders than the study's own."""

from typing import Literal

import msgspec

Grader = Literal["strict", "gsm8k", "lenient", "math-verify", "last-number"]
Key = tuple[str, int, str, str, int]  # arm, seed, benchmark, id, sample


class OtherOutcomes(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One completion."""

    arm: str
    seed: int
    benchmark: str
    id: str
    sample: int
    outcomes: dict[str, str]  # grader: correct | wrong | no_answer | truncated | ungradable
