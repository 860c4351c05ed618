"""The parsed answer, an AST: a number, a tuple, a list, a ratio, intervals, a matrix or an equation. No computer algebra is used."""

import re
from fractions import Fraction
from itertools import accumulate
from math import gcd, inf, isfinite, lcm, pi
from typing import NamedTuple

from distill.answers.compound_units import compound
from distill.answers.exact_algebra import Undecided, Value, as_rational, multiply, rational
from distill.answers.expression_parser import parse, prose
from distill.answers.final_answer import FUNCTIONS
from distill.answers.interval_notation import standard
from distill.answers.trig_values import radians
from distill.answers.units import Unit, spelt, split_unit

MAX_DEPTH, MAX_ITEMS, MAX_EQUALS = 20, 60, 8  # of brackets, of a list, of equals signs; beyond them: undecided
_OPEN, _CLOSE = "([{⦃⟦", ")]}⦄⟧"
_THOUSANDS = re.compile(r"(?<![\d,.])\d{1,3}(?:,\d{3})+(?![\d,])|(?<![\d,. ])\d{1,3}(?: \d{3})+(?![\d,./]| \d)")
_NAMED = re.compile(
    r"(\(\(d[a-z]\)/\(d[a-z]\)\)|d[a-z]/d[a-z]"
    r"|(?:sin|cos|tan|cot|sec|csc) ?\(?[A-Za-zα-ω]\)?|[A-Za-zα-ω](?:_\w|'|\^\(-1\))?(?:\([^()=]{1,8}\))?"
    r"|∠ ?[A-Z]{1,3}|[A-Z]{2,3}|\([a-z](?:,[a-z])+\)|[A-Za-z ]{3,40})\s*[=∈]\s*(?!=)"
)
_GENERIC = re.compile(r"(.*[\d)π])\s*((?:[a-zA-Z]{3,20}\s*){1,3})")
_COUNTS = re.compile(
    rf"\b(?:hundred|thousand|[mb]illion|trillion|dozen|pairs?|times|more|less|fewer|least|most|and|or|not|to|base|mod|squared|cubed|factorial|over"
    rf"|plus|minus|choose|half|halves|thirds?|fourths?|quarters?|(?:fif|six|seven|eigh|nin|ten|eleven|twelf|hundred|thousand|million|billion)ths?|point|root|pi|than|each|{FUNCTIONS})\b"
)
_WAGE = re.compile(r"^(-?)\$\s*([\d.,]+)(?:\s*(?:per|/)\s*|\s+an?\s+)(?=[a-z])")
_REMAINDER = re.compile(r"(\d+)(?: ?R ?|,? (?:with )?(?:an? )?(?:r|rem\.?|remainder)(?: of)? )(\d+)")
_RELATION = re.compile(r"[<>≤≥]")
_EMPTY = re.compile(
    r"∅|⦃⦄|(?:the )?empty set"
    r"|(?:there (?:is|are) )?no (?:real )?(?:solutions?|roots?|answer)(?: exists?)?",
    re.IGNORECASE,
)


class Node(NamedTuple):
    """A node; `kind` is value, tuple, list, set, ratio, interval, union, matrix, equation, remainder or empty."""

    kind: str
    items: tuple["Node", ...] = ()  # of a value in two units: the same in the last
    value: Value | None = None  # of kind value; of an equation left - right, 0
    unit: Unit | None = None
    words: str = ""  # a counted noun
    note: str = ""  # an interval's brackets, a matrix's shape, an equation's variables
    name: str = ""  # what is before an equals sign


def parse_answer(text: str) -> Node | None:
    """Parse an answer in plain notation; None where the grammar does not cover it."""
    try:
        return _parse(text.strip())
    except (Undecided, RecursionError, OverflowError):
        return None


