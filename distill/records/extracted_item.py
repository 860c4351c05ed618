"""One item as read from its page: what an audit compares with the problem that the pipeline uses."""

import msgspec

FLAGS = (
    "placeholder",  # the transcription holds no problem
    "needs_figure",  # the statement points at a figure
    "misnumbered",  # printed under another number of the same test
    "suspect_text",  # among the ranked items whose text may be transcribed wrongly
    "suspect_answer",  # the key states another answer
    "duplicate",  # one of a cluster of near-duplicates
    "unprinted",  # transcribed, not found in the file
    "untranscribed",  # printed, not transcribed
)


class ExtractedItem(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One item as read."""

    id: str  # as in Problem; an untranscribed item has one too
    source: str  # the file that prints it; "" where none does
    page: int  # from 1; 0 where it was not found
    region: tuple[float, float, float, float]  # on that page: left, top, right, bottom, in points from the upper left corner
    text: str  # as read
    key: str  # the key's answer as read; "" where none was
    similarity: float  # of the statement to the text as read, 0 to 1
    differs: list[str]  # numbers and words: -15 only the statement has it, +51 only the page has it
    agrees: bool | None  # does the gold answer agree with the key as read? None where no key was read
    cluster: str  # the smallest id among its near-duplicates, its own if it has none
    rank: int  # place among the suspect texts, from 1; 0 where it is not suspected
    flags: list[str]  # of FLAGS
