"""The numbered items of a test's pages: which number, which boxes, which region of the page."""

import re
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from stages.extraction.boxes import Box, Scan, text
from stages.extraction.naming import named, place
from stages.extraction.pages import Leaf

ABOVE = 7.0  # points: what stands this much above an item's first line is still its own: a numerator, a raised mark
MARGIN = 22.0  # points: labels of one page begin within this of one another, whatever the skew
FOOT = 0.985  # what begins below this share of a page's height is the scanner's edge
ADVICE = re.compile(r"calculators? (may|are|can|must)\b", re.IGNORECASE)  # stands between two items of a two-person event
TIEBREAKER = r"(?:t[il1]e[- ]?breaker|tb|t)\s*[#.]?\s*(\d)\s*[.:)]*"
LABEL = re.compile(rf"\(?(?:(\d ?\d?)\s*[.,:)]|{TIEBREAKER})(?!\d)\s*(?:\(\s*t\s*\d\s*\))?\s*(.*)", re.IGNORECASE)


class Item(NamedTuple):
    """One numbered item as printed."""

    section: str
    number: str  # 7, T1
    page: int  # from 1: where it begins
    region: tuple[float, float, float, float]  # points on that page, upper left to lower right
    text: str
    score: float  # of its least certain box


def items(leaves: list[Leaf], rounds: int) -> list[Item]:
    """Return the items of a file's tests in printed order; a two-person item after the `rounds`th is a tiebreaker, whatever its name."""
    tests: dict[str, list[Scan]] = defaultdict(list)
    for leaf in leaves:
        if leaf.kind == "test":
            tests[leaf.section].append(leaf.scan)
    return [item for section, scans in tests.items() for item in _of_test(section, scans, rounds if section == "two-person" else 99)]


def _of_test(section: str, scans: list[Scan], rounds: int) -> list[Item]:
    found: list[Item] = []
    last = 0
    for scan in scans:
        starts = _starts(scan, last, rounds)
        boxes = [box for box in scan.boxes if box.y0 < FOOT * scan.height and not ADVICE.search(box.text)]
        tops = [box.y0 - ABOVE for _, box, _ in starts] + [scan.height]
        right = max((box.x1 for box in boxes), default=scan.width)
        for (at, label, rest), top, below in zip(starts, tops, tops[1:], strict=False):
            own = [box for box in boxes if top <= box.middle < below and box != label]
            own += [label._replace(text=rest)] if rest else []
            foot = min(below, max(box.y1 for box in [label, *own]) + ABOVE) if below == scan.height else below
            region = (max(label.x0 - 4, 0), max(top, 0), min(right + 4, scan.width), foot)
            score = min((box.score for box in own), default=0.0)
            found.append(Item(section, named(at, rounds), scan.number, region, text(own), score))
        if starts:
            last = starts[-1][0]
        if found and (loose := [box for box in boxes if box.middle < tops[0] and (not starts or box.y0 > 0.03 * scan.height)]):
            carried = loose if scan is not scans[0] else []
            before = found[-1 - len(starts)] if len(found) > len(starts) else None
            if before and carried:
                found[-1 - len(starts)] = before._replace(text=f"{before.text} {text(carried)}".strip())
    return found


def _starts(scan: Scan, last: int, rounds: int) -> list[tuple[int, Box, str]]:
    """Return (place, label's box, what follows the label in it) of each item that begins on a page, in order."""
    labels = []
    for box in sorted(scan.boxes, key=lambda box: box.y0):
        if match := LABEL.match(box.text):
            labels.append((place((match[1] or f"T{match[2]}").replace(" ", ""), rounds), box, match[3].strip()))
    if not labels:
        return []
    left = min(box.x0 for _, box, _ in labels)
    labels = [label for label in labels if label[1].x0 - left < MARGIN]
    return _longest(labels, last)


def _longest(labels: list[tuple[int, Box, str]], last: int) -> list[tuple[int, Box, str]]:
    """Return the longest run of labels whose places rise from above `last`, by few at a time."""
    best: list[list[tuple[int, Box, str]]] = []
    for index, label in enumerate(labels):
        before = [run for run, other in zip(best, labels[:index], strict=True) if run and other[0] < label[0]]
        longest = max(before, key=lambda run: (len(run), -run[-1][0]), default=[])
        best.append([*longest, label] if label[0] > last else [])
    return max(best, key=lambda run: (len(run), -run[-1][0] if run else 0), default=[])


def unlabelled(boxes: Sequence[Box]) -> str:
    """Return what an item's boxes say, without its number."""
    own = [box for box in boxes if not ADVICE.search(box.text)]
    labels = [box for box in own if LABEL.match(box.text)]
    if labels:
        label = min(labels, key=lambda box: (round(box.x0 / MARGIN), box.y0))
        match = LABEL.match(label.text)
        assert match is not None
        own = [box for box in own if box is not label] + ([label._replace(text=match[3])] if match[3].strip() else [])
    return text(own)
