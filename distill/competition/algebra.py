"""Families of algebra: equations, polynomials, sequences, radicals, averages."""

from math import isqrt
from random import Random

from distill.competition.family import ALL, LONG, SENIOR, Family


def _linear(r: Random, w: int) -> tuple[int, ...]:
    a, b, x = r.randint(2, 9), r.randint(2, 30 * w), r.randint(2, 12 * w)
    return a, b, a * x + b


def _system(r: Random, w: int) -> tuple[int, ...]:
    x, y = r.randint(12, 40 * w), r.randint(2, 11)
    return x + y, x - y


def _polynomial(r: Random, w: int) -> tuple[int, ...]:
    return r.randint(2, 4 + w), r.randint(2, 6), r.randint(2, 20), r.randint(4, 6 + 3 * w)


def _term(r: Random, w: int) -> tuple[int, ...]:
    return r.randint(6, 20 * w), r.randint(1, 20), r.randint(2, 9)


def _roots(r: Random, w: int) -> tuple[int, ...]:
    return r.randint(6, 7 + 8 * w), r.randint(2, 17)


def _radical(r: Random, w: int) -> tuple[int, ...]:
    return (r.randint(2, 7 + 8 * w) ** 2 * r.choice((2, 3, 5, 6, 7, 10, 11, 13, 14, 15)),)


def _simplest(n: int) -> str:
    root = next(k for k in range(isqrt(n), 0, -1) if n % (k * k) == 0)
    return f"{root}√{n // (root * root)}"


def _percent(r: Random, w: int) -> tuple[int, ...]:
    return 5 * r.randint(1, 19), 20 * r.randint(1, 15 * w)


def _mean(r: Random, w: int) -> tuple[int, ...]:
    low, high = 5, 25 * w
    known, rest = [r.randint(low, high) for _ in range(4)], r.randint(low, high)
    total = sum(known) + rest
    total += -total % 5  # the last number makes the mean whole
    return *known, total // 5


ALGEBRA = (
    Family("linear", ALL, _linear, lambda a, b, c: str((c - b) // a),
           ("Solve for x: {a}x + {b} = {c}.",
            "If {a}x + {b} = {c}, what is the value of x?",
            "Find the number x for which {a}x + {b} equals {c}."),
           ("When a number is multiplied by {a} and {b} is added, the result is {c}. Find the number.",
            "For which x is {c} equal to {a}x + {b}?")),
    Family("system", LONG, _system, lambda a, b: f"({(a + b) // 2}, {(a - b) // 2})",
           ("If x + y = {a} and x - y = {b}, find the ordered pair (x, y).",
            "The numbers x and y have sum {a} and x exceeds y by {b}. Write the ordered pair (x, y)."),
           ("The sum of two numbers is {a} and their difference is {b}. Write the ordered pair, larger number first.",)),
    Family("polynomial", LONG, _polynomial, lambda a, b, c, d: str(a * d**2 - b * d + c),
           ("If f(x) = {a}x^2 - {b}x + {c}, find f({d}).", "Evaluate {a}x^2 - {b}x + {c} when x = {d}."),
           ("Find the value of {a}t^2 - {b}t + {c} at t = {d}.",)),
    Family("term", LONG, _term, lambda a, b, c: str(b + (a - 1) * c),
           ("Find term number {a} of the arithmetic sequence with first term {b} and common difference {c}.",
            "An arithmetic sequence starts at {b} and grows by {c} each step. What is its term number {a}?"),
           ("A sequence begins with {b} and each later term is {c} more than the one before. Find term {a}.",)),
    Family("roots", LONG, _roots, lambda a, b: str(a**2 - 2 * b),
           ("The roots of x^2 - {a}x + {b} = 0 are r and s. Find r^2 + s^2.",
            "Find the sum of the squares of the roots of x^2 - {a}x + {b} = 0."),
           ("If p + q = {a} and pq = {b}, find p^2 + q^2.",)),
    Family("radical", SENIOR, _radical, _simplest,
           ("Write √{a} in simplest radical form.", "Simplify √{a}."),
           ("Express the square root of {a} in simplest radical form.",)),
    Family("percent", ALL, _percent, lambda a, b: str(a * b // 100),
           ("What is {a}% of {b}?",
            "Find {a} percent of {b}.",
            "A club has {b} members and {a}% of them are seniors. How many seniors are there?"),
           ("In a school of {b} students, {a}% play chess. How many students play chess?",)),
    Family("mean", LONG, _mean, lambda a, b, c, d, e: str(5 * e - a - b - c - d),
           ("The average of {a}, {b}, {c}, {d} and x is {e}. Find x.",
            "Five tests have average {e}. Four of the scores are {a}, {b}, {c} and {d}. What is the fifth score?"),
           ("A runner's mean over five days is {e} miles. On four days the distances are {a}, {b}, {c} and {d} miles. "
            "How many miles on the fifth day?",)),
)  # fmt: skip
