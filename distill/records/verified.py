"""A trace with the verdict of the verifier."""

import msgspec


class Verified(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A trace with the verdict of the verifier; a field with its default value is left out of the file."""

    id: str
    text: str
    answer: str
    gold: str
    verdict: str  # correct | incorrect | blank | truncated | undecided
    judge: str  # symbolic | model | none
    sample: int = 0  # as in the trace
    model: str = ""  # the verdict of a model that was asked, whether it decided or not: correct | incorrect | undecided
    rejected: str = ""  # why a correct trace is not used: outvoted | another sample is used
