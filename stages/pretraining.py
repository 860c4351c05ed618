"""Write the texts that the embedded study's student is pretrained on.

They give it what Qwen has before distillation: the arithmetic, and every style of reasoning from a full chain to a bare answer, each
wording with a usual style of its own, so that it uses its skill unreliably. No (family, numbers) of an exam or of the transfer
benchmark stands here; their wordings do.
"""

import sys
from collections.abc import Iterator
from itertools import chain, cycle, islice
from pathlib import Path
from random import Random

import msgspec
from tqdm import tqdm

from distill.cli import command
from distill.competition.competition_problems import FAMILIES, PRETRAINING, draw
from distill.core import study_file
from distill.core.files import write_records
from distill.records.example import Example, Message
from distill.symbolic import arithmetic_steps
from distill.symbolic.symbolic_teacher import condense, solve


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Section `pretraining`."""

    seed: int
    problems: int  # worked problems of each family
    drills: int  # single operations
    styles: dict[str, int]  # weight of each reasoning level
    house: float  # share of a wording's texts that are in its usual style; the others follow the weights


def problems(params: Params, random: Random) -> Iterator[Example]:
    """Yield the worked problems, each family's distinct numbers in turn, each in one wording and one style."""
    styles, weights = list(params.styles), list(params.styles.values())
    usual = house_styles(params)
    for family in FAMILIES:
        stocks = [list(islice(draw(family, PRETRAINING, random, width), params.problems // 2)) for width in (1, 2)]
        narrow, wide = (cycle(stock) for stock in stocks)
        numbers_in_turn = chain.from_iterable(zip(narrow, narrow, wide, strict=True))  # exams' numbers twice as often as wider ones
        for number, numbers in enumerate(islice(numbers_in_turn, params.problems)):
            wording = random.choice(family.exam + family.transfer)
            style = usual[wording] if random.random() < params.house else random.choices(styles, weights)[0]
            statement = family.statement(wording, numbers)
            yield _example(f"{family.name}-{number:05}", statement, condense(solve(statement)[0], style))


def house_styles(params: Params) -> dict[str, str]:
    """Return each wording's usual style, dealt out in turn by the weights: as on the web, kinds of problems have customs."""
    deck = [style for style, weight in params.styles.items() for _ in range(weight)]
    Random(params.seed).shuffle(deck)
    wordings = [wording for family in FAMILIES for wording in family.exam] + [wording for family in FAMILIES for wording in family.transfer]
    return dict(zip(wordings, cycle(deck), strict=False))


def drills(params: Params, random: Random) -> Iterator[Example]:
    """Yield single operations, written with inner, outer or no expansions."""
    for number in range(params.drills):
        a, b = random.randint(2, 10 ** random.randint(1, 3)), random.randint(2, 10 ** random.randint(1, 3))
        symbol, written = random.choice(
            (
                ("+", arithmetic_steps.add),
                ("-", arithmetic_steps.subtract),
                ("*", arithmetic_steps.multiply),
                ("/", arithmetic_steps.divide),
                (" mod ", arithmetic_steps.modulo),
            )
        )
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


def main(study: str, out: str) -> None:
    """Read section `pretraining`, write the texts."""
    params = study_file.section(study, "pretraining", Params)
    random = Random(params.seed)
    total = len(FAMILIES) * params.problems + params.drills
    texts = tqdm(chain(problems(params, random), drills(params, random)), total=total, unit="text", desc="pretraining", file=sys.stderr)
    wrote = write_records(Path(out), texts)
    command.closing("pretraining", wrote, wrote)


if __name__ == "__main__":
    command.run(main)
