"""Quantities in two or three units, and times of the clock: 2 hours 30 minutes, 5'3", 30°15', 3:00 PM."""

import re
from fractions import Fraction

from distill.answers.units import NAME, SIZES, Unit, measure

_ONE = rf"(\d+(?:\.\d+)?)\s*({NAME}|['\"]|'')(?:e?s)?\.?"
_COMPOUND = re.compile(rf"(-?){_ONE}[\s,]*(?:and\s+)?{_ONE}(?:[\s,]*(?:and\s+)?{_ONE})?", re.IGNORECASE)
_HOURS = re.compile(r"^(-?\d+) ?h ?(?:(\d+) ?m ?(?=$|\d+ ?s$)|([0-5]\d)$)")  # 2h30m: here m is no metre
_MARKS = {"'": "minute", '"': "second", "''": "second"}
_LENGTHS = {"'": "ft", '"': "in", "''": "in"}
_ARC = {"minute": Fraction(1, 60), "min": Fraction(1, 60), "second": Fraction(1, 3600), "sec": Fraction(1, 3600)}
_CLOCK = re.compile(r"(?:at )?(\d{1,2})(?:[:.](\d\d))?(?: ?o'clock)?(?: ?([ap])\.? ?m\.?| ?(noon|midnight))?", re.IGNORECASE)
_HALF = re.compile(r"\d in the |\d at night|\d ?[ap]\.? ?m\b|k [ap]\.? ?m\b|noon|midnight", re.IGNORECASE)
_NAMED = {"noon": 720, "midnight": 0}


def compound(text: str) -> tuple[tuple[Fraction, Unit], tuple[Fraction, Unit]] | None:
    """Return a quantity in several units of one dimension, in its first unit and in its last; None of any other text.

    >>> [str(amount) for amount, _ in compound("2 hours 30 minutes")]
    ['5/2', '150']
    """
    text = _HOURS.sub(r"\1h \2\3min ", text).strip()
    match = _COMPOUND.fullmatch(text) if text[:1].isdigit() or text[:1] == "-" else None
    if not match:
        return None
    names = [name.lower() for name in match.group(3, 5, 7) if name]
    sizes = _sizes(names)
    if not sizes:
        return None
    parts = zip((Fraction(n) for n in match.group(2, 4, 6) if n), (size for _, size in sizes), strict=True)
    total = sum((number * size for number, size in parts), Fraction(0)) * (-1 if match[1] else 1)
    (dimension, first), (_, last) = sizes[0], sizes[-1]
    return (total / first, measure({dimension: 1}, first)), (total / last, measure({dimension: 1}, last))


def _sizes(names: list[str]) -> list[tuple[str, Fraction]]:
    """Return dimension and size of each unit, from the largest on; [] where they are not of one dimension, or not in that order."""
    if names[0] in ("°", "deg", "degree"):
        named = [_MARKS.get(name, name) for name in names[1:]]
        found = [("angle", Fraction(1)), *(("angle", _ARC[name]) for name in named if name in _ARC)]
    else:
        found = [SIZES[name] for name in (_LENGTHS.get(name, name) for name in names) if name in SIZES]
    sizes = [size for _, size in found]
    fit = len(found) == len(names) and len({dimension for dimension, _ in found}) == 1
    return found if fit and sizes == sorted(set(sizes), reverse=True) else []


def same_time(left: str, right: str) -> tuple[bool | None] | None:
    """Compare times of the clock if one says AM or PM: None in the tuple where the other leaves it open, None for any other texts."""
    if not (_HALF.search(left) or _HALF.search(right)):
        return None
    first, second = _time(left), _time(right)
    if not first or not second:
        return None
    (minutes, certain), (others, sure) = first, second
    if certain and sure:
        return (minutes == others,)
    return (None if (minutes - others) % 720 == 0 else False,)


def _time(text: str) -> tuple[int, bool] | None:
    """Return minutes since midnight, and whether the text says which half of the day; None of what is no time."""
    text = re.sub(r" (?:in the (?:afternoon|evening)|at night)$", " pm", re.sub(r" in the morning$", " am", text))
    if text.casefold() in _NAMED:
        return _NAMED[text.casefold()], True
    match = _CLOCK.fullmatch(text)
    if not match or int(match[1]) > 23 or int(match[2] or 0) > 59:
        return None
    hour, minute, half = int(match[1]), int(match[2] or 0), (match[3] or "").casefold()
    if match[4]:
        return (_NAMED[match[4].casefold()], True) if (hour, minute) == (12, 0) else None
    if half and not 1 <= hour <= 12:
        return None
    hour = hour % 12 + (12 if half == "p" else 0) if half else hour
    return 60 * hour + minute, bool(half) or hour > 12 or hour == 0
