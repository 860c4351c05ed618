"""A completion's outcomes by other graders than the study's own."""

import msgspec

Key = tuple[str, int, str, str, int]  # arm, seed, benchmark, id, sample


class OtherOutcomes(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One completion."""

    arm: str
    seed: int
    benchmark: str
    id: str
    sample: int
    outcomes: dict[str, str]  # grader: correct | wrong | no_answer | truncated | ungradable
