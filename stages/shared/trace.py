"""The teacher's work: a trace (solver), its verdict (verifier), its condensed levels (distiller)."""

import msgspec

LEVELS = ("r1", "r2", "r3", "r4", "r5", "r6")  # from the full chain to a one-line insight (paper, section on response length)
ANSWER = "answer"  # the control: question -> answer only


class Trace(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One solver's chain of thought for one problem, made from the statement alone."""

    id: str
    teacher: str  # symbolic, recorded, or the model's id
    text: str  # "" when unsolved
    answer: str  # "" when unsolved
    finish: str  # stop | length (truncated) | unsolved
    reason: str  # why it is unsolved; "" otherwise
    sample: int = 0  # 0-based; left out of the file where it is 0


class Verified(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A trace with the verifier's verdict; what stands at its default is left out of the file."""

    id: str
    text: str
    answer: str
    gold: str
    verdict: str  # correct | incorrect | blank | truncated | undecided
    judge: str  # symbolic | model | none
    sample: int = 0  # as in the trace
    model: str = ""  # the verdict of a model that was asked, whether it decided or not: correct | incorrect | undecided
    rejected: str = ""  # why a correct trace is not used: outvoted | another sample is used


class Level(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One verified trace at one reasoning level."""

    id: str
    level: str  # r1 .. r6, answer
    text: str  # ends in the declared answer line
    words: int  # white-space separated words of `text`
    states_answer: bool  # the text still states the gold answer on its answer line
