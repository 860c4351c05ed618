"""Answer keys: answer sheets filled in, in one or two columns of numbered rules."""

import re
from itertools import pairwise
from statistics import median
from typing import NamedTuple

from distill.extraction.item_numbers import named, position
from distill.extraction.page import Box, Page

LABEL = re.compile(r"\(?(t\s*)?(\d{1,2})\s*[.,:]?", re.IGNORECASE)
RULE = re.compile(r"[\s_.-]*_[\s_.-]*")  # the line to write on, as a text layer has it
BAR = re.compile(r"^[一二=]")  # a fraction's rule, read with its denominator
WIDE = 190.0  # points: an answer begins within this of its number
NOTE = 140.0  # points: small print beyond this is a note (the unit, the form that is asked for), not the answer


class Row(NamedTuple):
    """One numbered row."""

    position: int
    x: float
    y: float  # middle of the number


def rows(page: Page, rounds: int) -> list[Row]:
    """Return a form's rows; a number that was not recognised is found where its neighbours' spacing puts it."""
    labels = []
    for box in page.boxes:
        match = LABEL.fullmatch(box.text.strip())
        if match and box.x1 - box.x0 < 45 and box.y0 > 0.2 * page.height:
            at = position(f"T{match[2]}" if match[1] else match[2], rounds)
            labels.append(Row(at, box.x0, box.middle))
    columns = [[row for row in labels if row.x < 100], [row for row in labels if 290 < row.x < (450 if row.position > rounds else 400)]]
    return [row for column in columns for row in _completed(column, page)]


def _completed(column: list[Row], page: Page) -> list[Row]:
    """Keep the rows at one spacing, and add those that are missing between them."""
    steps = [(b.y - a.y) / (b.position - a.position) for a in column for b in column if b.position > a.position and b.y > a.y]
    if len(steps) < 3:
        return column if len(column) < 4 else []
    step = median(steps)
    zero = median(row.y - step * row.position for row in column)
    kept = {row.position: row for row in column if abs(row.y - zero - step * row.position) < 0.35 * step}
    if not kept:
        return []
    x = median(row.x for row in kept.values())
    first = min(kept) // 10 * 10 + 1 if min(kept) % 10 else min(kept)
    for at in range(min(first, min(kept)), max(max(kept), first + 9) + 1):
        y = zero + step * at
        if at not in kept and 0.2 * page.height < y < 0.97 * page.height:
            kept[at] = Row(at, x, y)
    return [kept[at] for at in sorted(kept)]


def answers(page: Page, rounds: int) -> dict[str, str]:
    """Return a key's answers by number, "" for a rule that is blank."""
    found = rows(page, rounds)
    heights = [box.y1 - box.y0 for box in page.boxes if LABEL.fullmatch(box.text.strip())]
    tall = median(heights) if heights else 15.0
    step = median([b.y - a.y for a, b in pairwise(found) if b.position == a.position + 1 and b.y > a.y] or [50.0])
    taken: dict[str, str] = {}
    for row in found:
        own = [box for box in page.boxes if _beside(box, row, step, tall)]
        taken[named(row.position, rounds)] = _spelled(own)
    return taken


def _beside(box: Box, row: Row, step: float, tall: float) -> bool:
    if RULE.fullmatch(box.text):
        return False
    reach = box.x0 - row.x
    if not (8 < reach < WIDE and -0.62 * step < box.middle - row.y < 0.38 * step) or (LABEL.fullmatch(box.text) and reach < 30):
        return False
    return not (reach > NOTE and box.y1 - box.y0 < 0.78 * tall)


def _spelled(boxes: list[Box]) -> str:
    """Join an answer's boxes; one below another is its denominator."""
    left = sorted(boxes, key=lambda box: (box.x0, box.y0))
    words: list[str] = []
    while left:
        box = left.pop(0)
        under = [other for other in left if min(box.x1, other.x1) - max(box.x0, other.x0) > 0.4 * min(box.x1 - box.x0, other.x1 - other.x0)]
        if under and abs(under[0].middle - box.middle) > 5:
            left.remove(under[0])
            over, below = sorted([box, under[0]], key=lambda one: one.middle)
            words.append(f"{over.text}/{BAR.sub('', below.text)}")
        else:
            words.append(box.text)
    return " ".join(words)


def is_filled(page: Page, rounds: int) -> bool:
    """Tell a key from a blank sheet: most numbers have an answer."""
    found = answers(page, rounds)
    return sum(map(bool, found.values())) > len(found) / 2
