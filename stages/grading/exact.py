"""Exact reading of an answer as a number, a pair, a set or a ratio, without a computer algebra system: two readings decide equality."""

import re
from fractions import Fraction
from itertools import accumulate
from math import gcd
from typing import NamedTuple

from stages.grading.ring import Number, Undecided, parse

MAX_DEPTH = 20  # of brackets; beyond it: undecided
_THOUSANDS = re.compile(r"(?<![\d,.])\d{1,3}(?:,\d{3})+(?![\d,])")
_UNIT = re.compile(
    r"\s*(%|(?:(?:square|cubic|sq|cu)\.? ?)?(?:degree|percent|dollar|cent|unit|inch|feet|foot|ft|yard|mile|mm|cm|km|meter|metre|gram|kg|"
    r"pound|second|minute|hour|day|week|month|year|mph)(?:e?s)?(?:\^\(?[23]\)?)?)$"
)


class Reading(NamedTuple):
    """What an answer says: kind number | ordered | unordered | ratio, its numbers, and its unit ("" where none is named)."""

    kind: str
    items: tuple[Number, ...]
    unit: str


def read(text: str) -> Reading | None:
    """Read an answer in plain notation; None where the grammar does not cover it."""
    body = re.sub(r"^(?:[A-Za-z]\s*)?=\s*", "", text)  # x = 3
    unit = _UNIT.search(body)
    body = body[: unit.start()] if unit else body
    name = re.sub(r"e?s$", "", unit[1].replace("%", "percent")) if unit else ""
    try:
        return Reading(*_shape(body.strip()), name)
    except Undecided:
        return None


def equal(gold: Reading, answer: Reading) -> bool:
    """Decide equality: order counts once one side is a pair, not between sets and bare lists; units must agree where both name one."""
    if gold.unit and answer.unit and gold.unit != answer.unit:
        return False
    kinds = {gold.kind, answer.kind}
    if kinds == {"ratio"}:  # a key that is not in lowest terms (a clock time) is met by itself only
        return answer.items == gold.items or _lowest(answer.items) == gold.items
    if "ratio" in kinds or ("number" in kinds and len(kinds) > 1):
        return False
    if kinds & {"number", "ordered"}:
        return gold.items == answer.items
    return sorted(map(_key, gold.items)) == sorted(map(_key, answer.items))


def _key(number: Number) -> list[tuple[tuple[int, int], Fraction]]:
    return sorted(number.items())


def _lowest(items: tuple[Number, ...]) -> tuple[Number, ...]:
    """Return a ratio of whole numbers in lowest terms, any other as it is."""
    terms = [number.get((1, 0), Fraction(0)) for number in items]
    common = gcd(*(term.numerator for term in terms))
    if not common or any(set(number) - {(1, 0)} for number in items) or any(term.denominator != 1 for term in terms):
        return items
    return tuple({(1, 0): term / common} if term else {} for term in terms)


def _shape(text: str) -> tuple[str, tuple[Number, ...]]:
    """Return (kind, numbers) of an answer without its unit."""
    if text.count("±") == 1:
        return "unordered", tuple(parse(text.replace("±", sign)) for sign in "+-")
    parts = _split(text, ",")
    if _enclosed(text):
        inner = _split(text[1:-1], ",")
        if text[0] != "(":
            return "unordered", tuple(map(parse, inner))
        if len(inner) > 1:
            return "ordered", tuple(map(parse, inner))
    if _THOUSANDS.search(text) and not re.search(r"[(\[{⦃]", text):
        parts = _split(_THOUSANDS.sub(lambda m: m.group().replace(",", ""), text), ",")
    parts = [piece for part in parts for piece in re.split(r";|\s(?:and|or)\s", part) if piece.strip()]
    if len(parts) > 1:
        return "unordered", tuple(map(parse, parts))
    ratio = _split("".join(parts), ":")
    return ("ratio" if len(ratio) > 1 else "number"), tuple(map(parse, ratio))


def _enclosed(text: str) -> bool:
    """Return whether the first bracket closes at the end: true of (1, 2), not of (1)(2)."""
    if text[:1] + text[-1:] not in ("()", "⦃⦄", "{}"):
        return False
    depths = list(accumulate((c in "([{⦃") - (c in ")]}⦄") for c in text))
    return depths[-1] == 0 and min(depths[:-1]) > 0


def _split(text: str, separator: str) -> list[str]:
    """Split at separators outside brackets; unbalanced brackets are Undecided."""
    parts, depth = [""], 0
    for character in text:
        depth += (character in "([{⦃") - (character in ")]}⦄")
        if not 0 <= depth <= MAX_DEPTH:
            raise Undecided(text)
        if character == separator and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    if depth:
        raise Undecided(text)
    return parts
