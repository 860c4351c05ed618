"""A problem of a benchmark that was found among the study's own: by which rule, how alike, and what they share."""

import msgspec


class ContaminationMatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One pair of a study's problem and a benchmark's, by one rule."""

    id: str  # the study's problem
    text: str  # where it was found: statement, or a level of the teacher's work
    benchmark: str
    item: str  # the benchmark's problem
    rule: str  # exact | contains | ngram | near
    score: float  # in 0..1, as the rule counts it; 1.0 for exact and contains
    drop: bool  # clean arms leave the problem out
    shared: str  # the longest run of tokens that both have, as compared, cut at 200 characters
