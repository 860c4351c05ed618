"""A problem family: how its numbers are drawn, how it is worded, and its gold answer by a closed form of its own."""

from collections.abc import Callable
from random import Random
from typing import NamedTuple

ALL = ("freshman-sophomore", "junior-senior", "two-person")
LONG = ALL[:2]
SENIOR = ALL[1:2]
SPEED = ALL[2:]


class Family(NamedTuple):
    """One parameterised kind of problem; its numbers fill the fields a, b, c, ... of a wording."""

    name: str
    sections: tuple[str, ...]  # the tests that print it
    draw: Callable[[Random, int], tuple[int, ...]]  # (random, width) -> numbers; width 1 on exams, 2 on the transfer benchmark
    gold: Callable[..., str]  # numbers -> answer in competition form
    exam: tuple[str, ...]  # wordings on exams
    transfer: tuple[str, ...]  # wordings on the transfer benchmark, never on an exam

    def statement(self, wording: str, numbers: tuple[int, ...]) -> str:
        """Fill a wording: ``{a}`` is the first number, ``{b}`` the second, and so on."""
        return wording.format(**dict(zip("abcdefg", numbers, strict=False)))
