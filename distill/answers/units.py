"""Units, bases and number words in plain text."""

import re
from fractions import Fraction
from typing import NamedTuple


class Unit(NamedTuple):
    """A unit: its dimensions, sorted, and how many of their base units it holds."""

    dimensions: tuple[tuple[str, int], ...]
    factor: Fraction


_TABLE = {  # singular: dimension, size in the dimension's base unit
    "length": "mm millimeter millimetre 1 cm centimeter centimetre 10 dm decimeter decimetre 100 m meter metre 1000 km kilometer "
    "kilometre 1000000 in inch 25.4 ft foot feet 304.8 yd yard 914.4 mi mile 1609344",
    "time": "s sec second 1 min minute 60 h hr hour 3600 day 86400 week wk 604800",
    "years": "month 1 yr year 12",
    "money": "¢ cent 1 $ dollar buck 100",
    "mass": "mg milligram 1 g gram 1000 kg kilogram 1000000",
    "weight": "oz ounce 1 lb pound 16 ton 32000",
    "liquid": "cup 1 pint 2 quart qt 4 gallon gal 16",
    "volume": "ml milliliter millilitre cc 1 cl centiliter centilitre 10 dl deciliter decilitre 100 l liter litre 1000",
    "angle": "° deg degree 1",
    "radians": "rad radian 1",
    "percent": "% percent 1",
    "celsius": "celsius 1",
    "fahrenheit": "fahrenheit 1",
    "euros": "euro 1",
}
SIZES: dict[str, tuple[str, Fraction]] = {}
for _dimension, _row in _TABLE.items():
    _names: list[str] = []
    for _word in _row.split():
        if _word[0].isdigit():
            SIZES |= {name: (_dimension, Fraction(_word)) for name in _names}
            _names = []
        else:
            _names.append(_word)
NAME = "|".join(re.escape(name) for name in sorted(SIZES, key=len, reverse=True))
_ONE = rf"(?:(square|cubic|sq\.?|cu\.?)\s*)?({NAME}|unit)(?:e?s)?\.?(?:\s*\^\(?([23])\)?)?"
_UNIT = re.compile(rf"(?<![a-zA-Z])\s*{_ONE}(?:(?:\s*(?:per|/)\s*|\s+an?\s+){_ONE})?\s*$|\s*(mph)$", re.IGNORECASE)
_SHORT = {"m", "g", "s", "h", "l", "in", "min"}  # 5m is five times m: a short name counts after a blank only

