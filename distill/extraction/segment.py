"""Lines of a test as numbered problems, and lines of its answer key as numbered answers."""

import re
from collections import Counter
from typing import NamedTuple

from distill.extraction.page import Line, Page, Piece

FOOT = 0.94  # what is below this share of a page's height is its running foot
ABOVE, BELOW = 14.0, 6.0  # points: a line of print reaches so far from its baseline
WIDE = 6.0  # points a character, in type of 12 points
NEAR = 12.0  # points: numbers of one test begin this close to one another
NUMBER = re.compile(r"(?:(\d{1,2})\s*[.)]|(?:t[il1]e[- ]?breaker|tb|t)\s*[#.]?\s*(\d)\s*[.):]?)(?:\s+|$)(.*)", re.IGNORECASE)
HEADING = re.compile(r"\b(answers?|key|solutions?)\b", re.IGNORECASE)


class NumberedText(NamedTuple):
    """A numbered text and where it is."""

    number: str  # 7, T1
    text: str
    page: int
    reader: str
    region: tuple[float, float, float, float]  # points on that page: from its number to its last line there


class Booklet(NamedTuple):
    """What a file holds: problems in printed order, answers by number, and what was not understood, by reason."""

    problems: tuple[NumberedText, ...]
    answers: dict[str, str]
    key_pages: int
    dropped: Counter[str]


def segment(pages: list[Page]) -> Booklet:
    """Split a test into problems and answers: the key is the first page headed so, and all that follow."""
    dropped: Counter[str] = Counter()
    first = next((index for index, page in enumerate(pages) if _is_key(page)), len(pages))
    problems = _problems(pages[:first], dropped)
    answers: dict[str, str] = {}
    for page in pages[first:]:
        _add_answers(page, answers, dropped)
    return Booklet(tuple(problems), answers, len(pages) - first, dropped)


def _body(page: Page) -> list[Line]:
    return [line for line in page.lines if line.y < FOOT * page.height]


def _is_key(page: Page) -> bool:
    """A key's heading is in the upper third, in at most six words, and is no numbered line; an answer sheet is no key."""
    heads = [line.text for line in _body(page) if line.y < page.height / 3 and len(line.text.split()) <= 6]
    return any(HEADING.search(head) and "sheet" not in head.lower() and not NUMBER.match(head) for head in heads)


def _named(found: re.Match[str]) -> str:
    return str(int(found[1])) if found[1] else f"T{found[2]}"


def _problems(pages: list[Page], dropped: Counter[str]) -> list[NumberedText]:
    """Collect problems: one begins at a number in its column that follows the last one, by three at most where some were lost."""
    found: list[NumberedText] = []
    left = 0.0
    for page in pages:
        for line in _body(page):
            start = NUMBER.match(line.text)
            x = line.pieces[0].x
            if start and _follows(_named(start), found) and (not found or abs(x - left) < NEAR):
                left = x if not found else left
                found.append(NumberedText(_named(start), start[3], page.number, page.reader, _region(line)))
            elif found:
                last = found[-1]
                region = _joined(last.region, _region(line)) if last.page == page.number else last.region
                found[-1] = last._replace(text=f"{last.text} {line.text}".strip(), region=region)
    kept = [problem for problem in found if problem.text]
    dropped["no_statement"] += len(found) - len(kept)
    return kept


def _region(line: Line) -> tuple[float, float, float, float]:
    """Return a line's region: from above its capitals to below its baseline, and about as wide as its characters."""
    last = line.pieces[-1]
    return line.pieces[0].x, round(line.y - ABOVE, 1), round(last.x + WIDE * len(last.text), 1), round(line.y + BELOW, 1)


def _joined(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    return min(one[0], other[0]), min(one[1], other[1]), max(one[2], other[2]), max(one[3], other[3])


def _follows(number: str, found: list[NumberedText]) -> bool:
    last = found[-1].number if found else "0"
    if number[0] == "T":
        return bool(found) and (last[0] != "T" or int(number[1:]) > int(last[1:]))
    return last[0] != "T" and int(last) < int(number) <= int(last) + 3


def _add_answers(page: Page, answers: dict[str, str], dropped: Counter[str]) -> None:
    """Read a key's lines; each may have several columns of number and answer."""
    for line in _body(page):
        number = ""
        for piece in line.pieces:
            number = _take(piece, number, answers, dropped)


def _take(piece: Piece, number: str, answers: dict[str, str], dropped: Counter[str]) -> str:
    """Add one piece of a key to the answers; return the number that the next piece belongs to."""
    start = NUMBER.match(piece.text)
    if start and _named(start) in answers:
        dropped["answer_repeated"] += 1
        return ""
    if start:
        number = _named(start)
        answers[number] = start[3].strip()
    elif number:
        answers[number] = f"{answers[number]} {piece.text}".strip()
    return number
