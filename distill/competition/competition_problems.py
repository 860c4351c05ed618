"""Which problems exist, and who may print them.

Each (family, numbers) belongs to exactly one pool, by a hash: exams, the transfer benchmark, tuning, or the pretraining of the student.
Nothing that a student saw in pretraining can thus be on an exam, no exam problem in the transfer benchmark, and no choice made on
tuning problems has seen a problem that judges it, whatever the wording and however the exams are drawn.
"""

import hashlib
from collections.abc import Iterator
from random import Random

from distill.competition.algebra import ALGEBRA
from distill.competition.exam import Exam, Item
from distill.competition.family import Family
from distill.competition.figures import FIGURES
from distill.competition.numbers import NUMBERS

FAMILIES: tuple[Family, ...] = ALGEBRA + NUMBERS + FIGURES
EXAMS, TRANSFER, TUNING, PRETRAINING = "exams", "transfer", "tuning", "pretraining"
TENTHS = (TUNING, *2 * (PRETRAINING,), TRANSFER, *3 * (EXAMS,), *3 * (PRETRAINING,))  # of the exams' tenths none was ever tuned on


def pool(family: str, numbers: tuple[int, ...]) -> str:
    """Return the pool of a problem, each tenth of them going to one."""
    return TENTHS[int.from_bytes(hashlib.sha256(f"{family} {numbers}".encode()).digest()[:8], "big") % len(TENTHS)]


def draw(family: Family, wanted: str, random: Random, width: int) -> Iterator[tuple[int, ...]]:
    """Yield distinct numbers of `family` that belong to pool `wanted`, until none is found in 10,000 draws."""
    seen: set[tuple[int, ...]] = set()
    missed = 0
    while missed < 10_000:
        numbers = family.draw(random, width)
        if numbers in seen or pool(family.name, numbers) != wanted:
            missed += 1
            continue
        missed = 0
        seen.add(numbers)
        yield numbers


def exams(seed: int, years: range, counts: dict[str, int]) -> list[Exam]:
    """Return one exam for each year and section of `counts` (problems a test); no problem is printed twice."""
    random = Random(seed)
    stock = {family.name: draw(family, EXAMS, random, 1) for family in FAMILIES}
    return [Exam(year, section, _items(section, count, random, stock)) for year in years for section, count in counts.items()]


def _items(section: str, count: int, random: Random, stock: dict[str, Iterator[tuple[int, ...]]]) -> tuple[Item, ...]:
    families = [family for family in FAMILIES if section in family.sections]
    chosen: list[Family] = []
    while len(chosen) < count:  # every family of the section once before any comes again
        chosen += random.sample(families, min(len(families), count - len(chosen)))
    items = []
    for number, family in enumerate(chosen, 1):
        numbers = next(stock[family.name], None)
        if numbers is None:
            raise ValueError(f"{family.name}: fewer problems than the exams of all years ask for; widen its draw or print fewer problems")
        items.append(Item(str(number), family.statement(random.choice(family.exam), numbers), family.gold(*numbers)))
    return tuple(items)


def transfer(seed: int, count: int) -> list[Item]:
    """Return the transfer benchmark: other wordings and wider numbers, the families in turn."""
    random = Random(seed)
    stock = {family.name: draw(family, TRANSFER, random, 2) for family in FAMILIES}
    items = []
    for number in range(count):
        family = FAMILIES[number % len(FAMILIES)]
        numbers = next(stock[family.name])
        items.append(Item(str(number + 1), family.statement(random.choice(family.transfer), numbers), family.gold(*numbers)))
    return items
