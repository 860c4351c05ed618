"""Words, signs and abbreviations in an answer, rewritten in the notation that the parser knows: text in, text out, in plain notation."""

import re
from fractions import Fraction
from itertools import pairwise

from distill.answers.units import NAME, spelt

_RULES = [  # (pattern, replacement), in this order
    (r"(?<=[\d)])\s*squared$|(?<=\b[a-z])\s+squared$", "^2"),
    (r"(?<=[\d)])\s*cubed$|(?<=\b[a-z])\s+cubed$", "^3"),
    (r"\bper cent\b|\bpct\b", "percent"),
    (r"(?:\bUS ?\$|\bUSD ?\$?)\s*(?=[\d.])", "$"),
    (r"(?<=\d) ?USD\b", " dollars"),
    (r"^(-?)£ ?([\d.,/]+)$", r"\1\2 pounds"),
    (r"^(-?)€ ?([\d.,/]+)$|^(-?[\d.,/]+) ?€$", r"\1\2\3 euros"),
    (r"^(-?)[¥₹] ?([\d.,/]+)$|^(-?[\d.,/]+) ?[¥₹]$", r"\1\2\3"),
    (r"(?:°|(?<=\d) ?degrees?) ?(?:C|Celsius)$", " celsius"),
    (r"(?:°|(?<=\d) ?degrees?) ?(?:F|Fahrenheit)$", " fahrenheit"),
    (r"\b(km|kilomet(?:er|re)s?)/hr?\b|(?<=\d) ?(?:kph|kmh|kmph)$", " km per hour"),
    (r"(?<=[\d ])(km|cm|m|ft)/s/s$|(?<=[\d ])(km|cm|m|ft) ?\*? ?s ?\^\(?-2\)?$", r" \1\2/s^2"),
    (r"(?<=[\d ])(km|cm|m|ft) ?\*? ?s ?\^\(?-1\)?$", r" \1/s"),
    (rf"^(?:a |one )?half (?:of )?an? ({NAME})$", r"1/2 \1"),
    (rf"^([a-z]+ (?:half|halves|thirds?|quarters?|fourths?|fifths?)) of an? ({NAME})$", r"\1 \2"),
    (rf"^(\d+/\d+) of an? ({NAME})$", r"\1 \2"),
    (rf"^an? ({NAME})(?= and \d|$)", r"1 \1"),
    (r"^([A-Za-z]) (?:equals?|is) (?=[-\d√(])", r"\1="),
    (r"^(?:the )?(?:point|ordered pair|ordered triple|coordinates(?: are)?|vector|interval|set) (?=[(\[{⦃⟦])", ""),
    (r"(?<![a-z])abs\(([^()|]*)\)", r"|\1|"),
    (r"^(\d+) (?:in|out of) (\d+)$", r"\1/\2"),
    (r"(?<=\d) ?mpg$", " miles per gallon"),
    (r"^(?:exactly|a total of|precisely) (?=[-\d])", ""),
    (r"(?<=\w),? (?:in total|in all|altogether|total|overall|each|apiece)$", ""),
    (r"^(?:the )?square root of (\d+)$", r"√(\1)"),
    (r"^(?:the )?cube root of (\d+)$", r"\1^(1/3)"),
    (r"(?<=\d) factorial$", "!"),
    (r"^(\d{1,4}) choose (\d{1,4})$", r"binom(\1,\2)"),
    (r"(?<=\w) in base (?=\w)", " base "),
    (r"^(\w+) (?:raised )?to the (?:power (?:of )?(\d+)|(\d+)(?:th|st|nd|rd)(?: power)?)$", r"\1^\2\3"),
    (r"(?<=[\w)]) ?& ?(?=[\w(-])", " and "),
    (r"(?:positive|plus|\+) ?∞", "∞"),
    (r"(?:negative|minus) ?∞", "-∞"),
    (r"\b[Tt]riangle ?(?=[A-Z]{3}(?![A-Za-z]))", ""),
]
_COMPILED = [(re.compile(pattern, re.IGNORECASE if pattern.isascii() and "A-Z" not in pattern else 0), to) for pattern, to in _RULES]
_EXCEPT = re.compile(
    r"(?:[a-z] ?≠ ?|(?:x ?∈ ?)?ℝ ?(?:∖|\\|-) ?(?=[{⦃])|(?:the set of )?all (?:real )?"
    r"(?:numbers|x|values of x)(?: x)? (?:except|but|other than)(?: for)? (?:x ?= ?)?"
    r"|all reals? (?:except|but) )"
    r"[{⦃]?([-\d./]+(?:(?:, ?(?:and )?| and | or )(?:[a-z] ?≠ ?|x ?= ?)?[-\d./]+)*)[}⦄]?"
)
_ORDINALS = ["third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth"]
_ORDINAL = re.compile(rf"\bto the ({'|'.join(_ORDINALS)})(?: power)?$", re.IGNORECASE)
_COUNTED = re.compile(r"((?:[a-z]+[ -]){1,6})([a-z]{3,20})")
_NUMERAL = re.compile(r"-?\d{1,9}(?:\.\d{1,9}|/[1-9]\d{0,8})?")


def standard_words(text: str) -> str:
    """Return a text with words and signs as the parser knows them; any other as it is.

    >>> standard_words("12 squared"), standard_words("1 in 36"), standard_words("seven ways"), standard_words("x≠2")
    ('12^2', '1/36', '7 ways', '(-∞,2)∪(2,∞)')
    """
    text = _ORDINAL.sub(lambda m: f"to the {_ORDINALS.index(m[1].lower()) + 3}th power", text)
    for pattern, replacement in _COMPILED:
        text = pattern.sub(replacement, text)
    if match := _EXCEPT.fullmatch(text):
        return _without(_NUMERAL.findall(match[1])) or text
    if (match := _COUNTED.fullmatch(text)) and (number := spelt(match[1])) and spelt(text) is None:
        return f"{number} {match[2]}"
    return " ".join(text.split())


def _without(points: list[str]) -> str:
    """Return the real numbers without some points, as a union of intervals; "" where they are too many."""
    ends = ["-∞", *sorted(set(points), key=Fraction), "∞"]
    return "∪".join(f"({low},{high})" for low, high in pairwise(ends)) if 2 < len(ends) < 10 else ""
