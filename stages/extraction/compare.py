"""A transcription against what was read from the page: how alike, which numbers and words differ, whether two answers agree."""

import re
import unicodedata
from collections import Counter
from difflib import SequenceMatcher
from fractions import Fraction

SIGNS = str.maketrans({"−": "-", "–": "-", "—": "-", "‐": "-", "‑": "-", "⁄": "/", "÷": "/", "△": " ", "Δ": " ", "∠": " ", "º": "°", "∛": "√"})
KEPT = re.compile(r"[^\w+=<>√π-]|_")
NUMBER = re.compile(r"\d+(?:\.\d+)?|\.\d+")
WORD = re.compile(r"[a-z]{3,}")


def folded(text: str) -> str:
    """Reduce a text to what OCR can be held to: letters, digits and signs, without case, spacing, punctuation, raised or lowered.

    >>> folded("Find x² + 3·y, if (a/b) ≤ 4.")
    'findx2+3yifab4'
    """
    flat = unicodedata.normalize("NFKC", text.translate(SIGNS)).translate(SIGNS).casefold()
    return KEPT.sub("", flat)


def similarity(transcribed: str, read: str) -> float:
    """Return the share, 0 to 1, of characters that two texts have in common in one order."""
    return SequenceMatcher(None, folded(transcribed), folded(read), autojunk=False).ratio()


def numbers(text: str) -> list[str]:
    """Return a text's numbers in order: thousands joined, raised and lowered digits as numbers of their own.

    >>> numbers("$1,386 at 5.0% for x² or .5")
    ['1386', '5', '2', '0.5']
    """
    spaced = re.sub(r"([⁰¹²³⁴-⁹]+|[₀-₉]+)", lambda found: f" {found[1]} ", text)
    flat = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", unicodedata.normalize("NFKC", spaced))
    return [_plain(number) for number in NUMBER.findall(flat)]


def _plain(number: str) -> str:
    whole, point, rest = number.partition(".")
    rest = rest.rstrip("0")
    return f"{whole.lstrip('0') or '0'}{point if rest else ''}{rest}"


def differing(transcribed: list[str], read: list[str]) -> tuple[list[str], list[str]]:
    """Return the numbers that only the one and only the other has; 42 read for 4 and 2 side by side (a raised 2) is no difference.

    >>> differing(["4", "2", "15"], ["42", "51"])
    (['15'], ['51'])
    """
    ours, theirs = Counter(transcribed), Counter(read)
    common = ours & theirs
    ours, theirs = ours - common, theirs - common
    for one, other, sequence in ((ours, theirs, transcribed), (theirs, ours, read)):
        for size in (2, 3):
            for start in range(len(sequence) - size + 1):
                parts = sequence[start : start + size]
                whole = "".join(parts)
                needed = Counter(parts)
                if other[whole] and any(one[part] for part in parts):
                    other[whole] -= 1
                    one.subtract({part: min(count, one[part]) for part, count in needed.items()})
    return sorted((+ours).elements()), sorted((+theirs).elements())


def agree(transcribed: str, key: str) -> bool | None:
    """Tell whether a transcribed answer is one that the key states; None where no key answer was read."""
    if not key.strip():
        return None
    ours = {form for part in _alternatives(transcribed) for form in _forms(part)}
    theirs = {form for part in _alternatives(key) for form in _forms(part)}
    return bool(ours & theirs)


def _alternatives(answer: str) -> list[str]:
    return [answer, *re.split(r"\bor\b|;", answer, flags=re.IGNORECASE)]


NOISE = re.compile(
    r"\(?\b(must be|reduced|fraction|improper|decimal|this|exact|answer|optional|required|ordered pair|degrees?|base|units?|full word)\b.*", re.I
)


def _forms(answer: str) -> set[str]:
    """Return the forms in which an answer may be compared: its characters, and its value if it is a number."""
    flat = unicodedata.normalize("NFKC", answer.translate(SIGNS)).translate(SIGNS).casefold()
    flat = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", flat)
    forms = set()
    for text in (flat, NOISE.sub("", flat)):
        bare = re.sub(r"[\s$%°*·.{}\[\]()\\^_,]|(?<=\d)(?:five|nine|ten)$", lambda found: found[0] if found[0] in ".," else "", text).strip(".,")
        bare = re.sub(r"[v](?=\d)", "√", bare)
        if bare:
            forms.add(bare)
            if value := _value(bare):
                forms.add(value)
    return forms


def _value(bare: str) -> str:
    """Return a plain number's or fraction's exact value, "" for anything else."""
    match = re.fullmatch(r"(-?)(\d*\.?\d+)(?:/(-?)(\d*\.?\d+))?", bare)
    if not match or (match[4] and not Fraction(match[4])):
        return ""
    value = Fraction(match[2]) / Fraction(match[4] or "1")
    return f"={-value if bool(match[1]) != bool(match[3]) else value}"


def differences(transcribed: str, read: str) -> list[str]:
    """Return the numbers and words that differ: -15 only the transcription has it, +51 only the page."""
    ours, theirs = differing(numbers(transcribed), numbers(read))
    words, others = _words(transcribed), _words(read)
    for mine, own, its in ((ours, words, others), (theirs, others, words)):
        mine += sorted(word for word in (own - its).elements() if not _near(word, its - own))
    return [f"-{token}" for token in ours] + [f"+{token}" for token in theirs]


def _words(text: str) -> Counter[str]:
    return Counter(WORD.findall(unicodedata.normalize("NFKC", text).casefold()))


def _near(word: str, others: Counter[str]) -> bool:
    """Tell whether OCR may have made the word out of one of the others: all but a quarter of the letters, or a part of it."""
    return any(word in other or other in word or SequenceMatcher(None, word, other).ratio() >= 0.75 for other in others)
