"""Why an item may be wrong: what can be seen of it without knowing the truth."""

import re
from collections.abc import Sequence
from statistics import median

from distill.extraction.general.booklets import Item, choices
from distill.extraction.general.glyphs import LOST
from distill.extraction.general.sheets import Sheet

UNSURE = 0.8  # a recogniser's score below it is a doubt
BELOW = 60.0  # points: a figure so far below an item's last line may be its own
RIGHT_TO_LEFT = re.compile(r"[\u0590-\u08ff]")
BROKEN = re.compile(
    r"sqrt\(\s*\)|\(\s*\)|[\^_](?![\w(\-])|/\s*(?:[).,;?]|$)|[-+=*/≤≥<>]\s*(?:[.?)]\s*)?$|[=+*/]\s*[=*/]|[\^_]\((?:[^()]*[A-Za-z]{3}|[^()]{14})|·\s*·(?!\.)"
)
MARK = re.compile(r"(?<!\S)[A-Ha-h0-9ivx]{1,3}\)")  # a) and 3) close no bracket


def of_item(item: Item, key: str, figure: str, sheets: Sequence[Sheet]) -> list[str]:
    """Return the doubts about an item that it shows by itself."""
    sheet = next(sheet for sheet in sheets if sheet.number == item.page)
    letters = choices(item.text)
    holds = {
        "needs_figure": bool(re.search(figure, item.text, re.IGNORECASE)) or _drawn(item, sheet),
        "formula_lost": is_broken(item.text) or is_broken(key) or item.lost > 0,
        "low_ocr_confidence": item.score < UNSURE,
        "number_gap": item.gap > 0,
        "numbering_restart": item.restart,
        "choices_incomplete": bool(letters) and letters != [chr(65 + place) for place in range(len(letters))],
        "key_missing": not key,
        "key_unlike_choices": bool(key) and _is_unlike(key, letters),
        "right_to_left": RIGHT_TO_LEFT.search(item.text) is not None,
        "two_up": sheet.two_up,
    }
    return [doubt for doubt, held in holds.items() if held]


def unusual(items: Sequence[Item]) -> set[tuple[str, str]]:
    """Return (section, number) of the items that are far shorter or longer than the others, or have fewer choices."""
    if len(items) < 5:
        return set()
    middle = median(len(item.text) for item in items)
    sizes = [len(choices(item.text)) for item in items]
    usual = max(set(sizes), key=sizes.count)
    odd = {
        item.number for item, size in zip(items, sizes, strict=True) if usual and size != usual and sizes.count(usual) > 0.6 * len(items)
    }
    return {
        (item.section, item.number)
        for item in items
        if len(item.text) < 12 or len(item.text) > 4 * middle + 250 or item.number in odd
    }  # fmt: skip


def is_broken(text: str) -> bool:
    """Tell a formula that lost a part: an open bracket, an operator without an operand, a character that is none.

    >>> is_broken("Find (x+1)/(x-1) if x = 3."), is_broken("Find (x+1/x-1)) =")
    (False, True)
    """
    closed = any(form.count("(") == form.count(")") for form in (text, MARK.sub("", text)))
    return LOST in text or not closed or text.count("|") % 2 == 1 or BROKEN.search(text) is not None


def _drawn(item: Item, sheet: Sheet) -> bool:
    left, top, right, bottom = item.region
    return any(x0 < right and x1 > left and y0 < bottom + BELOW and y1 > top for x0, y0, x1, y1 in sheet.drawings)


def _is_unlike(key: str, letters: Sequence[str]) -> bool:
    letter = re.fullmatch(r"\(?([A-Ha-h])\)?\.?", key.strip())
    if letters:
        return not letter or letter[1].upper() not in letters
    return letter is not None and letter[1].isupper()
