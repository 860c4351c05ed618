"""The numbered items of a test's pages: which number, which boxes, which region of the page."""

import re
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from distill.extraction.item_numbers import named, position
from distill.extraction.page import Box, Page, text
from distill.extraction.scan_pages import ClassifiedPage

ABOVE = 7.0  # points: what is this much above an item's first line is still its own: a numerator, a raised mark
BLANK, REACH = 7.0, 40.0  # points: a blank this high parts two items; what is higher than this above a label is not its own
MARGIN = 22.0  # points: labels of one page begin within this of one another, whatever the skew
FOOT = 0.985  # what begins below this share of a page's height is the scanner's edge
ADVICE = re.compile(r"calculators? (may|are|can|must)\b|^tiebreakers? \(", re.IGNORECASE)  # between two items of a two-person event
END = re.compile(r"answers?|answer key|solutions?", re.IGNORECASE)  # heads the answers where they follow the items on one page
TIEBREAKER = r"(?:t[il1]e[- ]?breaker|tb|t)\s*[#.]?\s*(\d)\s*[.:)]*"
LABEL = re.compile(rf"\(?(?:(\d ?\d?)\s*[.,:)]|{TIEBREAKER})(?!\d)\s*(?:\(\s*t\s*\d\s*\))?\s*(.*)", re.IGNORECASE)


class Item(NamedTuple):
    """One numbered item as printed."""

    section: str
    number: str  # 7, T1
    page: int  # from 1: where it begins
    region: tuple[float, float, float, float]  # points on that page, upper left to lower right
    text: str


def items(classified: list[ClassifiedPage], rounds: int) -> list[Item]:
    """Return the items of a file's tests in printed order; a two-person item after the `rounds`th is a tiebreaker, whatever its name."""
    tests: dict[str, list[Page]] = defaultdict(list)
    for each in classified:
        if each.kind == "test":
            tests[each.section].append(each.page)
    return [item for section, pages in tests.items() for item in _of_test(section, pages, rounds if section == "two-person" else 99)]


def _of_test(section: str, pages: list[Page], rounds: int) -> list[Item]:
    found: list[Item] = []
    last = 0
    for page in pages:
        boxes = _body(page)
        starts = _starts(boxes, last, rounds)
        labels = [label for _, label, _ in starts]
        tops = [_top(label, before, boxes) for before, label in zip([None, *labels], labels, strict=False)] + [page.height]
        right = max((box.x1 for box in boxes), default=page.width)
        carried = [box for box in boxes if box.middle < tops[0]]
        if found and carried:  # the last item of the page before goes on here
            found[-1] = found[-1]._replace(text=f"{found[-1].text} {text(carried)}".strip())
        for (at, label, rest), top, below in zip(starts, tops, tops[1:], strict=False):
            own = [box for box in boxes if top <= box.middle < below and box != label]
            own += [label._replace(text=rest)] if rest else []
            foot = max(box.y1 for box in [label, *own]) + ABOVE if below == page.height else below
            region = (max(label.x0 - 4, 0), max(top, 0), min(right + 4, page.width), max(min(foot, page.height), max(top, 0) + 1))
            found.append(Item(section, named(at, rounds), page.number, region, text(own)))
        last = starts[-1][0] if starts else last
    return found


def _body(page: Page) -> list[Box]:
    """Return what may belong to items: neither advice nor the scanner's edge, nor a list of answers at the end of the last page."""
    ends = [box.y0 for box in page.boxes if END.fullmatch(box.text.strip())]
    foot = min([FOOT * page.height, *ends])
    return [box._replace(text=box.text.strip()) for box in page.boxes if box.y0 < foot and not ADVICE.search(box.text)]


def _top(label: Box, before: Box | None, boxes: list[Box]) -> float:
    """Return where an item begins: in the blank above its label, which nothing crosses; its first line may be as high as a matrix."""
    close, top = label.y0 - ABOVE, label.y0
    for box in sorted((box for box in boxes if label.y0 - REACH < box.y1 and box.y0 < label.y0), key=lambda box: -box.y1):
        if box.y1 < top - BLANK:
            break
        top = min(top, box.y0)
    far = top < label.y0 - REACH or (before and top - BLANK < before.y1)
    return close if far else top - BLANK / 2


def _starts(boxes: list[Box], last: int, rounds: int) -> list[tuple[int, Box, str]]:
    """Return (position, label's box, what follows the label in it) of each item that begins on a page, in order."""
    labels = []
    for box in sorted(boxes, key=lambda box: box.y0):
        if match := LABEL.match(box.text):
            labels.append((position((match[1] or f"T{match[2]}").replace(" ", ""), rounds), box, match[3].strip()))
    if not labels:
        return []
    left = min(box.x0 for _, box, _ in labels)
    labels = [label for label in labels if label[1].x0 - left < MARGIN]
    return _longest(labels, last)


def _longest(labels: list[tuple[int, Box, str]], last: int) -> list[tuple[int, Box, str]]:
    """Return the longest run of labels whose positions rise from above `last`, by few at a time."""
    best: list[list[tuple[int, Box, str]]] = []
    for index, label in enumerate(labels):
        before = [run for run, other in zip(best, labels[:index], strict=True) if run and other[0] < label[0]]
        longest = max(before, key=lambda run: (len(run), -run[-1][0]), default=[])
        best.append([*longest, label] if label[0] > last else [])
    return max(best, key=lambda run: (len(run), -run[-1][0] if run else 0), default=[])


def unlabelled(boxes: Sequence[Box]) -> str:
    """Return what an item's boxes say, without its number."""
    own = [box._replace(text=box.text.strip()) for box in boxes if not ADVICE.search(box.text)]
    labels = [box for box in own if LABEL.match(box.text)]
    if labels:
        label = min(labels, key=lambda box: (round(box.x0 / MARGIN), box.y0))
        match = LABEL.match(label.text)
        assert match is not None
        own = [box for box in own if box is not label] + ([label._replace(text=match[3])] if match[3].strip() else [])
    return text(own)
