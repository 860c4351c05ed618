"""The exact values of sine, cosine and the rest at the multiples of 15°."""

import re
from fractions import Fraction

from distill.answers.exact_algebra import Value, add, divide, multiply, power, rational

FUNCTIONS = ("sin", "cos", "tan", "cot", "sec", "csc")
_DEGREES = re.compile(rf"(?<![A-Za-z])({'|'.join(FUNCTIONS)})(\^\(?-?\d+\)?)?\s*(\()?(\d+(?:\.\d+)?)\s*(?:°|deg(?:rees?)?\b)(?(3)\))")


def radians(text: str) -> str:
    """Return a text with the degrees that a function is taken of as parts of π.

    >>> radians("2sin 30°")
    '2sin(30π/180)'
    """
    return _DEGREES.sub(r"\1\2(\4π/180)", text)


def known(function: str, argument: Value) -> Value | None:
    """Return a function's value at a multiple of π/12, None anywhere else; where it has none is Undecided."""
    if function not in FUNCTIONS or set(argument.top) - {(("π", Fraction(1)),)} or len(argument.bottom) > 1:
        return None
    step = 12 * sum(argument.top.values(), Fraction(0))
    if step.denominator > 1:
        return None
    sine, cosine, one = _sine(int(step)), _sine(int(step) + 6), rational(1)
    top, bottom = {
        "sin": (sine, one), "cos": (cosine, one), "tan": (sine, cosine), "cot": (cosine, sine), "sec": (one, cosine), "csc": (one, sine),
    }[function]  # fmt: skip
    return divide(top, bottom)


def _sine(step: int) -> Value:
    """Return the sine of step · π/12."""
    step %= 24
    if step > 12:
        return multiply(_sine(24 - step), rational(-1))
    root = {n: power(rational(n), rational(Fraction(1, 2))) for n in (2, 3, 6)}
    quarter, half = rational(Fraction(1, 4)), rational(Fraction(1, 2))
    first = (
        rational(0),
        multiply(add(root[6], root[2], -1), quarter),
        half,
        multiply(root[2], half),
        multiply(root[3], half),
        multiply(add(root[6], root[2]), quarter),
        rational(1),
    )
    return first[min(step, 12 - step)]
