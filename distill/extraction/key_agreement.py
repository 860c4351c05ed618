"""Does a transcribed answer agree with the one that the key states, as far as OCR can tell?"""

import re
import unicodedata
from difflib import SequenceMatcher

from distill.answers.answer_key import read_key
from distill.answers.equality import decide
from distill.extraction.text_similarity import SIGNS

ALIKE = 0.85  # of answers in words whose digits are the same: OCR misreads a letter


def agree(transcribed: str, key: str) -> bool | None:
    """Tell whether a transcribed answer equals the key's, or one of its alternatives but for what OCR loses; None where no key was read.

    >>> agree("1/2", "0.5 or 1/2"), agree("-15", "15"), agree("7", " ")
    (True, False, None)
    """
    if not key.strip():
        return None
    own, stated = read_key(transcribed).gold, read_key(key).gold  # without the key's notes on form
    if decide(stated, own) or decide(own, stated):
        return True
    ours, theirs = ({_bare(part) for part in re.split(r"\bor\b|;", answer)} - {""} for answer in (own, stated))
    return any(one == other or _alike(one, other) for one in ours for other in theirs)


def _bare(answer: str) -> str:
    """Return an answer's characters without spacing, brackets and raising, which OCR loses."""
    flat = unicodedata.normalize("NFKC", answer.translate(SIGNS)).translate(SIGNS).casefold()
    return re.sub(r"v(?=\d)", "√", re.sub(r"[\s$%°*·{}\[\]()\\^_]", "", flat).strip(".,"))


def _alike(one: str, other: str) -> bool:
    """Tell whether two answers with words in them are one, but for a misread letter."""
    worded = all(re.search(r"[a-z]{3}", form) for form in (one, other))
    same = re.findall(r"\d", one) == re.findall(r"\d", other)
    return worded and same and SequenceMatcher(None, one, other).ratio() >= ALIKE
