"""Does a transcribed answer agree with the one that the key states?"""

import re
import unicodedata
from difflib import SequenceMatcher
from fractions import Fraction

from distill.extraction.text_similarity import SIGNS

NOTED = (
    "must be|reduced|fraction|improper|decimal|this|exact|answer|([a-z]+ )?optional|required|ordered pair|degrees?|base|units?|full word"
)
NOTE = re.compile(rf"[\s/(“\"]*\b({NOTED})\b.*", re.IGNORECASE)
ALIKE = 0.85  # of answers in words whose digits are the same: OCR misreads a letter


def agree(transcribed: str, key: str) -> bool | None:
    """Tell whether a transcribed answer is one that the key states; None where no key answer was read.

    >>> agree("1/2", "0.5 or 1/2"), agree("-15", "15"), agree("7", " ")
    (True, False, None)
    """
    if not key.strip():
        return None
    ours = {form for part in _alternatives(transcribed) for form in forms(part)}
    theirs = {form for part in _alternatives(key) for form in forms(part)}
    return bool(ours & theirs) or any(_alike(one, other) for one in ours for other in theirs)


def _alternatives(answer: str) -> list[str]:
    return [answer, *re.split(r"\bor\b|;", answer, flags=re.IGNORECASE)]


def _alike(one: str, other: str) -> bool:
    """Tell whether two answers with words in them are one, but for a misread letter."""
    worded = all(re.search(r"[a-z]{3}", form) for form in (one, other))
    same = re.findall(r"\d", one) == re.findall(r"\d", other)
    return worded and same and SequenceMatcher(None, one, other).ratio() >= ALIKE


def forms(answer: str) -> set[str]:
    """Return the forms in which an answer may be compared: its characters, and its value if it is a number.

    >>> sorted(forms("$ 2.50"))
    ['2.50', '=5/2']
    """
    flat = unicodedata.normalize("NFKC", answer.translate(SIGNS)).translate(SIGNS).casefold()
    flat = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", flat)
    found = set()
    for text in (flat, NOTE.sub("", flat)):
        bare = re.sub(r"[\s$%°*·{}\[\]()\\^_]", "", text).strip(".,")
        bare = re.sub(r"v(?=\d)", "√", bare)
        if bare:
            found |= {bare, _value(bare)} - {""}
    return found


def _value(bare: str) -> str:
    """Return a plain number's or fraction's exact value, "" for anything else."""
    match = re.fullmatch(r"(-?)(\d*\.?\d+)(?:/(-?)(\d*\.?\d+))?", bare)
    if not match or (match[4] and not Fraction(match[4])):
        return ""
    value = Fraction(match[2]) / Fraction(match[4] or "1")
    return f"={-value if bool(match[1]) != bool(match[3]) else value}"
