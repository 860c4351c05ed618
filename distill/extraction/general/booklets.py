"""The lines of a file as a test and its key: running heads and feet taken out, items in sections, answers after the key's heading."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from distill.extraction.general import answers, labels
from distill.extraction.general.answers import Answers
from distill.extraction.general.sheets import Line, Sheet
from distill.extraction.page import Region

EDGE = 0.12  # share of a page's height: a running head or foot is in it
COUNTER = re.compile(r"[-–(\[]?\s*(?:page|p\.|seite)?\s*\d{1,3}\s*(?:(?:of|/|von)\s*\d{1,3})?\s*[-–)\]]?", re.IGNORECASE)
CLOSING = re.compile(
    r"(?:stop\.?|end of (?:the )?(?:test|exam(?:ination)?|section|contest|round|questions|paper)\.?|go on(?: to the next page)?\.?"
    r"|(?:please )?turn (?:the )?(?:page )?over\.?|continued?(?: on (?:the )?next page)?\.?|(?:©|copyright).*)", re.IGNORECASE,
)  # fmt: skip
KEY = re.compile(
    r"(?:official )?(?:answer ?keys?|answers?(?: (?:to|for) .*| and solutions)?|solutions?(?: key)?|key)(?:\s*[:\-]?\s*\d{4})?\s*:?",
    re.IGNORECASE,
)
HEADING = re.compile(r"(?:part|section|round|division|event|test|team|individual|level)\b.{0,40}", re.IGNORECASE)
SHORT = 6  # words of a heading at most
LETTERED = re.compile(r"\(\s?([A-H])\s?\)|\b([A-H])\)")


class Item(NamedTuple):
    """One numbered item as read."""

    section: str
    number: str
    text: str
    page: int
    region: Region
    reader: str
    score: float  # the least certain of its spans
    lost: int
    gap: int
    restart: bool  # the first of numbers that begin again without a heading
    pages: tuple[int, ...]


class Booklet(NamedTuple):
    """What a file holds."""

    items: list[Item]
    keys: Answers
    key_page: int  # where the key begins; 0 without one
    heads: int  # lines of running heads and feet, left out
    before: int  # lines before the first item
    headings: int  # lines between items that name a section
    blanks: int  # numbers with nothing but a place to write on


def read(sheets: Sequence[Sheet], role: str) -> Booklet:
    """Split a file: `role` is exam (items, and a key at the end), key or solutions (answers alone)."""
    kept, heads = body(sheets)
    lines = [part for line in kept for part in _headed(line)]
    scanned = sum(sheet.reader == "ocr" for sheet in sheets) > len(sheets) / 2
    if role != "exam":
        return Booklet([], answers.read(lines, role == "solutions", scanned), 1, heads, 0, 0, 0)
    cuts = [place for place, line in enumerate(lines) if is_key_heading(line)]
    for cut in [*cuts, len(lines)]:  # what is headed so before the first item is no key
        found, before, headings, blanks = items(lines[:cut], sheets, scanned)
        if found or cut == len(lines):
            break
    keys = answers.read(lines[cut + 1 :], False, scanned)
    return Booklet(found, keys, lines[cut].page if cut < len(lines) else 0, heads, before, headings, blanks)


def body(sheets: Sequence[Sheet]) -> tuple[list[Line], int]:
    """Return the lines of all pages without their running heads and feet, and how many of these there were."""
    shapes = Counter(shape for sheet in sheets for shape in {_shape(line) for line in _edge(sheet)})
    kept, heads = [], 0
    for sheet in sheets:
        edge = _edge(sheet)
        for line in sheet.lines:
            text = line.text.strip()
            repeats = line in edge and shapes[_shape(line)] > max(1, len(sheets) / 3) and not labels.begins(line)
            if repeats or (line in edge and COUNTER.fullmatch(text)) or CLOSING.fullmatch(text):
                heads += 1
            else:
                kept.append(line)
    return kept, heads


def _edge(sheet: Sheet) -> list[Line]:
    """Return the outermost lines of a page: of those near its upper and its lower edge two each."""
    above = sorted((line for line in sheet.lines if line.spans[0].y < EDGE * sheet.height), key=lambda line: line.spans[0].y)
    below = sorted((line for line in sheet.lines if line.spans[0].y > (1 - EDGE) * sheet.height), key=lambda line: -line.spans[0].y)
    return above[:2] + below[:2]


def _shape(line: Line) -> str:
    """Return what a running head is known by: its words and its height on the page, whatever the numbers in it."""
    return f"{line.spans[0].y / 6:.0f} " + re.sub(r"\d+", "#", line.text.casefold())


def is_key_heading(line: Line) -> bool:
    """Tell a line that heads the answers: few words, and no sheet to write them on."""
    text = line.text.strip().strip("*-–—= ")
    return len(text.split()) <= SHORT and KEY.fullmatch(text) is not None and "sheet" not in text.lower()


def _headed(line: Line) -> list[Line]:
    """Part a key's heading from answers on its height."""
    first = line._replace(spans=line.spans[:1])
    return [first, line._replace(spans=line.spans[1:])] if len(line.spans) > 1 and is_key_heading(first) else [line]


def is_heading(line: Line, body_size: float) -> bool:
    """Tell a line that may name a section: few words, no sentence, and set apart by its words, its size or its capitals."""
    text = line.text.strip()
    if not text or len(text.split()) > SHORT or text[-1] in ".?,;" or not re.search(r"[^\W\d]{2}", text) or LETTERED.match(text):
        return False
    return HEADING.fullmatch(text) is not None or line.spans[0].size > 1.12 * body_size or (text.isupper() and len(text) > 5)


