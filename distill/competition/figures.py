"""Families of geometry, counting and probability."""

from fractions import Fraction
from math import comb, isqrt
from random import Random

from distill.competition.family import ALL, LONG, SENIOR, SPEED, Family

_LEGS = ((3, 4), (4, 3), (5, 12), (12, 5), (8, 15), (15, 8), (7, 24), (24, 7), (20, 21), (21, 20))


def _trapezoid(r: Random, w: int) -> tuple[int, ...]:
    a, b, c = r.randint(4, 20 * w), r.randint(4, 20 * w), r.randint(3, 8 + 4 * (w - 1))
    return a + (a + b) % 2, b, c


def _distance(r: Random, w: int) -> tuple[int, ...]:
    x, y, (p, q), k = r.randint(1, 20), r.randint(1, 20), r.choice(_LEGS), r.randint(1, w)
    return x, y, x + k * p, y + k * q


def _ring(r: Random, w: int) -> tuple[int, ...]:
    a = r.randint(5, 15 + 10 * w)
    return a, r.randint(2, a - 1)


def _box(r: Random, w: int) -> tuple[int, ...]:
    return r.randint(2, 9), r.randint(2, 9), r.randint(2, 10 + 5 * (w - 1))


def _rectangle(r: Random, w: int) -> tuple[int, ...]:
    b = r.randint(3, 9 + 4 * (w - 1))
    return b * r.randint(5, 40), b


def _committee(r: Random, w: int) -> tuple[int, ...]:
    return r.randint(3, 10 + 4 * w), r.randint(3, 10 + 4 * w)


def _consecutive(r: Random, w: int) -> tuple[int, ...]:
    a = r.randint(1, 20)
    return a, a + r.randint(5, 15 + 10 * (w - 1))


def _marbles(r: Random, w: int) -> tuple[int, ...]:
    return r.randint(2, 9 + 4 * w), r.randint(2, 9 + 4 * w)


FIGURES = (
    Family("trapezoid", LONG, _trapezoid, lambda a, b, c: str((a + b) * c // 2),
           ("Find the area of a trapezoid with bases {a} and {b} and height {c}.",),
           ("A garden is a trapezoid with parallel sides {a} m and {b} m, {c} m apart. Find its area in square meters.",)),
    Family("distance", LONG, _distance, lambda a, b, c, d: str(isqrt((c - a) ** 2 + (d - b) ** 2)),
           ("Find the distance between the points ({a}, {b}) and ({c}, {d}).",
            "How long is the segment that joins the points ({a}, {b}) and ({c}, {d})?"),
           ("A ship sails from ({a}, {b}) straight to ({c}, {d}). How far does it sail?",)),
    Family("ring", LONG, _ring, lambda a, b: f"{a * a - b * b}π",
           ("Two circles have the same center and radii {a} and {b}. Find the area between them.",),
           ("A flat ring has outer radius {a} and inner radius {b}. What is its area?",)),
    Family("box", ALL, _box, lambda a, b, c: str(2 * (a * b + b * c + c * a)),
           ("Find the surface area of a box with edges {a}, {b} and {c}.",),
           ("How much paper covers a closed box {a} by {b} by {c}?",)),
    Family("rectangle", SPEED, _rectangle, lambda a, b: str(2 * (a // b + b)),
           ("A rectangle has area {a} and width {b}. Find its perimeter.",),
           ("A field of area {a} is {b} wide. How long is the fence around it?",)),
    Family("committee", LONG, _committee, lambda a, b: str(comb(a, 2) * comb(b, 2)),
           ("How many committees of 2 boys and 2 girls can be chosen from {a} boys and {b} girls?",
            "From a club of {a} boys and {b} girls, in how many ways can 2 boys and 2 girls be picked?"),
           ("A menu has {a} soups and {b} salads. In how many ways can one pick 2 soups and 2 salads?",)),
    Family("consecutive", SPEED, _consecutive, lambda a, b: str(sum(range(a, b + 1))),
           ("Find the sum of the integers from {a} to {b}.", "Add all whole numbers from {a} through {b}."),
           ("A baker sells one more loaf each day, from {a} on the first day to {b} on the last. How many loaves in all?",)),
    Family("marbles", SENIOR, _marbles, lambda a, b: str(Fraction(comb(a, 2), comb(a + b, 2))),
           ("A bag holds {a} red and {b} blue marbles. Two are drawn without replacement. What is the probability that both are red?",
            "Two cards are drawn from {a} red cards and {b} black cards. Find the probability that both are red."),
           ("From {a} men and {b} women two are picked at random. What is the probability that both are men?",)),
)  # fmt: skip
