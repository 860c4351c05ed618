"""What each page of an exam file is: a test, a blank answer sheet, a key, a team round or its solutions; and of which section."""

import re
from typing import NamedTuple

from distill.extraction import key_pages
from distill.extraction.boxes import Box, Scan, lines

MOST = 99  # no test has so many items
HEAD = 0.19  # what stands above this share of a page's height is its head
KINDS = ("blank", "key", "other", "sheet", "solutions", "team", "test")
TITLES = {
    "team": re.compile(r"team (test|competition|round)|person team|team solutions"),
    "freshman-sophomore": re.compile(r"fresh\w*\W*soph"),
    "junior-senior": re.compile(r"jun\w*\W*sen"),
    "two-person": re.compile(r"two\W*person|2\W*person"),
}
FIELD = re.compile(r"^(names?|team code|school)\b")
FORM = re.compile(r"^(name|team code|school|note: all|answers? for)\b")  # what a sheet or a key, and no test, says in its head


class Leaf(NamedTuple):
    """A page with its class and section ("" for a team's pages)."""

    scan: Scan
    kind: str
    section: str


def classed(scans: list[Scan], section: str, rounds: int) -> list[Leaf]:
    """Class a file's pages in order: a page without a title goes on with the page before it; `section` is the file's own, if it has one."""
    leaves: list[Leaf] = []
    last = Leaf(scans[0], "other", section) if scans else None
    for scan in scans:
        title = _title(scan)
        if not scan.boxes:
            leaves.append(Leaf(scan, "blank", ""))
            continue
        assert last is not None
        if title == "team":
            last = Leaf(scan, "solutions" if _solved(scan) else "team", "")
        elif is_form(scan):
            most = rounds if "two-person" in (title, section) else MOST
            last = Leaf(scan, "key" if key_pages.is_filled(scan, most) else "sheet", title or section)
        elif title:
            last = Leaf(scan, "test", title)
        elif last.kind in ("team", "solutions"):
            last = Leaf(scan, "solutions" if last.kind == "solutions" or _solved(scan) else "team", "")
        else:
            last = last._replace(scan=scan, kind="test" if last.kind == "other" else last.kind)
        leaves.append(last)
    return leaves


def _head(scan: Scan) -> list[Box]:
    return [box for box in scan.boxes if box.y1 < HEAD * scan.height]


def _title(scan: Scan) -> str:
    """Return the section, or team, that the page's head names; "" where it names none."""
    words = " ".join(box.text for row in lines(_head(scan)) for box in row if not FIELD.match(box.text.lower())).lower()
    return next((name for name, form in TITLES.items() if form.search(words)), "")


def is_form(scan: Scan) -> bool:
    """Tell whether a page asks for a name in its head: an answer sheet, or a key, which is a sheet filled in."""
    return any(FORM.match(box.text.lower()) for box in _head(scan))


def _solved(scan: Scan) -> bool:
    return any(re.search(r"^solutions?\b|\bkey$", box.text.lower()) for box in scan.boxes)
