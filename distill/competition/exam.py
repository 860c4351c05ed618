"""A test as it is printed: the one thing that the generator of problems and the typesetter both know."""

from typing import NamedTuple


class Item(NamedTuple):
    """One numbered problem.

    `statement` and `gold` are plain text in the project's own notation: ``x^2`` and ``3^{10}`` are exponents, ``√12`` is a radical, ``3/4``
    between whole numbers is a fraction, ``π`` is itself. The typesetter prints them as a competition would.
    """

    number: str
    statement: str
    gold: str


class Exam(NamedTuple):
    """One section's test of one year."""

    year: int
    section: str  # freshman-sophomore | junior-senior | two-person
    items: tuple[Item, ...]
