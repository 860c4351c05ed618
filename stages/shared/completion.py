"""What a student wrote, and what the grader made of it."""

import msgspec


class Completion(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One sampled answer to one problem; the arm and the seed are those of the file it lies in (ARM-SEED.jsonl.gz, base.jsonl.gz)."""

    benchmark: str
    id: str
    sample: int  # 0-based
    text: str
    tokens: int  # of the student's tokenizer, end-of-turn included
    finish: str  # stop | length


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
