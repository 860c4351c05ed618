"""Families of number theory and arithmetic: divisibility, bases, powers, fractions."""

from fractions import Fraction
from math import gcd, lcm
from random import Random

from distill.competition.family import ALL, LONG, Family


def _divisor(r: Random, w: int) -> tuple[int, ...]:
    common = r.randint(2, 9 + 3 * w)
    return common * r.randint(2, 9), common * r.randint(2, 9)


def _multiple(r: Random, w: int) -> tuple[int, ...]:
    common = r.randint(2, 6 + 3 * w)
    a, b = r.sample(range(2, 10), 2)
    return common * a, common * b


def _remainder(r: Random, w: int) -> tuple[int, ...]:
    return r.randint(50, 400 * w), r.randint(3, 6 + 3 * w)


def _divisors(r: Random, w: int) -> tuple[int, ...]:
    return (2 ** r.randint(0, 4) * 3 ** r.randint(0, 2) * 5 ** r.randint(0, 1) * r.choice((1, 7, 11, 13)) * r.choice((1, 2, 3, 5)),)


def _count_divisors(n: int) -> str:
    return str(sum(1 for k in range(1, n + 1) if n % k == 0))


def _base(r: Random, w: int) -> tuple[int, ...]:
    b = r.randint(3, 9)
    digits = [r.randint(1, b - 1), *(r.randint(0, b - 1) for _ in range(1 + w))]
    return int("".join(map(str, digits))), b


def _units(r: Random, w: int) -> tuple[int, ...]:
    return 10 * r.randint(0, 5 * w) + r.choice((2, 3, 7, 8)), r.randint(11, 99 * w)


def _product(r: Random, w: int) -> tuple[int, ...]:
    return r.randint(12, 99), r.randint(3, 9 + 6 * (w - 1))


def _squares(r: Random, w: int) -> tuple[int, ...]:
    a = r.randint(9, 20 + 10 * w)
    return a, r.randint(4, a - 2)


def _fractions(r: Random, w: int) -> tuple[int, ...]:
    while True:
        b, d = r.sample(range(2, 9 + 2 * w), 2)
        a, c = r.randint(1, b - 1), r.randint(1, d - 1)
        if gcd(a, b) == gcd(c, d) == 1 and (Fraction(a, b) + Fraction(c, d)).denominator > 1:
            return a, b, c, d


NUMBERS = (
    Family("divisor", LONG, _divisor, lambda a, b: str(gcd(a, b)),
           ("Find the greatest common divisor of {a} and {b}.", "What is the largest integer that divides both {a} and {b}?"),
           ("What is the side of the largest square tile that exactly covers a floor {a} by {b}?",)),
    Family("multiple", LONG, _multiple, lambda a, b: str(lcm(a, b)),
           ("Find the least common multiple of {a} and {b}.", "What is the smallest positive integer divisible by both {a} and {b}?"),
           ("Two lights blink every {a} and {b} seconds. After how many seconds do they blink together again?",)),
    Family("remainder", ALL, _remainder, lambda a, b: str(a % b),
           ("Find the remainder when {a} is divided by {b}.", "What remains when {a} is divided by {b}?"),
           ("{a} apples are packed in boxes of {b}. How many apples are left over?",)),
    Family("divisors", LONG, _divisors, _count_divisors,
           ("How many positive divisors does {a} have?", "Find the number of positive factors of {a}."),
           ("In how many ways can {a} be written as an ordered product of two positive integers?",)),
    Family("base", LONG, _base, lambda a, b: str(int(str(a), b)),
           ("Write the base {b} number {a} in base ten.", "Convert {a} from base {b} to base 10."),
           ("What is the base ten value of the numeral {a} written in base {b}?",)),
    Family("units", ALL, _units, lambda a, b: str(pow(a, b, 10)),
           ("What is the units digit of {a}^{{{b}}}?", "Find the last digit of {a}^{{{b}}}."),
           ("Find the ones digit of {a}^{{{b}}}.",)),
    Family("product", ALL, _product, lambda a, b: str(a * b),
           ("Compute {a} × {b}.", "Find the product of {a} and {b}."),
           ("A hall has {a} rows of {b} seats. How many seats are there?",)),
    Family("squares", ("junior-senior", "two-person"), _squares, lambda a, b: str(a**2 - b**2),
           ("Compute {a}^2 - {b}^2.", "Find the value of {a}^2 - {b}^2."),
           ("By how much does the square of {a} exceed the square of {b}?",)),
    Family("fractions", LONG, _fractions, lambda a, b, c, d: str(Fraction(a, b) + Fraction(c, d)),
           ("Find {a}/{b} + {c}/{d} as a reduced fraction.", "Add {a}/{b} and {c}/{d}; write a reduced fraction."),
           ("A cook uses {a}/{b} cup and then {c}/{d} cup of milk. How many cups is that, as a reduced fraction?",)),
)  # fmt: skip
