"""What a student writes."""

from msgspec import UNSET, Struct, UnsetType


class Completion(Struct, frozen=True, forbid_unknown_fields=True):
    """One sampled answer to one problem; the arm and the seed are those of the file it lies in (ARM-SEED.jsonl.gz, base.jsonl.gz)."""

    benchmark: str
    id: str
    sample: int  # 0-based
    text: str
    tokens: int  # of the student's tokenizer, end-of-turn included
    finish: str  # stop | length
    published_verdict: str | UnsetType = UNSET  # of a recorded answer, what a published judge said: correct | incorrect | error
