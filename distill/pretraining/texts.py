"""The texts that the embedded study's student is pretrained on.

They give it what Qwen has before distillation: arithmetic, and every style of reasoning from a full chain to a bare answer. Each wording
has a usual style, so that the student uses its skill unreliably. No (family, numbers) of an exam or of the transfer benchmark is among
them; their wordings are.
"""

from collections.abc import Iterator
from itertools import chain, cycle, islice
from random import Random
from typing import Annotated

import msgspec
from msgspec import Meta

from distill.competition.competition_problems import FAMILIES, PRETRAINING, draw
from distill.records.example import Example, Message
from distill.symbolic import arithmetic_steps
from distill.symbolic.symbolic_teacher import condense, solve

Whole = Annotated[int, Meta(ge=0)]
Share = Annotated[float, Meta(ge=0, le=1)]


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Section `pretraining` of a study file."""

    seed: Whole
    problems: Whole  # worked problems of each family
    drills: Whole  # single operations
    styles: dict[str, Whole]  # weight of each reasoning level
    style_consistency: Share  # of a wording's texts in its usual style; the rest by the weights


def size(params: Params) -> int:
    """Return the number of texts."""
    return len(FAMILIES) * params.problems + params.drills


def texts(params: Params) -> Iterator[Example]:
    """Yield the worked problems, then the drills."""
    random = Random(params.seed)
    return chain(problems(params, random), drills(params, random))


def problems(params: Params, random: Random) -> Iterator[Example]:
    """Yield the worked problems: each family's distinct numbers in turn, each in one wording and one style."""
    styles, weights = list(params.styles), list(params.styles.values())
    usual = usual_styles(params)
    for family in FAMILIES:
        stocks = [list(islice(draw(family, PRETRAINING, random, width), params.problems // 2)) for width in (1, 2)]
        narrow, wide = (cycle(stock) for stock in stocks)
        numbers_in_turn = chain.from_iterable(zip(narrow, narrow, wide, strict=True))  # exams' numbers twice as often as wider ones
        for number, numbers in enumerate(islice(numbers_in_turn, params.problems)):
            wording = random.choice(family.exam + family.transfer)
            style = usual[wording] if random.random() < params.style_consistency else random.choices(styles, weights)[0]
            statement = family.statement(wording, numbers)
            yield _example(f"{family.name}-{number:05}", statement, condense(solve(statement)[0], style))


def usual_styles(params: Params) -> dict[str, str]:
    """Return each wording's usual style, dealt in turn by the weights."""
    deck = [style for style, weight in params.styles.items() for _ in range(weight)]
    Random(params.seed).shuffle(deck)
    wordings = [wording for family in FAMILIES for wording in family.exam] + [wording for family in FAMILIES for wording in family.transfer]
    return dict(zip(wordings, cycle(deck), strict=False))


def drills(params: Params, random: Random) -> Iterator[Example]:
    """Yield single operations, written with inner, outer or no expansions."""
    operations = (
        ("+", arithmetic_steps.add),
        ("-", arithmetic_steps.subtract),
        ("*", arithmetic_steps.multiply),
        ("/", arithmetic_steps.divide),
        (" mod ", arithmetic_steps.modulo),
    )
    for number in range(params.drills):
        a, b = random.randint(2, 10 ** random.randint(1, 3)), random.randint(2, 10 ** random.randint(1, 3))
        symbol, written = random.choice(operations)
        if symbol == "-":
            a, b = max(a, b), min(a, b)
        elif symbol == "*":
            b = b % 30 or 7
        elif symbol == "/":
            b = b % 12 + 2
            a = a % 100 * b
        elif symbol == " mod ":
            b = b % 20 + 2
        yield _example(f"drill-{number:05}", f"{a}{symbol}{b}", written(a, b, random.choice((0, 1, 2))))


def _example(name: str, statement: str, text: str) -> Example:
    return Example(name, [Message("user", statement), Message("assistant", text)])
