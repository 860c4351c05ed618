"""A transcription against what was read from the page: how alike the two are, and which numbers, words and signs differ."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher

SIGNS = str.maketrans(
    {"ª": "", "−": "-", "–": "-", "—": "-", "‐": "-", "‑": "-", "⁄": "/", "÷": "/", "△": " ", "Δ": " ", "∠": " ", "º": "°", "∛": "√"}
)
KEPT = re.compile(r"[^\w+=<>√π-]|_")
TIEBREAKER = re.compile(r"^\((?:t|tiebreaker )\d\)\s*", re.IGNORECASE)
NUMBER = re.compile(r"\d+(?:\.\d+)?|\.\d+")
WORD = re.compile(r"[^\W\d_]{3,}")
SYMBOL = re.compile(r"(?<![A-Za-z])[A-Za-z]{1,2}(?![A-Za-z])")
LOOKALIKE = str.maketrans("", "", "ilo")  # letters that OCR takes for 1 and 0, and those for them
SPELLED = frozenset(("sqrt", "theta", "angle", "degree", "degrees", "det", "log", "overline", "triangle"))  # in type, these are signs
RELATION = {"<": "less", ">": "greater", "≤": "at-most", "≥": "at-least", "=": "equals", "≠": "unequal"}
SIGN = {"+": "plus", "-": "minus"}
KINDS = (RELATION, SIGN)


def folded(text: str) -> str:
    """Reduce a text to what OCR preserves: letters, digits and signs, without case, spacing, punctuation, raised or lowered.

    >>> folded("Find x² + 3·y, if (a/b) ≤ 4.")
    'findx2+3yifab4'
    """
    return KEPT.sub("", flat(text).casefold())


def flat(text: str) -> str:
    """Return a text with one character for each sign, raised and lowered ones on the line, and without a tiebreaker's name."""
    plain = unicodedata.normalize("NFKC", text.translate(SIGNS)).translate(SIGNS)
    plain = re.sub(r"(?<!\d )\b1 1\b(?! \d)", "11", plain.replace(">=", "≥").replace("<=", "≤"))
    return TIEBREAKER.sub("", re.sub(r"(?<=\d)(?:st|nd|rd|th)\b", "", re.sub(r"\b1og\b", "log", plain)))


def similarity(transcribed: str, read: str) -> float:
    """Return the share, 0 to 1, of characters that two texts have in common in one order."""
    return SequenceMatcher(None, folded(transcribed), folded(read), autojunk=False).ratio()


def differences(transcribed: str, readings: Sequence[str], known: frozenset[str], exact: bool = False) -> list[str]:
    """Return the tokens that only the transcription has (-15) and those that it lacks (+51), as far as all readings confirm it.

    `known` holds the words that are no misreadings; `exact` readings, of a text layer, lose no sign and no letter as OCR does.

    >>> differences("Add 15 and 3 if x < 4.", ["Add 51 and 3 if x ≤ 4.", "Add 51 and 8 if x ≤ 4."], frozenset())
    ['-15', '-less', '+51', '+at-most']
    """
    ours, theirs = [], []
    for read in readings:
        pairs = [_numbers(transcribed, read), _words(transcribed, read, known)]
        pairs += [_signs(transcribed, read, signs, exact) for signs in KINDS]
        pairs.append(_letters(transcribed, read, pairs[0], exact))
        ours.append(Counter(token for mine, _ in pairs for token in mine))
        theirs.append(Counter(token for _, others in pairs for token in others))
    mine, others = ours[0], theirs[0]
    for one, other in zip(ours[1:], theirs[1:], strict=True):
        mine, others = mine & one, others & other
    return [f"-{token}" for token in sorted(mine.elements())] + [f"+{token}" for token in sorted(others.elements())]


def vocabulary(texts: Iterable[str]) -> frozenset[str]:
    """Return the words that occur in at least two of the texts."""
    found = Counter(word for text in texts for word in set(WORD.findall(flat(text).casefold())))
    return frozenset(word for word, count in found.items() if count > 1)