def _parse(text: str) -> Node:
    if _EMPTY.fullmatch(text):
        return Node("empty")
    text = standard(text)
    if (text[:1] == "⟦" and _closing(text) == len(text)) or text.endswith("⟧"):
        return _matrix(text)
    bracketed = text[:1] in ("(", "[") and text[-1:] in (")", "]") and ("∞" in text or text[0] + text[-1] != "()")
    if (bracketed or _RELATION.search(text) or "∪" in text) and (found := _intervals(text)):
        return found
    if "±" in text and "," not in text:
        return _listed([text])
    if measured := compound(text):
        first, last = (Node("value", value=rational(amount), unit=unit) for amount, unit in measured)
        return first._replace(items=(last,))
    if " and " in text and (mixed := spelt(text)) and ("/" in mixed or re.search(r"(?:hundred|thousand|million) and ", text)):
        return Node("value", value=parse(mixed))  # two and three quarters, one hundred and forty-four
    if match := _REMAINDER.fullmatch(text):
        return Node("remainder", _items([match[1], match[2]]))
    if " by " in text and all(re.match(r"\d", part) for part in text.split(" by ")):
        return _listed(text.split(" by "))  # 10 cm by 15 cm
    parts = _split(text, ",")
    if text[:1] in ("(", "{", "⦃", "[") and _closing(text) == len(text):
        inner = _split(text[1:-1], ",")
        if text[0] in "{⦃":
            return _listed(inner, "set")
        if text[0] == "[" and len(inner) > 2:
            return _listed(inner)
        if text[0] == "(" and len(inner) > 1:
            return Node("tuple", _items(inner))
    if _THOUSANDS.search(text) and not re.search(r"[\[{⦃]|\([^()]*,", text):
        parts = _split(_THOUSANDS.sub(lambda m: re.sub("[, ]", "", m.group()), text), ",")
    parts = [
        piece for part in parts for piece in re.split(r";|\s(?:and|or)\s|^\s*(?:and|or)\s", part, flags=re.IGNORECASE) if piece.strip()
    ]
    return _listed(parts) if len(parts) > 1 else _single("".join(parts).strip())


def _items(parts: list[str]) -> tuple[Node, ...]:
    if len(parts) > MAX_ITEMS:
        raise Undecided("too many items")
    return tuple(_parse(part.strip()) for part in parts)


def _listed(parts: list[str], kind: str = "list") -> Node:
    """Return a list or set of its items, ± made two; one value written twice is one value, and x = 8, y = 23 a tuple."""
    parts = [part.replace("±", sign) for part in parts for sign in ("+-" if part.count("±") == 1 else "?") if part.strip()]
    items = _items(parts)
    names = [item.name for item in items]
    indexed = all(re.fullmatch(r"[A-Za-z]_\d+", name) for name in names) and len({name[0] for name in names}) == 1
    if indexed and len(set(names)) == len(names) > 1:  # x_1 = 3, x_2 = 5 are the values of x
        return Node(kind, tuple(item._replace(name="") for item in sorted(items, key=lambda item: item.name)))
    if kind == "list" and all(names) and len(set(names)) == len(names) > 1:
        return Node("tuple", tuple(item._replace(name="") for item in sorted(items, key=lambda item: item.name)))
    items = tuple(item._replace(name="") for item in items)
    if kind == "list" and not any(names) and len({part.strip() for part in parts}) == 1 < len(parts):
        return Node(kind, items)  # 42, 42 is not 42
    kept = [item for n, item in enumerate(items) if item not in items[:n]]
    return kept[0] if len(kept) == 1 else Node(kind, tuple(kept))


def _single(text: str) -> Node:
    """Return a ratio, an equation or a value."""
    text = re.sub(r"(?<=\d) to (?=\d)", ":", text)
    ratio = _split(text, ":")
    if len(ratio) > 1:
        return Node("ratio", _items(ratio))
    if "=" in text or "∈" in text:
        if text.count("=") > MAX_EQUALS:
            raise Undecided(text[:80])
        return _equation(text)
    text = re.sub(r"^(?:minus|negative)\s+", "-", text, flags=re.IGNORECASE)
    text = _WAGE.sub(r"\1\2 dollars per ", radians(text))
    money = text.replace("$", "", 1) if re.match(r"-?\$", text) else text
    if spelt(money) is not None:
        return Node("value", value=_value(money))
    body, unit = split_unit(money)
    unit = Unit((("money", 1),), Fraction(100)) if money != text and not unit else unit
    generic = None if unit else _GENERIC.fullmatch(body)
    if generic and not _COUNTS.search(generic[2].casefold()):
        return Node("value", value=_value(generic[1]), words=_noun(generic[2]))
    return Node("value", value=_value(body), unit=unit)


