"""Write the texts that the embedded study's student is pretrained on.

They give it what Qwen has before distillation: the arithmetic and every style of reasoning, from a full chain to a bare answer, with
no preference among them. No (family, numbers) of an exam or of the transfer benchmark stands here; their wordings do.
"""

import sys
from collections.abc import Iterator
from itertools import chain, cycle, islice
from pathlib import Path
from random import Random

import msgspec
from tqdm import tqdm

from stages.competition.problems import FAMILIES, PRETRAINING, draw
from stages.shared import stage
from stages.shared.chat import Example, Message
from stages.shared.files import write_records
from stages.teacher import work
from stages.teacher.symbolic import condense, solve


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Section `pretraining`."""

    seed: int
    problems: int  # worked problems of each family
    drills: int  # single operations
    styles: dict[str, int]  # weight of each reasoning level


def problems(params: Params, random: Random) -> Iterator[Example]:
    """Yield the worked problems, each family's distinct numbers in turn, each in one wording and one style."""
    styles, weights = list(params.styles), list(params.styles.values())
    for family in FAMILIES:
        stock = list(islice(draw(family, PRETRAINING, random, 2), params.problems))
        for number, numbers in enumerate(islice(cycle(stock), params.problems)):
            statement = family.statement(random.choice(family.exam + family.transfer), numbers)
            text = condense(solve(statement)[0], random.choices(styles, weights)[0])
            yield _example(f"{family.name}-{number:05}", statement, text)


def drills(params: Params, random: Random) -> Iterator[Example]:
    """Yield single operations, written with inner, outer or no expansions."""
    for number in range(params.drills):
        a, b = random.randint(2, 10 ** random.randint(1, 3)), random.randint(2, 10 ** random.randint(1, 3))
        symbol, written = random.choice(
            (("+", work.add), ("-", work.subtract), ("*", work.multiply), ("/", work.divide), (" mod ", work.modulo))
        )
        if symbol == "-":
            a, b = max(a, b), min(a, b)
        elif symbol == "*":
            b = b % 100 or 7
        elif symbol == "/":
            b = b % 30 + 2
            a = a % 200 * b
        elif symbol == " mod ":
            a, b = a * 7 + b, b % 60 + 2
        yield _example(f"drill-{number:05}", f"{a}{symbol}{b}", written(a, b, random.choice((0, 1, 2))))


def _example(name: str, statement: str, text: str) -> Example:
    return Example(name, [Message("user", statement), Message("assistant", text)])


def main(study: str, out: str) -> None:
    """Read section `pretraining`, write the texts."""
    params = stage.section(study, "pretraining", Params)
    random = Random(params.seed)
    total = len(FAMILIES) * params.problems + params.drills
    texts = tqdm(chain(problems(params, random), drills(params, random)), total=total, unit="text", desc="pretraining", file=sys.stderr)
    wrote = write_records(Path(out), texts)
    stage.closing("pretraining", wrote, wrote)


if __name__ == "__main__":
    stage.run(main)
