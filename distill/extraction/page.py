"""A page as read: its text as lines of pieces and as boxes, each derived from the other where a reader gives only one."""

from collections.abc import Sequence
from typing import NamedTuple

SIGNS = str.maketrans("−–—‐‑’‘“”º", "-----''\"\"°")  # typographic signs that readers spell in one way
ABOVE, BELOW = 10.0, 3.0  # points: a piece of text reaches so far from its baseline
WIDTH = 5.0  # points a character
Region = tuple[float, float, float, float]  # left, top, right, bottom in points from a page's upper left corner
BESIDE = 11.0  # points: a fraction's numerator or a raised mark is this close to the middle of its line


class Box(NamedTuple):
    """Recognised text and its edges, in points from the page's upper left corner."""

    x0: float
    y0: float
    x1: float
    y1: float
    text: str
    score: float  # the recogniser's own, 0 to 1

    @property
    def middle(self) -> float:
        """Half-way between its top and its foot."""
        return (self.y0 + self.y1) / 2

    def moved(self, right: float, down: float) -> "Box":
        """Return the box elsewhere."""
        x0, x1, y0, y1 = (round(edge, 1) for edge in (self.x0 + right, self.x1 + right, self.y0 + down, self.y1 + down))
        return Box(x0, y0, x1, y1, self.text, self.score)


class Piece(NamedTuple):
    """Text without a wide gap; x in points from the page's left edge."""

    x: float
    text: str


class Line(NamedTuple):
    """What is on one baseline; y in points from the page's top edge, pieces from left to right."""

    y: float
    pieces: tuple[Piece, ...]

    @property
    def text(self) -> str:
        """The pieces, separated by spaces."""
        return " ".join(piece.text for piece in self.pieces)


class Page(NamedTuple):
    """One page as read."""

    number: int  # from 1
    width: float  # points
    height: float
    reader: str  # text | ocr
    lines: tuple[Line, ...]
    boxes: tuple[Box, ...]


def boxes_of(lines: Sequence[Line], width: float) -> tuple[Box, ...]:
    """Return lines as boxes: they say where a piece begins and its baseline, not where it ends."""
    pieces = [(line.y, piece) for line in lines for piece in line.pieces]
    return tuple(Box(piece.x, y - ABOVE, min(piece.x + WIDTH * len(piece.text), width), y + BELOW, piece.text, 1.0) for y, piece in pieces)


def lines_of(boxes: Sequence[Box]) -> list[Line]:
    """Return boxes as lines in reading order."""
    return [Line(row[0].y1 - BELOW, tuple(Piece(box.x0, box.text) for box in row)) for row in rows(boxes)]


def rows(boxes: Sequence[Box]) -> list[list[Box]]:
    """Group boxes into lines from top to bottom, each from left to right; small print goes to the line beside it."""
    found: list[list[Box]] = []
    for box in sorted(boxes, key=lambda box: (box.x0 - box.x1, box.y0)):  # the widest first: they are the lines of prose
        beside = [row for row in found if _fits(box, row)]
        if beside:
            min(beside, key=lambda row: abs(row[0].middle - box.middle)).append(box)
        else:
            found.append([box])
    found.sort(key=lambda row: row[0].middle)
    return [sorted(row, key=lambda box: (round(box.x0 / 6), box.y0)) for row in found]


def _fits(box: Box, row: list[Box]) -> bool:
    """Tell whether a box is on the height of a row's first box and does not cover another of its boxes on the same height."""
    if abs(row[0].middle - box.middle) > BESIDE:
        return False
    return not any(
        min(box.x1, other.x1) - max(box.x0, other.x0) > 0.3 * (box.x1 - box.x0) and abs(box.middle - other.middle) < 0.7 * BESIDE
        for other in row
    )


def text(boxes: Sequence[Box]) -> str:
    """Return what boxes say in reading order."""
    return " ".join(box.text for row in rows(boxes) for box in row)