def _noun(text: str) -> str:
    """Return a counted noun without adjectives that count nothing, in the singular."""
    return " ".join(re.sub(r"\b(?:different|distinct|possible|total|unique)\b", "", text.casefold()).split()).removesuffix("s")


def _value(text: str) -> Value:
    if (numerals := spelt(text.lstrip("-"))) is not None:
        return parse(("-" if text[0] == "-" else "") + numerals)
    if prose(text):
        raise Undecided(text[:80])
    return parse(text)


def _equation(text: str) -> Node:
    """Return the value of a name (x = 3, the sum is m + n = 3), else an equation as left - right = 0."""
    if match := _NAMED.match(text):
        rest = _parse(text[match.end() :])
        bare = match[1].strip()
        if rest.kind == "value" and rest.value and len(bare) == 1 and (set(_letters(rest.value)) - {"i", "π", "e"}):
            return _zero(text, rest)
        return rest._replace(name=rest.name or bare)
    left, _, right = text.rpartition("=")
    if not re.search("[A-Za-z]", right) or re.fullmatch(r"\s*[A-Za-z]\s*", right):
        first, last = _parse(left), _parse(right)
        if first.kind == last.kind == "value" and first.value and last.value:
            if not _letters(first.value) and re.fullmatch(r"\s*[A-Za-z]\s*", right):
                return first._replace(name=right.strip())
            if first.value == last.value or (first.name and not _letters(last.value)):
                return last
            sums = all(c == 1 and all(p == 1 for _, p in m) for m, c in first.value.top.items())
            if sums and len(_letters(first.value)) > 1:
                return last._replace(name=left)
    return _zero(text, None)


def _zero(text: str, right: Node | None) -> Node:
    sides = text.split("=")
    if len(sides) != 2:
        raise Undecided(text[:80])
    difference = parse(f"({sides[0]})-({sides[1]})")
    items = (right,) if right and not right.unit else ()
    return Node("equation", items, value=difference, note=sides[0].strip() if right else "")


def _letters(value: Value) -> set[str]:
    return {s for part in value for monomial in part for s, _ in monomial if not s.isdigit()}


def _matrix(text: str) -> Node:
    """Return a matrix by rows, multiplied by the factor before it."""
    factor, _, body = re.sub(r"^[A-Za-z]{1,2}\s*=\s*(?=.*⟦)", "", text).partition("⟦")
    rows = [row.split("⸴") for row in body.removesuffix("⟧").split("⸵")]
    if len({len(row) for row in rows}) != 1 or "⟦" in body:
        raise Undecided(text[:80])
    items = _items([cell for row in rows for cell in row])
    if factor.strip():
        by = parse(factor.removesuffix("*"))
        items = tuple(item._replace(value=multiply(item.value, by)) if item.value else item for item in items)
    return Node("matrix", items, note=f"{len(rows)}x{len(rows[0])}")


def _intervals(text: str) -> Node | None:
    """Return intervals, overlapping ones joined; None where the text is something else."""
    text = re.sub(r"^[a-z]\s*∈\s*", "", text)
    found = []
    for piece in (piece for part in text.split("∪") for piece in re.split(r"\s+or\s+", part)):
        if not (interval := _interval(piece.strip())):
            return None
        found.append(interval)
    joined = _joined(found)
    return joined[0] if len(joined) == 1 else Node("union", tuple(joined))