def numbers(text: str) -> list[str]:
    """Return a text's numbers in order: thousands joined, raised and lowered digits as numbers of their own.

    >>> numbers("$1,386 at 5.0% for x² or .5")
    ['1386', '5', '2', '0.5']
    """
    spaced = re.sub(r"([⁰¹²³⁴-⁹]+|[₀-₉]+)", lambda found: f" {found[1]} ", text)
    return [_plain(number) for number in NUMBER.findall(re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", flat(spaced.strip())))]


def _plain(number: str) -> str:
    whole, point, rest = number.partition(".")
    rest = rest.rstrip("0")
    return f"{whole.lstrip('0') or '0'}{point if rest else ''}{rest}"


def _numbers(transcribed: str, read: str) -> tuple[list[str], list[str]]:
    """Return the numbers that only one of two texts has; 42 read for 4 and 2 side by side (a raised 2) is no difference.

    >>> _numbers("4^2 = 15", "42 = 51")
    (['15'], ['51'])
    """
    one, other = numbers(transcribed), numbers(read)
    ours, theirs = Counter(one), Counter(other)
    common = ours & theirs
    ours, theirs = ours - common, theirs - common
    for parts, wholes, sequence in ((ours, theirs, one), (theirs, ours, other)):
        for size in (2, 3):
            for start in range(len(sequence) - size + 1):
                run = sequence[start : start + size]
                if wholes["".join(run)] > 0 and any(parts[part] > 0 for part in run):
                    wholes["".join(run)] -= 1
                    for part in run:
                        parts[part] -= parts[part] > 0
    return sorted((+ours).elements()), sorted((+theirs).elements())


def _words(transcribed: str, read: str, known: frozenset[str]) -> tuple[list[str], list[str]]:
    """Return the words that only one of two texts has, save what OCR may have made of one of the other; what it made up counts for none.

    >>> _words("the least interior angle", "thc least exterior angle abc", frozenset(["exterior"]))
    (['interior'], ['exterior'])
    """
    bags = [Counter(word for word in WORD.findall(flat(text).casefold()) if word not in SPELLED) for text in (transcribed, read)]
    ours, theirs = bags[0] - bags[1], bags[1] - bags[0]
    strange = Counter({word: count for word, count in theirs.items() if word not in known})
    return sorted(word for word in ours.elements() if not _near(word, strange)), sorted((theirs - strange).elements())


def _near(word: str, others: Counter[str]) -> bool:
    """Tell whether OCR may have made one of the others out of the word: two thirds of the letters, or a part of it."""
    return any(word in other or other in word or SequenceMatcher(None, word, other).ratio() >= 0.66 for other in others)


def _letters(transcribed: str, read: str, digits: tuple[list[str], list[str]], exact: bool) -> tuple[list[str], list[str]]:
    """Return the letters that one text has in place of others, or of numbers; those of words of one or two Latin letters, in any case."""
    ours, theirs = (Counter("".join(SYMBOL.findall(flat(text))).casefold().translate(LOOKALIKE)) for text in (transcribed, read))
    mine, others = sorted((ours - theirs).elements()), sorted((theirs - ours).elements())
    if exact:
        return mine, others
    return mine[: len(others) + max(len(digits[1]) - len(digits[0]), 0)], others[: len(mine) + max(len(digits[0]) - len(digits[1]), 0)]


def _signs(transcribed: str, read: str, names: dict[str, str], exact: bool) -> tuple[list[str], list[str]]:
    """Return the signs of one kind that one text has in place of others: a sign that OCR lost has none in its place."""
    ours, theirs = (Counter(sign for sign in flat(text) if sign in names) for text in (transcribed, read))
    mine, others = list((ours - theirs).elements()), list((theirs - ours).elements())
    most = max(len(mine), len(others)) if exact else min(len(mine), len(others))
    return [names[sign] for sign in mine[:most]], [names[sign] for sign in others[:most]]