def items(lines: Sequence[Line], sheets: Sequence[Sheet], scanned: bool) -> tuple[list[Item], int, int, int]:
    """Return the items of a test in reading order, and how many lines are before the first, headings between them, blanks to fill in."""
    every = labels.starts(lines, scanned)
    starts = [start for start, stop in zip(every, _stops(every, lines), strict=True) if not _is_blank(start, lines[start.line + 1 : stop])]
    if not starts:
        return [], len(lines), 0, len(every)
    size = Counter(span.size for line in lines for span in line.spans for _ in span.text).most_common(1)[0][0]
    readers = {sheet.number: sheet.reader for sheet in sheets}
    several = any(start.restart for start in starts)
    found: list[Item] = []
    section, count, headings = "", 0, 0
    _, titles = _parted(lines[: starts[0].line], size)
    for start, stop in zip(starts, _stops(starts, lines), strict=True):
        unnamed = start.restart and not titles
        if several and (start.restart or not found):
            count += 1
            section = titles[-1] if titles else str(count)
        own, titles = _parted(lines[start.line + 1 : stop], size)
        headings += len(titles)
        found.append(_item(section, start, [lines[start.line], *own], readers, unnamed))
    return found, starts[0].line, headings, len(every) - len(starts)


def _stops(starts: Sequence[labels.Start], lines: Sequence[Line]) -> list[int]:
    return [*(start.line for start in starts[1:]), len(lines)][: len(starts)]


def _is_blank(start: labels.Start, own: Sequence[Line]) -> bool:
    """Tell a number on a sheet for answers: nothing but rules and other numbers goes with it."""
    text = " ".join([start.rest, *(line.text for line in own)])
    return not re.search(r"[^\W\d_]", text) and not re.search(r"\d", re.sub(r"\d+\s*[.):]", "", text))


def _parted(lines: Sequence[Line], size: float) -> tuple[list[Line], list[str]]:
    """Return lines without the headings at their end, and these."""
    own, titles = list(lines), list[str]()
    while own and is_heading(own[-1], size):
        titles.insert(0, own.pop().text.strip())
    return own, titles


def _item(section: str, start: labels.Start, own: Sequence[Line], readers: dict[int, str], unnamed: bool) -> Item:
    first = own[0]
    spans = [span for line in own for span in line.spans]
    texts = [start.rest, *(span.text for span in first.spans[1:])]
    lines = [" ".join(text for text in texts if text), *(line.text for line in own[1:])]
    here = [line.region for line in own if line.page == first.page and line.spans[0].column == first.spans[0].column]
    region = (min(r[0] for r in here) - 4, min(r[1] for r in here) - 4, max(r[2] for r in here) + 4, max(r[3] for r in here) + 4)
    region = tuple(round(max(edge, 0.0), 1) for edge in region)  # type: ignore[assignment]
    return Item(
        section, start.number, sorted_choices(joined(lines)), first.page, region, readers[first.page], min(span.score for span in spans),
        sum(span.lost for span in spans), start.gap, unnamed, tuple(sorted({line.page for line in own})),
    )  # fmt: skip


def joined(lines: Sequence[str]) -> str:
    """Join lines; a word that was parted at a line's end becomes whole.

    >>> joined(["the inte\u00ad", "gers of two\u00ad", "digit numbers"])
    'the integers of two-digit numbers'
    """
    text = ""
    for line in lines:
        if text.endswith("\u00ad"):
            head = text[:-1].rstrip("-")
            last = re.findall(r"[^\W\d_]+$", head)
            whole = not last or last[0].lower() in COMPOUND or not line[:1].islower()
            text = f"{head}-{line}" if whole else head + line
        else:
            text = f"{text} {line}"
    text = re.sub(r"(?:· ?){3}|⋯|…|\. ?\. ?\.", "...", text.replace("\u00ad", "-"))
    text = re.sub(r"\s+([,;:?!.)\]])(?!\d)", r"\1", re.sub(r"([(\[])\s+", r"\1", text))
    return " ".join(text.split())


COMPOUND = frozenset(
    [
        "one",
        "two",
        "three",
        "four",
        "five",
        "six",
        "seven",
        "eight",
        "nine",
        "ten",
        "non",
        "self",
        "half",
        "right",
        "equi",
        "co",
        "anti",
        "semi",
        "multi",
        "x",
        "y",
        "n",
    ]
)


def sorted_choices(text: str) -> str:
    """Put the choices of an item into the order of their letters, where a page prints them in columns.

    >>> sorted_choices("Find x. (A) 1 (C) 3 (B) 2 (D) 4")
    'Find x. (A) 1 (B) 2 (C) 3 (D) 4'
    """
    parts = re.split(r"(?=\(\s?[A-H]\s?\)\s)", text)
    letters = [part[1:3].strip(" )") for part in parts[1:]]
    if len(letters) < 3 or len(set(letters)) < len(letters) or letters == sorted(letters):
        return text
    return " ".join(part.strip() for part in [parts[0], *sorted(parts[1:], key=lambda part: part[1:3].strip(" )"))])


def choices(text: str) -> list[str]:
    """Return the letters of an item's choices; none where a text merely mentions (A)."""
    found = [match[1] or match[2] for match in LETTERED.finditer(text)]
    return found if len(found) >= 3 or found[:2] == ["A", "B"] else []