def _interval(text: str) -> Node | None:
    """Return one interval: (a,b], {a}, a < x ≤ b, or x > a; None of any other text."""
    infinity, negative = (Node("value", value=parse(t)) for t in ("∞", "-∞"))
    if signs := _RELATION.findall(text):
        sides = [side.strip() for side in _RELATION.split(text)]
        if len(sides) == 3 and re.fullmatch("[A-Za-zθ]", sides[1]) and len({sign in "<≤" for sign in signs}) == 1:
            if signs[0] in ">≥":
                sides, signs = sides[::-1], signs[::-1]
            low, high = _parse(sides[0]), _parse(sides[2])
            brackets = ("[" if signs[0] in "≤≥" else "(") + ("]" if signs[1] in "≤≥" else ")")
            return Node("interval", (low, high), note=brackets, name=sides[1])
        if len(sides) == 2 and sum(re.fullmatch("[A-Za-zθ]", side) is not None for side in sides) == 1:
            first = re.fullmatch("[A-Za-zθ]", sides[0]) is not None
            name = sides[0] if first else sides[1]
            bound, closed = _parse(sides[1] if first else sides[0]), signs[0] in "≤≥"
            if (signs[0] in "<≤") == first:
                return Node("interval", (negative, bound), note="(]" if closed else "()", name=name)
            return Node("interval", (bound, infinity), note="[)" if closed else "()", name=name)
        raise Undecided(text[:80])
    if text[:1] in ("{", "⦃") and _closing(text) == len(text):
        point = _parse(text[1:-1])
        return Node("interval", (point, point), note="[]") if point.kind == "value" else None
    if text[:1] in ("(", "[") and text[-1:] in (")", "]"):
        ends = _split(text[1:-1], ",")
        if len(ends) == 2:
            return Node("interval", _items(ends), note=text[0] + text[-1])
    return None


def _joined(intervals: list[Node]) -> list[Node]:
    """Sort intervals by their lower ends and join those that touch; ends that are no plain numbers leave them as they are."""
    ends = [(number(i.items[0]), number(i.items[1])) for i in intervals]
    if any(low is None or high is None for low, high in ends):
        return intervals
    joined: list[Node] = []
    for interval in sorted(intervals, key=lambda i: (number(i.items[0]) or 0.0, i.note[0] != "[")):
        last = joined[-1] if joined else None
        low, high = number(interval.items[0]) or 0.0, number(interval.items[1]) or 0.0
        reach = (number(last.items[1]) or 0.0) if last else -inf
        if last and (low < reach or (low == reach and isfinite(low) and (last.note[1] == "]" or interval.note[0] == "["))):
            top = interval if (high, interval.note[1] == "]") > (reach, last.note[1] == "]") else last
            joined[-1] = Node("interval", (last.items[0], top.items[1]), note=last.note[0] + top.note[1])
        else:
            joined.append(interval)
    return joined


def number(node: Node) -> float | None:
    """Return the size of a real value without letters, None of anything else."""
    if node.kind != "value" or node.value is None or len(node.value.bottom) > 1:
        return None
    total = 0.0
    for monomial, coefficient in node.value.top.items():
        size = float(coefficient)
        for s, p in monomial:
            if not (s.isdigit() or s in "π∞"):
                return None
            size *= {"π": pi, "∞": inf}.get(s, 0.0) ** float(p) if not s.isdigit() else int(s) ** float(p)
        total += size
    return total


def lowest(ratio: Node) -> tuple[Value, ...]:
    """Return a ratio of rational numbers in lowest terms, any other as it is."""
    values = tuple(item.value for item in ratio.items if item.value)
    terms = [term for value in values if (term := as_rational(value)) is not None]
    if len(terms) < len(ratio.items) or not any(terms):
        return values
    common = Fraction(gcd(*(term.numerator for term in terms)), lcm(*(term.denominator for term in terms)))
    return tuple(rational(term / common) for term in terms)


def _closing(text: str) -> int:
    """Return where the first bracket closes, one past it: the whole length of (1, 2), not of (1)(2)."""
    depths = list(accumulate((c in _OPEN) - (c in _CLOSE) for c in text))
    return depths.index(0) + 1 if 0 in depths else 0


def _split(text: str, separator: str) -> list[str]:
    """Split at separators outside brackets; brackets that do not close, or by another kind but ( and [, are Undecided."""
    parts, opened = [""], ""
    for character in text:
        if character in _OPEN:
            opened += character
        elif character in _CLOSE:
            if not opened or (opened[-1] in "([") != (character in ")]"):
                raise Undecided(text[:80])
            opened = opened[:-1]
        if len(opened) > MAX_DEPTH:
            raise Undecided(text[:80])
        if character == separator and not opened:
            parts.append("")
        else:
            parts[-1] += character
    if opened:
        raise Undecided(text[:80])
    return parts