_NUMBERS = """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen
nineteen twenty thirty forty fifty sixty seventy eighty ninety"""
_SMALL, _TENS = _NUMBERS.split()[:20], _NUMBERS.split()[20:]
_SCALES = {"dozen": 12, "hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_PARTS = {"half": 2, "halves": 2, "third": 3, "fourth": 4, "quarter": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8, "tenth": 10}
_PARTS |= {"ninth": 9, "twelfth": 12, "hundredth": 100, "thousandth": 1000, "millionth": 10**6}
_PARTS |= {f"{word}th": n for n, word in enumerate(_SMALL) if n in (11, *range(13, 20))}
_PARTS |= {f"{word[:-1]}ieth": 10 * n for n, word in enumerate(_TENS, 2)}
_FRACTION = re.compile(r"[1-9]\d{0,8}/[1-9]\d{0,8}")
_SCALED = re.compile(r"((?:\d{1,3}(?:,\d{3})+|\d{1,9})(?:\.\d{1,9})?) (thousand|million|billion|trillion)")
WORDS = {word: n for n, word in enumerate(_SMALL)} | {word: 10 * n for n, word in enumerate(_TENS, 2)}


def split_unit(text: str) -> tuple[str, Unit | None]:
    """Return a text without the unit that ends it, and the unit; "units" alone say nothing.

    >>> split_unit("15 cm^2")
    ('15', Unit(dimensions=(('length', 2),), factor=Fraction(100, 1)))
    """
    written = text
    if text[-1:] == ")" or text[-7:].strip() in ("squared", "cubed"):  # ft over s as a fraction; per second squared
        written = re.sub(r"(?<=[A-Za-z]{2})\s+(squared|cubed)$", lambda m: "^2" if m[1] == "squared" else "^3", text)
        written = re.sub(r"\(\(\s*([A-Za-z]+)\s*\)/\(\s*([A-Za-z]+)\s*\)\)$", r" \1/\2", written)
    match = _UNIT.search(written)
    if not match or not match.start():
        return text, None
    if match[7]:
        return written[: match.start()].strip(), Unit((("length", 1), ("time", -1)), Fraction(1609344, 3600))
    if match[2] in _SHORT and not re.match(r"\s|/", match.group()) and not match[1]:
        return text, None
    powers: dict[str, int] = {}
    factor = Fraction(1)
    named = [[part or "" for part in match.group(*groups)] for groups in ((1, 2, 3), (4, 5, 6))]
    for (kind, name, exponent), sign in zip(named, (1, -1), strict=True):
        if name and name.lower() != "unit":
            dimension, size = SIZES[name] if name in SIZES else SIZES[name.lower()]
            times = int(exponent or {"s": 2, "c": 3}.get(kind[:1].lower(), 1)) * sign
            powers[dimension] = powers.get(dimension, 0) + times
            factor *= size**times
    return written[: match.start()].strip(), measure(powers, factor) if powers else None


def measure(powers: dict[str, int], factor: Fraction) -> Unit:
    """Return a unit of dimensions with their exponents; a volume is a length cubed, 1 ml = 1000 mm^3."""
    times = powers.pop("volume", 0)
    if times:
        powers["length"] = powers.get("length", 0) + 3 * times
    return Unit(tuple(sorted((name, power) for name, power in powers.items() if power)), factor * Fraction(1000) ** times)


def spelt(text: str) -> str | None:
    """Return a number in words as numerals, None if it is none: twenty-one is 21, one half 1/2, 3 million 3000000."""
    text = text.casefold().strip()
    if match := _SCALED.fullmatch(text):
        return str(Fraction(match[1].replace(",", "")) * _SCALES[match[2]])
    if " and " in text and (mixed := _mixed(text)):
        return mixed
    words = re.split(r"[\s-]+", text)
    if len(words) > 1 and words[0] == "a":  # a dozen, a half
        words[0] = "one"
    total, group, seen = 0, 0, False
    for number, word in enumerate(words):
        if word in WORDS or (word.isdecimal() and not seen and len(word) < 10):
            group += WORDS[word] if word in WORDS else int(word)
        elif word in _SCALES and (seen or word == "dozen"):
            group, total = ((group or 1) * _SCALES[word], total) if word in ("dozen", "hundred") else (0, total + group * _SCALES[word])
        elif seen and number == len(words) - 1 and (part := _PARTS.get(word) or _PARTS.get(word.removesuffix("s"))) and not total:
            return f"{group}/{part}"
        elif not (word == "and" and seen):
            return None
        seen = True
    return str(total + group) if seen and len(words) <= 12 and not words[-1].isdecimal() else None


def _mixed(text: str) -> str | None:
    """Return a whole number and a part of one, in words: two and three quarters is 11/4, and one of both may be in digits."""
    whole, _, part = text.rpartition(" and ")
    number, fraction = (spelt(whole), part) if _FRACTION.fullmatch(part) else (whole if whole.isdecimal() else spelt(whole), spelt(part))
    if number is None or not number.isdecimal() or not fraction or "/" not in fraction or Fraction(fraction) >= 1:
        return None
    return str(int(number) + Fraction(fraction))


def based(text: str) -> tuple[str, int] | None:
    """Return (digits, base) of 52_8, 52_(8), 2114five, 52 base 8; None of any other text."""
    if match := re.fullmatch(r"0(?:b([01]+)|o([0-7]+)|x([\dA-Fa-f]+))", text):
        return next((digits.upper(), base) for digits, base in zip(match.groups(), (2, 8, 16), strict=True) if digits)
    match = re.fullmatch(r"\(?([\dA-Fa-f]+)\)?\s*(?:_\s*\(?\s*|\(?\s*base\s*)(\d+|[a-z]+)\s*\)*", text) or re.fullmatch(
        rf"(\d+)\s*({'|'.join(_SMALL[2:])})", text
    )
    if not match:
        return None
    base = int(match[2]) if match[2].isdecimal() and len(match[2]) < 3 else WORDS.get(match[2], 0)
    return (match[1].upper(), base) if 2 <= base <= 36 else None
