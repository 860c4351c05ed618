"""What a model decided about an answer, and the verdicts that follow where a study lets its decisions count."""

from collections.abc import Iterable, Sequence

import msgspec

from distill.records.verdict import Verdict

_WORDS = {"CORRECT": "correct", "INCORRECT": "wrong", "UNDECIDED": "undecided"}


class Judgement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One answer that a model was asked about; completions with the same final answer to the same problem share it.

    Of a published judge, one recorded answer on which it disagrees with the grader.
    """

    part: str  # ungradable | agreement | probe | published
    kind: str  # of a probe: gold | wrong | swapped | blank | claim; of a published verdict the arm; "" otherwise
    benchmark: str
    id: str  # the problem's
    gold: str
    answer: str
    grader: str  # correct | wrong | ungradable: the grader's outcome; of a probe, what is true of it by design
    decision: str  # correct | wrong | undecided
    reason: str  # why it is undecided; "" otherwise
    judge: str  # the model, as the endpoint names it; "" where no answer came
    reply: str  # what the model wrote, without its reasoning
    key: str  # of the call, in the transcripts


def decision(reply: str) -> tuple[str, str]:
    """Return (decision, reason) of a reply: its last line is one of three words and nothing else, and no other line is another of them.

    >>> decision("Both are a half.\\nCORRECT"), decision("It is CORRECT")
    (('correct', ''), ('undecided', 'no verdict'))
    """
    lines = [line.strip() for line in reply.splitlines() if line.strip()]
    said = {line for line in lines if line in _WORDS}
    if not lines or lines[-1] not in _WORDS:
        return "undecided", "no verdict" if lines else "blank"
    if len(said) > 1:
        return "undecided", "more than one verdict"
    decided = _WORDS[lines[-1]]
    return decided, "undecided by its own word" if decided == "undecided" else ""


def resolve(verdicts: Iterable[Verdict], judged: Sequence[Judgement]) -> list[Verdict]:
    """Return the verdicts in their order, the ungradable ones as the model decided; what it left undecided stays ungradable."""
    decided = {(row.benchmark, row.id, row.answer): row.decision for row in judged if row.part == "ungradable" and not row.reason}
    return [
        msgspec.structs.replace(verdict, outcome=decided.get((verdict.benchmark, verdict.id, verdict.extracted), "ungradable"))
        if verdict.outcome == "ungradable"
        else verdict
        for verdict in verdicts
    ]
