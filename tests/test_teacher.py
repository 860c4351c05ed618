"""The symbolic teacher: every family from its words alone, exact work, six levels that shrink and keep the answer."""

import re
from fractions import Fraction
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distill.competition.competition_problems import EXAMS, FAMILIES, TRANSFER, draw
from distill.records.level import ANSWER
from distill.symbolic import arithmetic_steps
from distill.symbolic.symbolic_teacher import ANSWER_LINE, Unsolved, condense, solve
from tests.tiny_model import LEVELS

SOLVED = [
    ("Solve for x: 7x + 12 = 89.", "11"),
    ("If x + y = 47 and x - y = 13, find the ordered pair (x, y).", "(30, 17)"),
    ("If f(x) = 3x^2 - 5x + 7, find f(12).", "379"),
    ("Find term number 25 of the arithmetic sequence with first term 7 and common difference 5.", "127"),
    ("The roots of x^2 - 13x + 21 = 0 are r and s. Find r^2 + s^2.", "127"),
    ("Simplify √432.", "12√3"),
    ("What is 35% of 480?", "168"),
    ("The average of 12, 45, 33, 27 and x is 35. Find x.", "58"),
    ("Find the greatest common divisor of 84 and 36.", "12"),
    ("Find the least common multiple of 12 and 18.", "36"),
    ("Find the remainder when 4723 is divided by 37.", "24"),
    ("How many positive divisors does 360 have?", "24"),
    ("Write the base 7 number 345 in base ten.", "180"),
    ("What is the units digit of 7^{43}?", "3"),
    ("Compute 47 × 86.", "4042"),
    ("Compute 63^2 - 37^2.", "2600"),
    ("Find 3/4 + 5/6 as a reduced fraction.", "19/12"),
    ("Find the area of a trapezoid with bases 13 and 21 and height 14.", "238"),
    ("Find the distance between the points (3, 4) and (15, 9).", "13"),
    ("Two circles have the same center and radii 13 and 8. Find the area between them.", "105π"),
    ("Find the surface area of a box with edges 2, 3 and 4.", "52"),
    ("A rectangle has area 96 and width 8. Find its perimeter.", "40"),
    ("How many committees of 2 boys and 2 girls can be chosen from 9 boys and 7 girls?", "756"),
    ("Find the sum of the integers from 11 to 40.", "765"),
    ("A bag holds 5 red and 7 blue marbles. Two are drawn without replacement. What is the probability that both are red?", "5/33"),
]


@pytest.mark.parametrize(("statement", "answer"), SOLVED, ids=[answer for _, answer in SOLVED])
def test_solves_from_the_statement(statement: str, answer: str) -> None:
    assert solve(statement)[1] == answer


def test_a_changed_number_changes_the_answer() -> None:
    assert solve("Compute 47 × 86.")[1] != solve("Compute 47 × 87.")[1]


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
@pytest.mark.parametrize(("pool", "width"), [(EXAMS, 1), (TRANSFER, 2)])
def test_agrees_with_the_closed_form_on_every_wording(family, pool: str, width: int) -> None:  # type: ignore[no-untyped-def]
    for numbers, wording in zip(draw(family, pool, Random(5), width), (family.exam + family.transfer) * 10, strict=False):
        assert solve(family.statement(wording, numbers))[1] == family.gold(*numbers), wording


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("What is the meaning of this?", "no solver fits"),
        ("", "no solver fits"),
        ("Solve for x: 7x + 12 = 90.", "numbers do not work out"),
        ("Write the base 4 number 345 in base ten.", "numbers do not work out"),
        ("Find the distance between the points (3, 4) and (15, 10).", "numbers do not work out"),
        ("A rectangle has area 96 and width 0. Find its perimeter.", "numbers do not work out"),
        ("Find 3/0 + 5/6 as a reduced fraction.", "numbers do not work out"),
        ("What is the units digit of 7^43", "3"),
    ],
)
def test_says_why_it_cannot(statement: str, reason: str) -> None:
    if reason.isdigit():
        assert solve(statement)[1] == reason
        return
    with pytest.raises(Unsolved, match=reason):
        solve(statement)


def test_levels_of_one_problem() -> None:
    chain, _ = solve("Compute 47 × 86.")
    assert condense(chain, "r1") == chain
    assert condense(chain, "r2") == (
        "Working:\nMultiply digit by digit.\nPlan: 47*86\nProduct: 47*86 (86*40=3440; 86*7=602; 3440+602=4042)=4042\nAnswer: 4042"
    )
    assert condense(chain, "r3") == "Steps:\nMultiply digit by digit.\nPlan: 47*86\nProduct: 47*86=4042\nAnswer: 4042"
    assert condense(chain, "r4") == "Results:\nMultiply digit by digit.\nPlan: 47*86\nProduct 4042\nAnswer: 4042"
    assert condense(chain, "r5") == "Formula:\nMultiply digit by digit.\nPlan: 47*86\nAnswer: 4042"
    assert condense(chain, "r6") == "Idea:\nMultiply digit by digit.\nAnswer: 4042"
    assert condense(chain, ANSWER) == "Answer: 4042"


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_levels_never_grow_and_keep_the_answer(family) -> None:  # type: ignore[no-untyped-def]
    for numbers, _ in zip(draw(family, EXAMS, Random(6), 1), range(20), strict=False):
        chain, answer = solve(family.statement(family.exam[0], numbers))
        texts = [condense(chain, level) for level in (*LEVELS, ANSWER)]
        words = [len(text.split()) for text in texts]
        assert words == sorted(words, reverse=True)
        assert all(text.split("\n")[-1] == ANSWER_LINE + answer for text in texts)


def _holds(text: str) -> bool:
    """Every 'a op b = c' of an expansion or step is true, by Fraction arithmetic of the test's own."""
    for a, sign, b, c in re.findall(r"(\d+)([-+*/])(\d+)=(\d+)(?![*\d])", re.sub(r" \([^()]*\)", "", text)):
        value = {"+": Fraction(a) + int(b), "-": Fraction(a) - int(b), "*": Fraction(a) * int(b), "/": Fraction(a) / int(b)}[sign]
        if value != int(c):
            return False
    return True


@given(st.integers(2, 9999), st.integers(2, 999), st.integers(0, 2))
def test_written_arithmetic_is_true(a: int, b: int, deep: int) -> None:
    big, small = max(a, b), min(a, b)
    for text, result in (
        (arithmetic_steps.add(a, b, deep), a + b),
        (arithmetic_steps.subtract(big, small, deep), big - small),
        (arithmetic_steps.multiply(a, b, deep), a * b),
        (arithmetic_steps.divide(a * b, b, deep), a),
        (arithmetic_steps.modulo(a, b, deep), a % b),
    ):
        assert text.endswith(f"={result}")
        while " (" in text:
            inner = re.search(r" \(([^()]*)\)", text)
            assert inner is not None
            assert all(_holds(part) for part in inner[1].split("; "))
            text = text.replace(inner[0], "", 1)
        assert _holds(text)
