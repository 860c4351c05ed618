"""Exact arithmetic on fractions of polynomials: rationals, roots of rationals, i, π, e and variables.

A polynomial maps each monomial to its rational coefficient. A monomial is a product of powers with rational exponents: of primes (exponent
in (0, 1), so that roots are independent), of i (exponent 1), of letters, and of opaque symbols (names with a bracket: sin(x),
(x + 1)^(1/2)), of which nothing is known but that equal names are equal. Fractions are compared by cross multiplication.
"""

from fractions import Fraction
from functools import lru_cache
from math import isqrt
from typing import NamedTuple

Power = tuple[str, Fraction]  # a prime's digits, a letter (x, x_1) or an opaque name; exponent
Monomial = tuple[Power, ...]  # sorted by name
Polynomial = dict[Monomial, Fraction]  # {} is 0

MAX_RADICAND, MAX_BITS, MAX_TERMS, MAX_DEGREE = 10**12, 4096, 150, 16  # beyond these: undecided
ONE: Polynomial = {(): Fraction(1)}


class Undecided(ValueError):
    """The text is outside the grammar, or its value beyond the limits."""


class Value(NamedTuple):
    """A fraction of polynomials; the denominator is 1 or has two terms and more."""

    top: Polynomial
    bottom: Polynomial = ONE


def rational(number: Fraction | int) -> Value:
    """Return a rational number."""
    return Value({(): Fraction(number)} if number else {})


def symbol(name: str) -> Value:
    """Return a letter, or an opaque symbol if the name has a bracket."""
    return Value({((name, Fraction(1)),): Fraction(1)})


def as_rational(value: Value) -> Fraction | None:
    """Return a value as a rational number, None if it is none."""
    if value.bottom == ONE and not set(value.top) - {()}:
        return value.top.get((), Fraction(0))
    return None


def name(value: Value) -> str:
    """Return a text that equal texts make equal values of; the reverse holds only where the denominator is 1."""
    return "/".join(
        "+".join(f"{c}{''.join(f'[{s}^{p}]' for s, p in monomial)}" for monomial, c in sorted(part.items()))
        for part in value
        if part is not ONE
    )


def opaque(value: Value) -> bool:
    """Return whether the value has an opaque symbol."""
    return any("(" in s for part in value for monomial in part for s, _ in monomial)


def same(left: Value, right: Value) -> bool | None:
    """Decide equality; None where opaque symbols leave it open."""
    if left == right:
        return True
    try:
        equal = left.top == right.top if left.bottom == right.bottom else _times(left.top, right.bottom) == _times(right.top, left.bottom)
    except Undecided:
        return None
    return equal or (None if opaque(left) or opaque(right) else False)


def add(left: Value, right: Value, sign: int = 1) -> Value:
    """Return left + sign · right."""
    if left.bottom == right.bottom:
        return _reduced(_plus(left.top, right.top, sign), left.bottom)
    return _reduced(_plus(_times(left.top, right.bottom), _times(right.top, left.bottom), sign), _times(left.bottom, right.bottom))


def multiply(left: Value, right: Value) -> Value:
    """Return the product."""
    return _reduced(_times(left.top, right.top), _times(left.bottom, right.bottom))


def divide(left: Value, right: Value) -> Value:
    """Return the quotient; by 0 is Undecided."""
    return multiply(left, _reduced(right.bottom, right.top))


def power(base: Value, exponent: Value) -> Value:
    """Return a power: rational of one term, whole of several terms; any other is an opaque symbol."""
    number = as_rational(exponent)
    if number is None or (number.denominator > 1 and (len(base.top) > 1 or base.bottom != ONE)):
        return symbol(f"({name(base)})^({name(exponent)})")
    if len(base.top) == 1 and base.bottom == ONE:
        ((monomial, coefficient),) = base.top.items()
        return _power_of_one(monomial, coefficient, number)
    if abs(number) > MAX_DEGREE or (not base.top and number <= 0):
        raise Undecided("power")
    if not base.top:
        return base
    value = rational(1)
    for _ in range(abs(int(number))):
        value = multiply(value, base)
    return divide(rational(1), value) if number < 0 else value


def logarithm(value: Value) -> Value:
    """Return the natural logarithm of a product of powers of primes and e as a sum over them; of any other value as an opaque symbol."""
    number = as_rational(value)
    if len(value.top) == 1 and value.bottom == ONE:
        ((monomial, coefficient),) = value.top.items()
        if coefficient > 0 and all(s.isdigit() or s == "e" for s, _ in monomial):
            primes = [*factorise(coefficient.numerator), *((p, -n) for p, n in factorise(coefficient.denominator))]
            powers = [*((str(prime), Fraction(times)) for prime, times in primes), *monomial]
            total = Value({})
            for s, p in powers:
                total = add(total, multiply(rational(p), rational(1) if s == "e" else symbol(f"ln({s})")))
            return total
    if number is not None and number <= 0:
        raise Undecided("logarithm")
    return symbol(f"ln({name(value)})")


