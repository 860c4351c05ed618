"""The invented competition: nothing overlaps, everything is printed once, and the same seed prints the same exams."""

from collections import Counter
from itertools import combinations, islice
from random import Random

import pytest

from distill.competition.competition_problems import EXAMS, FAMILIES, PRETRAINING, TRANSFER, TUNING, draw, exams, pool, transfer
from distill.pretraining.texts import Params, problems

COUNTS = {"freshman-sophomore": 22, "junior-senior": 22, "two-person": 18}
YEARS = range(2011, 2026)


def test_exams_print_every_problem_once() -> None:
    printed = exams(20110, YEARS, COUNTS)
    statements = [item.statement for exam in printed for item in exam.items]
    assert len(statements) == 15 * sum(COUNTS.values())
    assert max(Counter(statements).values()) == 1
    assert [item.number for item in printed[0].items] == [str(n) for n in range(1, 23)]


def test_exams_follow_their_seed() -> None:
    assert exams(1, range(2011, 2013), COUNTS) == exams(1, range(2011, 2013), COUNTS)
    assert exams(1, range(2011, 2013), COUNTS) != exams(2, range(2011, 2013), COUNTS)


def test_too_many_problems_is_an_error_that_names_the_family() -> None:
    with pytest.raises(ValueError, match=r"^\w+: fewer problems"):
        exams(1, range(2011, 2200), COUNTS)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_pools_share_no_numbers(family) -> None:  # type: ignore[no-untyped-def]
    widths = {EXAMS: 1, TRANSFER: 2, TUNING: 1, PRETRAINING: 2}
    drawn = {name: set(islice(draw(family, name, Random(1), width), 500)) for name, width in widths.items()}
    assert all(pool(family.name, numbers) == name for name, found in drawn.items() for numbers in found)
    assert not any(drawn[one] & drawn[other] for one, other in combinations(widths, 2))
    assert all(drawn.values())


def test_transfer_uses_other_wordings() -> None:
    exam_statements = {family.name: family.exam for family in FAMILIES}
    assert len({item.statement for item in transfer(77, 300)}) == 300
    assert not {wording for family in FAMILIES for wording in family.transfer} & {w for ws in exam_statements.values() for w in ws}


def test_pretraining_has_no_exam_and_no_transfer_problem() -> None:
    params = Params(seed=3, problems=150, drills=0, styles={"r6": 1, "answer": 1}, style_consistency=0.5)
    seen = {text.messages[0].content for text in problems(params, Random(3))}
    asked = {item.statement for exam in exams(20110, YEARS, COUNTS) for item in exam.items} | {item.statement for item in transfer(77, 300)}
    assert not seen & asked


def test_pretraining_styles_follow_their_weights() -> None:
    params = Params(seed=3, problems=100, drills=0, styles={"r6": 3, "answer": 1}, style_consistency=0.0)
    openings = Counter(text.messages[1].content.split()[0] for text in problems(params, Random(3)))
    assert set(openings) == {"Idea:", "Answer:"}
    assert 0.68 < openings["Idea:"] / openings.total() < 0.82
