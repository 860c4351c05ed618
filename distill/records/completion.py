"""What a student writes."""

import msgspec


class Completion(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One sampled answer to one problem; the arm and the seed are those of the file it lies in (ARM-SEED.jsonl.gz, base.jsonl.gz)."""

    benchmark: str
    id: str
    sample: int  # 0-based
    text: str
    tokens: int  # of the student's tokenizer, end-of-turn included
    finish: str  # stop | length
