"""What a model read from a page: one row a problem, an answer of a key, or the rest of a problem of the page before."""

import msgspec

PARTS = ("problem", "answer", "continued")


class Transcription(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One text as a model copied it. Nothing takes it over: an audit compares it with what was read, and a person decides."""

    source: str  # the PDF, from the raw folder
    page: int  # from 1
    part: str  # of PARTS
    number: str  # as printed: 7, A1, T1; "" of what is continued
    text: str
    model: str  # as the endpoint names it
