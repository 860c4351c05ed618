"""What each page of an exam file is: a test, a blank answer sheet, a key, a team round or its solutions; and of which section."""

import re
from typing import NamedTuple

from distill.extraction import key_pages
from distill.extraction.page import Box, Page, rows

MOST = 99  # no test has so many items
HEAD = 0.19  # what is above this share of a page's height is its head
KINDS = ("blank", "key", "other", "sheet", "solutions", "team", "test")
TITLES = {
    "team": re.compile(r"team (test|competition|round)|person team|team solutions"),
    "freshman-sophomore": re.compile(r"fresh\w*\W*soph"),
    "junior-senior": re.compile(r"jun\w*\W*sen"),
    "two-person": re.compile(r"two\W*person|2\W*person"),
}
FIELD = re.compile(r"^(names?|team code|school)\b")
FORM = re.compile(r"^(name|team code|school|note: all|answers? for)\b")  # what a sheet or a key, and no test, says in its head


class ClassifiedPage(NamedTuple):
    """A page with its class and section ("" for a team's pages)."""

    page: Page
    kind: str
    section: str


def classify(pages: list[Page], section: str, rounds: int) -> list[ClassifiedPage]:
    """Classify a file's pages in order: a page without a title continues the one before; `section` is the file's own, if it has one."""
    found: list[ClassifiedPage] = []
    last = ClassifiedPage(pages[0], "other", section) if pages else None
    for page in pages:
        title = _title(page)
        if not page.boxes:
            found.append(ClassifiedPage(page, "blank", ""))
            continue
        assert last is not None
        if title == "team":
            last = ClassifiedPage(page, "solutions" if _solved(page) else "team", "")
        elif is_form(page):
            most = rounds if "two-person" in (title, section) else MOST
            last = ClassifiedPage(page, "key" if key_pages.is_filled(page, most) else "sheet", title or section)
        elif title:
            last = ClassifiedPage(page, "test", title)
        elif last.kind in ("team", "solutions"):
            last = ClassifiedPage(page, "solutions" if last.kind == "solutions" or _solved(page) else "team", "")
        else:
            last = last._replace(page=page, kind="test" if last.kind == "other" else last.kind)
        found.append(last)
    return found


def _head(page: Page) -> list[Box]:
    return [box for box in page.boxes if box.y1 < HEAD * page.height]


def _title(page: Page) -> str:
    """Return the section, or team, that the page's head names; "" where it names none."""
    words = " ".join(box.text for row in rows(_head(page)) for box in row if not FIELD.match(box.text.lower())).lower()
    return next((name for name, form in TITLES.items() if form.search(words)), "")


def is_form(page: Page) -> bool:
    """Tell whether a page asks for a name in its head: an answer sheet, or a key, which is a sheet filled in."""
    return any(FORM.match(box.text.lower()) for box in _head(page))


def _solved(page: Page) -> bool:
    return any(re.search(r"^solutions?\b|\bkey$", box.text.lower()) for box in page.boxes)
