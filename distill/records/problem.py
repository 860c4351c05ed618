"""A problem: a statement, its gold answer and their source. The competition and every benchmark use this record."""

import msgspec

OWN = "competition"  # the benchmark that a study's own problems are


class Problem(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One problem of a competition or a benchmark."""

    id: str  # 2015-fs-07: year, section code, number; in a benchmark NAME-0001
    benchmark: str  # OWN, or a benchmark of the study file
    section: str  # freshman-sophomore, junior-senior, two-person; "" where there is none
    year: int  # 0 where there is none
    number: str  # the printed number: 7, T1
    statement: str
    gold: str  # the answer key's answer
    source: str  # the file that it was read from
    page: int  # 1-based page of the statement; 0 where there is none
    reader: str  # text (PDF text layer), ocr, or generated


CODES = {"freshman-sophomore": "fs", "junior-senior": "js", "two-person": "tp"}