def magnitude(value: Value) -> Value:
    """Return an absolute value: of a rational number itself, of any other as an opaque symbol that is the same for -x."""
    number = as_rational(value)
    if number is not None:
        return rational(abs(number))
    first = min(value.top.items())
    return symbol(f"abs({name(multiply(value, rational(-1)) if first[1] < 0 else value)})")


def _power_of_one(monomial: Monomial, coefficient: Fraction, exponent: Fraction) -> Value:
    """Return (coefficient · monomial)^exponent; a root of a negative number is i times a root, even roots of even powers are Undecided."""
    size = max(coefficient.numerator.bit_length(), coefficient.denominator.bit_length())
    if abs(exponent.numerator) * size > MAX_BITS or exponent.denominator > 12:
        raise Undecided("power")
    value = rational(coefficient ** int(exponent) if exponent.denominator == 1 else 1)
    if exponent.denominator > 1:
        if coefficient < 0 and exponent.denominator > 2:
            raise Undecided("root of a negative number")
        if any(s == "i" or (not s.isdigit() and exponent.denominator % 2 == 0 and p.numerator % 2 == 0) for s, p in monomial):
            raise Undecided("root")
        factors = [*factorise(abs(coefficient.numerator)), *((p, -n) for p, n in factorise(coefficient.denominator))]
        for prime, times in factors:
            value = _reduced(_times(value.top, _term({str(prime): times * exponent})), ONE)
        if coefficient < 0:
            value = multiply(value, power(symbol("i"), rational(exponent.numerator)))
    return multiply(value, Value(_term({s: p * exponent for s, p in monomial})))


@lru_cache(4096)
def factorise(number: int) -> tuple[tuple[int, int], ...]:
    """Return the primes of a positive whole number with their exponents; a prime factor beyond the limit is Undecided."""
    found, prime, start = [], 2, number
    while prime * prime <= number and prime <= isqrt(MAX_RADICAND):
        times = 0
        while number % prime == 0:
            number, times = number // prime, times + 1
        if times:
            found.append((prime, times))
        prime += 1 + prime % 2
    if number > MAX_RADICAND or start.bit_length() > MAX_BITS:
        raise Undecided("radicand")
    return (*found, (number, 1)) if number > 1 else tuple(found)


def _term(powers: dict[str, Fraction]) -> Polynomial:
    """Return a product of powers in canonical form: whole powers of primes and of i² become the coefficient."""
    coefficient, kept = Fraction(1), []
    for s, p in sorted(powers.items()):
        if s == "i":
            if p.denominator > 1:
                raise Undecided("root of i")
            p = p % 4
            coefficient, p = (-coefficient, p - 2) if p > 1 else (coefficient, p)
        elif s.isdigit():
            whole = p.numerator // p.denominator
            if abs(whole) * int(s).bit_length() > MAX_BITS:
                raise Undecided("power")
            coefficient, p = coefficient * Fraction(int(s)) ** whole, p - whole
        if p:
            kept.append((s, p))
    return {tuple(kept): coefficient}


def _plus(left: Polynomial, right: Polynomial, sign: int) -> Polynomial:
    total = dict(left)
    for monomial, coefficient in right.items():
        total[monomial] = total.get(monomial, Fraction(0)) + sign * coefficient
    return _kept(total)


def _times(left: Polynomial, right: Polynomial) -> Polynomial:
    if right == ONE:
        return left
    if len(left) * len(right) > 8 * MAX_TERMS:
        raise Undecided("too many terms")
    total: Polynomial = {}
    for m, a in left.items():
        for n, b in right.items():
            product, factor = _product(m, n)
            total[product] = total.get(product, Fraction(0)) + a * b * factor
    return _kept(total)


def _product(left: Monomial, right: Monomial) -> tuple[Monomial, Fraction]:
    if not left or not right:
        return left or right, Fraction(1)
    powers = dict(left)
    for s, p in right:
        powers[s] = powers.get(s, Fraction(0)) + p
    return next(iter(_term(powers).items()))


def _kept(polynomial: Polynomial) -> Polynomial:
    kept = {monomial: c for monomial, c in polynomial.items() if c}
    if len(kept) > MAX_TERMS or any(max(c.numerator.bit_length(), c.denominator.bit_length()) > MAX_BITS for c in kept.values()):
        raise Undecided("too large")
    return kept


def _reduced(top: Polynomial, bottom: Polynomial) -> Value:
    """Return top/bottom, a bottom of one term moved into the top; 0 below is Undecided."""
    if bottom == ONE:
        return Value(top)
    if not bottom:
        raise Undecided("division by 0")
    if len(bottom) > 1:
        return Value(top, bottom) if top else Value({})
    ((monomial, coefficient),) = bottom.items()
    inverse = _term({s: -p for s, p in monomial})
    return Value(_times({m: c / coefficient for m, c in top.items()}, inverse))
