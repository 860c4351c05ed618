"""The form that a benchmark's answers have, and what it settles where equality alone is undecided."""

import re
from fractions import Fraction
from typing import NamedTuple

from distill.answers.final_answer import notation
from distill.core.errors import InputError

ALLOWED = "expression, number, integer, integer LEAST..MOST, choice"
_WRITTEN = re.compile(r"(expression|number|choice|integer)(?: (-?\d+)\.\.(-?\d+))?")
_NUMERAL = re.compile(r"-?(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d+)?(?:/\d+)?")
_NUMERALS = re.compile(r"(?<![\w.])-?\s?(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)?(?:\.\d+|(?<=\d))(?:/\d+)?(?![\d,]*\d|/|\^|_|!)")
# Words and signs after which a numeral is not the answer, or not all of it.
_UNSURE = re.compile(
    r"\b(?:not|no|never|none|neither|or|and|than|least|most|between|up to|minus|negative|half|twice|thrice|times|dozens?|pairs?"
    r"|hundreds?|thousands?|millions?|billions?|if|unless|except|without|about|approximately|around|roughly|percent|more|less|fewer"
    r"|over|under|every other|zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\w+teen|\w+ty)\b"
    r"|n't|[%±≠<>≤≥=^√π*+!(){}\[\]\\|:;~≈]",
    re.IGNORECASE,
)


class Form(NamedTuple):
    """A form: expression (anything), number, integer (perhaps of a range), or choice (a letter from A to J)."""

    kind: str
    least: int | None = None
    most: int | None = None

    def __str__(self) -> str:
        return self.kind if self.least is None else f"{self.kind} {self.least}..{self.most}"

    def fits(self, gold: str) -> bool:
        """Return whether a gold answer has this form."""
        if self.kind == "choice":
            return re.fullmatch(r"\(?[A-J]\)?", gold.strip()) is not None
        if self.kind == "expression":
            return bool(gold.strip())
        value = _value(gold)
        if value is None or (self.kind == "integer" and value.denominator > 1):
            return False
        return self.least is None or self.most is None or self.least <= value <= self.most

    def settle(self, gold: str, answer: str) -> bool | None:
        """Decide an answer in a sentence, where the form is a number and the sentence has just one number; else None.

        >>> number = Form("number")
        >>> number.settle("1,800", "She earns $1800 each month"), number.settle("18", "18 of the 20"), number.settle("18", "not 18")
        (True, None, None)
        """
        if self.kind not in ("number", "integer"):
            return None
        text = notation(answer).replace("$", " ").replace("¢", " ")
        numerals = [match.group().replace(" ", "") for match in _NUMERALS.finditer(text)]
        if len(numerals) != 1 or len(re.findall(r"\d+", text)) != len(re.findall(r"\d+", numerals[0])) or _UNSURE.search(text):
            return None
        found, wanted = _value(numerals[0]), _value(gold)
        return None if found is None or wanted is None else found == wanted


def _value(text: str) -> Fraction | None:
    text = text.strip().lstrip("$").replace("\\$", "")
    if not _NUMERAL.fullmatch(text) or not text.strip("-"):
        return None
    top, _, bottom = text.replace(",", "").partition("/")
    return None if bottom and not int(bottom) else Fraction(top) / int(bottom or 1)


def read_form(text: str, where: str) -> Form:
    """Return the form that a study file names; any other is an InputError.

    >>> read_form("integer 0..999", "study")
    Form(kind='integer', least=0, most=999)
    """
    match = _WRITTEN.fullmatch(text)
    if not match or (match[2] and (match[1] != "integer" or int(match[2]) > int(match[3]))):
        raise InputError(f"{where}: form is '{text}'; allowed: {ALLOWED}")
    return Form(match[1], int(match[2]), int(match[3])) if match[2] else Form(match[1])
