"""Exact numbers: sums of rationals times square roots times powers of π, parsed from text and never evaluated by Python.

Each number has one canonical form there (π is transcendental, roots of distinct square-free integers are independent), so that equal
numbers are equal dictionaries. What the grammar or the limits do not cover raises Undecided: nothing is guessed at.
"""

import re
from fractions import Fraction
from math import gcd

Number = dict[tuple[int, int], Fraction]  # (square-free radicand, power of π) -> coefficient; {} is 0

MAX_DIGITS, MAX_RADICAND, MAX_BITS, MAX_TERMS = 40, 10**9, 4096, 12  # beyond these: undecided
_TOKEN = re.compile(r"\s*(?:(?P<mixed>\d+\s+\d+/\d+(?![\d.]))|(?P<number>\d+(?:\.\d+)?|\.\d+)|(?P<sign>[-+*/^()√π]))")


class Undecided(ValueError):
    """The text is outside the grammar."""


def parse(text: str) -> Number:
    """Parse a sum by recursive descent: sum = product ((+|-) product)*, product = power ((*|/|) power)*, power = atom (^ integer)?."""
    tokens: list[str] = []
    position = 0
    while position < len(text.rstrip()):
        match = _TOKEN.match(text, position)
        if not match:
            raise Undecided(text)
        digits = match["number"] or match["mixed"] or ""
        if len(digits) > MAX_DIGITS or (digits and tokens and re.match(r"[\d.)π]", tokens[-1][-1])):  # 2 3 is no product
            raise Undecided(text)
        tokens.append(match.group().strip())
        position = match.end()
    tokens.reverse()
    value = _sum(tokens)
    if tokens:
        raise Undecided(text)
    return value


def _sum(tokens: list[str]) -> Number:
    total: Number = {}
    sign = 1
    if tokens and tokens[-1] in "+-":
        sign = -1 if tokens.pop() == "-" else 1
    while True:
        total = _add(total, _product(tokens), sign)
        if not tokens or tokens[-1] not in "+-":
            return total
        sign = -1 if tokens.pop() == "-" else 1


def _product(tokens: list[str]) -> Number:
    value = _power(tokens)
    while tokens and tokens[-1] not in "+-)^":
        operator = tokens.pop() if tokens[-1] in "*/" else "*"
        right = _power(tokens)
        value = _multiply(value, _inverse(right) if operator == "/" else right)
    return value


def _power(tokens: list[str]) -> Number:
    base = _atom(tokens)
    if not tokens or tokens[-1] != "^":
        return base
    tokens.pop()
    negative = bool(tokens) and tokens[-1] == "-" and bool(tokens.pop())
    exponent = _rational(_atom(tokens))
    size = max((max(c.numerator.bit_length(), c.denominator.bit_length()) + key[0].bit_length() for key, c in base.items()), default=1)
    large = abs(exponent) * size > MAX_BITS or (len(base) > 1 and abs(exponent) > 4)
    if exponent.denominator != 1 or large or (not base and exponent <= 0):
        raise Undecided("power")
    power: Number = {(1, 0): Fraction(1)}
    for _ in range(abs(exponent.numerator)):
        power = _multiply(power, base)
    return _inverse(power) if (exponent < 0) != negative else power


def _atom(tokens: list[str]) -> Number:
    if not tokens:
        raise Undecided("ends early")
    token = tokens.pop()
    if token == "(":
        value = _sum(tokens)
        if not tokens or tokens.pop() != ")":
            raise Undecided("bracket")
        return value
    if token == "π":
        return {(1, 1): Fraction(1)}
    if token == "√":
        return _root(_rational(_atom(tokens)))
    if token in "+-*/^)":
        raise Undecided(token)
    whole, _, part = token.rpartition(" ")  # a mixed number has a blank
    if "/" in part and Fraction(part.split("/")[1]) == 0:
        raise Undecided("division by 0")
    rational = Fraction(part) + Fraction(whole.strip() or 0)
    return {(1, 0): rational} if rational else {}


def _rational(number: Number) -> Fraction:
    if set(number) - {(1, 0)}:
        raise Undecided("not rational")
    return number.get((1, 0), Fraction(0))


def _root(value: Fraction) -> Number:
    """Return √(p/q) = √(pq)/q with the square factor taken out."""
    rest = value.numerator * value.denominator
    if not 0 <= rest <= MAX_RADICAND:
        raise Undecided("radicand")
    outside, factor = 1, 2
    while factor * factor <= rest:
        while rest % (factor * factor) == 0:
            rest //= factor * factor
            outside *= factor
        factor += 1
    return {(rest, 0): Fraction(outside, value.denominator)} if rest else {}


def _add(left: Number, right: Number, sign: int) -> Number:
    total = dict(left)
    for key, value in right.items():
        total[key] = total.get(key, Fraction(0)) + sign * value
    return _kept(total)


def _multiply(left: Number, right: Number) -> Number:
    total: Number = {}
    for (n, k), a in left.items():
        for (m, j), b in right.items():
            common = gcd(n, m)  # √n √m = common √(n/common · m/common): square-free again
            key = (n // common * (m // common), k + j)
            total[key] = total.get(key, Fraction(0)) + a * b * common
    return _kept(total)


def _kept(number: Number) -> Number:
    kept = {key: value for key, value in number.items() if value}
    if len(kept) > MAX_TERMS or any(key[0] > MAX_RADICAND**2 or value.denominator.bit_length() > MAX_BITS for key, value in kept.items()):
        raise Undecided("too large")
    return kept


def _inverse(number: Number) -> Number:
    """Invert one term, or two terms without π by their conjugate."""
    if len(number) == 1:
        ((n, k), value), *_ = number.items()
        return {(n, -k): 1 / (value * n)}
    if len(number) == 2 and all(k == 0 for _, k in number):
        (first, a), (second, b) = number.items()
        conjugate: Number = {first: a, second: -b}
        return _multiply(conjugate, _inverse(_multiply(number, conjugate)))
    raise Undecided("division")
