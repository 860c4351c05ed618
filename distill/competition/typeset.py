"""An exam as a competition prints it: title, directions, numbered problems, and an answer key on a page of its own.

Lengths are points (1/72 inch). Streams are deflated, which halves what the remote holds of them.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from reportlab.lib.pagesizes import letter
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from distill.competition.exam import Exam
from distill.core.errors import InputError

TITLE = "Larkhollow Mathematics Competition"
POINT = "Each correct answer is worth one point."
SECTIONS = {  # name, minutes, who answers
    "freshman-sophomore": ("Freshman–Sophomore Individual Test", 60, POINT),
    "junior-senior": ("Junior–Senior Individual Test", 60, POINT),
    "two-person": ("Two-Person Speed Event", 20, "The two partners work together and hand in one answer sheet."),
}
DIRECTIONS = (
    "Write every answer in simplest exact form: reduce fractions, simplify radicals and leave π in the answer. "
    "No calculators, books or notes are permitted."
)
PLAIN, BOLD, ITALIC = "Vera", "VeraBd", "VeraIt"  # Bitstream Vera ships with reportlab
for font in (PLAIN, BOLD, ITALIC):
    pdfmetrics.registerFont(TTFont(font, f"{font}.ttf", asciiReadable=False))  # the subset holds just what is printed
WIDTH, HEIGHT = letter
MARGIN, FOOT = 72.0, 34.0
INDENT = 28.0  # from a number to its statement
SIZE, SMALL = 10.0, 7.0
MINUS = "−"
PER_PAGE = 12
TOKEN = re.compile(
    r"(?P<space>\s+)"
    r"|\^(?:\{(?P<sup>[^{}]+)\}|(?P<sup1>\d+|[A-Za-z]))"
    r"|(?<=\w)_(?:\{(?P<sub>[^{}]+)\}|(?P<sub1>\d+|[A-Za-z]))"
    r"|√(?:\{(?P<root>(?:[^{}]|\{[^{}]*\})+)\}|(?P<root1>\d+|[A-Za-z]))"
    r"|(?<![\w.^)}/])(?P<over>\d+)/(?P<under>\d+)(?![\d/]|\.\d)"
    r"|(?P<text>[A-Za-z]{2,}|\d+|.)"
)


class Run(NamedTuple):
    """Characters of one font and size; x and y about the origin of their word, on the baseline."""

    x: float
    y: float
    font: str
    size: float
    text: str


class Word(NamedTuple):
    """What is between two spaces; a rule is (x0, x1, y)."""

    width: float
    ascent: float
    descent: float
    runs: tuple[Run, ...]
    rules: tuple[tuple[float, float, float], ...]


Row = list[tuple[float, Word]]  # one line: words with their x


def words(text: str, built_up: bool = True) -> list[Word]:
    """Set a text in the project's notation; fractions stay inline where `built_up` is false."""
    groups: list[list[Word]] = [[]]
    for token in TOKEN.finditer(text):
        if token["space"]:
            groups.append([])
        else:
            groups[-1].append(_part(token, built_up))
    return [_join(parts) for parts in groups if parts]


def _part(token: re.Match[str], built_up: bool) -> Word:
    if raised := token["sup"] or token["sup1"]:
        return _run(raised.replace("-", MINUS), PLAIN, SMALL, 0.36 * SIZE)
    if lowered := token["sub"] or token["sub1"]:
        return _run(lowered.replace("-", MINUS), PLAIN, SMALL, -0.18 * SIZE)
    if radicand := token["root"] or token["root1"]:
        return _root(_spaced(words(radicand, built_up=False)))
    if token["over"] and built_up:
        return _fraction(token["over"], token["under"])
    return _run(MINUS if token[0] == "-" and not _is_hyphen(token) else token[0], ITALIC if _is_variable(token) else PLAIN, SIZE)


def _spaced(parts: list[Word]) -> Word:
    space = _run(" ", PLAIN, SIZE)._replace(runs=())
    return _join([each for part in parts for each in (space, part)][1:])


def _is_hyphen(token: re.Match[str]) -> bool:
    """A hyphen between a letter or digit and a word."""
    return bool(re.fullmatch(r"\w-[A-Za-z]{2}", token.string[max(token.start() - 1, 0) : token.end() + 2]))


def _is_variable(token: re.Match[str]) -> bool:
    """A single lower-case letter that is no word: `a` only next to a mark of mathematics."""
    before, after = token.string[: token.start()], token.string[token.end() :]
    if not re.fullmatch("[a-z]", token[0]) or before[-1:] in ("'", "’"):
        return False
    return token[0] != "a" or bool({before.rstrip()[-1:], after.lstrip()[:1]} & set("=+-<>≤≥^/*·×()|0123456789"))


def _run(text: str, font: str, size: float, y: float = 0.0) -> Word:
    return Word(pdfmetrics.stringWidth(text, font, size), y + 0.76 * size, -y + 0.22 * size, (Run(0.0, y, font, size, text),), ())


def _fraction(over: str, under: str) -> Word:
    axis, size, digit = 0.31 * SIZE, SMALL + 0.5, 0.73 * (SMALL + 0.5)  # a digit of Vera is 0.73 em tall
    wide, narrow = (pdfmetrics.stringWidth(part, PLAIN, size) for part in (over, under))
    width = max(wide, narrow) + 2
    runs = (
        Run((width - wide) / 2, axis + 2.0, PLAIN, size, over),
        Run((width - narrow) / 2, axis - 2.0 - digit, PLAIN, size, under),
    )
    return Word(width + 1, axis + 3.0 + digit, 3.0 + digit - axis, runs, ((0.4, width - 0.4, axis),))


def _root(inner: Word) -> Word:
    size = max(1.1 * SIZE, (inner.ascent + 1) / 0.811)
    left, top = 0.637 * size, 0.811 * size - 0.25  # the upper right corner of Vera's radical sign, in its em
    runs = (Run(0.0, 0.0, PLAIN, size, "√"), *(run._replace(x=left + run.x) for run in inner.runs))
    return Word(left + inner.width + 1, top + 1.5, inner.descent, runs, ((left - 0.3, left + inner.width + 0.4, top),))


def _join(parts: list[Word]) -> Word:
    x = 0.0
    runs: list[Run] = []
    rules: list[tuple[float, float, float]] = []
    for part in parts:
        runs += [run._replace(x=x + run.x) for run in part.runs]
        rules += [(x + x0, x + x1, y) for x0, x1, y in part.rules]
        x += part.width
    return Word(x, max(part.ascent for part in parts), max(part.descent for part in parts), tuple(runs), tuple(rules))


def lines(text: str, width: float, built_up: bool = True) -> list[Row]:
    """Break a text into lines of at most `width` points: words with their x."""
    space = pdfmetrics.stringWidth(" ", PLAIN, SIZE)
    rows: list[Row] = [[]]
    x = 0.0
    for word in words(text, built_up):
        if rows[-1] and x + word.width > width:
            rows.append([])
            x = 0.0
        rows[-1].append((x, word))
        x += word.width + space
    return rows


def label(exam: Exam, index: int) -> str:
    """Return what is printed before an item: its number, or the name of a tie-breaker."""
    ties = len(exam.items) - 2 if exam.section == "two-person" else len(exam.items)
    return f"{index + 1}." if index < ties else f"Tiebreaker #{index - ties + 1}."


Set = tuple[str, float, list[Row]]  # a problem: its label, indent and lines


class _Sheet:
    """A canvas with a pen that moves down the page."""

    def __init__(self, path: Path, exam: Exam) -> None:
        self.exam, self.page, self.y = exam, 0, 0.0
        self.canvas = Canvas(str(path), pagesize=letter, pageCompression=1, invariant=1)
        self.canvas.setTitle(f"{TITLE} {exam.year}: {SECTIONS[exam.section][0]}")
        self.new_page()

    def new_page(self) -> None:
        """Begin a page and print its foot."""
        if self.page:
            self.canvas.showPage()
        self.page += 1
        self.y = HEIGHT - MARGIN
        self.canvas.setLineWidth(0.7)
        self.centred(f"{TITLE} {self.exam.year}  ·  {SECTIONS[self.exam.section][0]}  ·  page {self.page}", PLAIN, 7.5, y=FOOT)

    def centred(self, text: str, font: str, size: float, y: float | None = None) -> None:
        """Print a centred line, at the pen where no y is given."""
        self.canvas.setFont(font, size)
        self.canvas.drawCentredString(WIDTH / 2, self.y if y is None else y, text)
        self.y -= 0 if y is not None else 1.55 * size

    def block(self, x: float, rows: list[Row]) -> None:
        """Print lines of words; the pen is above the first line and ends below the last."""
        for row in rows:
            self.y -= _ascent(row)
            for dx, word in row:
                for run in word.runs:
                    self.canvas.setFont(run.font, run.size)
                    self.canvas.drawString(x + dx + run.x, self.y + run.y, run.text)
                for x0, x1, y in word.rules:
                    self.canvas.line(x + dx + x0, self.y + y, x + dx + x1, self.y + y)
            self.y -= _descent(row)

    def number(self, x: float, name: str, rows: list[Row]) -> None:
        """Print a number on the baseline of the lines that follow it."""
        self.canvas.setFont(BOLD, SIZE)
        self.canvas.drawString(x, self.y - _ascent(rows[0]), name)


def _ascent(row: Row) -> float:
    return max(9.5, *(word.ascent for _, word in row))


def _descent(row: Row) -> float:
    return max(4.0, *(word.descent + 1.2 for _, word in row))


def _height(rows: list[Row]) -> float:
    return sum(_ascent(row) + _descent(row) for row in rows)


def typeset(exam: Exam, path: Path) -> None:
    """Print an exam to a PDF: about 12 problems a page, then the answer key."""
    if exam.section not in SECTIONS:
        raise InputError(f"{path.name}: no test is printed for section '{exam.section}'; allowed: {', '.join(SECTIONS)}")
    sheet = _Sheet(path, exam)
    _head(sheet)
    for page, batch in enumerate(_pages(exam, sheet.y)):
        if page:
            sheet.new_page()
        heights = [_height(rows) for _, _, rows in batch]
        gap = min(30.0, (sheet.y - MARGIN - sum(heights)) / len(batch))
        for name, x, rows in batch:
            sheet.number(MARGIN, name, rows)
            sheet.block(MARGIN + x, rows)
            sheet.y -= gap
    _key(sheet)
    sheet.canvas.save()


def _pages(exam: Exam, top: float) -> Iterator[list[Set]]:
    """Yield the problems of each page: (label, indent, lines); `top` is where the first page's problems begin."""
    batch: list[Set] = []
    room = top - MARGIN
    for index, item in enumerate(exam.items):
        name = label(exam, index)
        x = _indent(name)
        rows = lines(item.statement, WIDTH - 2 * MARGIN - x)
        need = _height(rows) + 8
        if batch and (len(batch) == PER_PAGE or need > room):
            yield batch
            batch, room = [], HEIGHT - 2 * MARGIN
        batch.append((name, x, rows))
        room -= need
    yield batch


def _indent(name: str) -> float:
    return max(INDENT, pdfmetrics.stringWidth(name, BOLD, SIZE) + 8)


def _head(sheet: _Sheet) -> None:
    exam = sheet.exam
    name, minutes, who = SECTIONS[exam.section]
    sheet.centred(TITLE, BOLD, 15)
    sheet.centred(str(exam.year), BOLD, 12)
    sheet.centred(name, BOLD, 12)
    sheet.y -= 8
    sheet.canvas.setFont(PLAIN, SIZE)
    sheet.canvas.drawString(MARGIN, sheet.y, "Name " + "_" * 34)
    sheet.canvas.drawRightString(WIDTH - MARGIN, sheet.y, "School " + "_" * 28)
    sheet.y -= 10
    directions = f"Directions: You have {minutes} minutes. {who} {DIRECTIONS}"
    sheet.block(MARGIN, lines(directions, WIDTH - 2 * MARGIN))
    sheet.y -= 6
    sheet.canvas.line(MARGIN, sheet.y, WIDTH - MARGIN, sheet.y)
    sheet.y -= 12


def _key(sheet: _Sheet) -> None:
    """Print the answers in two columns."""
    exam = sheet.exam
    sheet.new_page()
    sheet.centred(f"{TITLE} {exam.year}", BOLD, 13)
    sheet.centred(SECTIONS[exam.section][0], BOLD, 11)
    sheet.centred("Answer Key", BOLD, 12)
    top, half = sheet.y - 14, (len(exam.items) + 1) // 2
    for index, item in enumerate(exam.items):
        if index % half == 0:
            sheet.y = top
        x = MARGIN + (index // half) * (WIDTH / 2 - MARGIN + 20)
        name = label(exam, index)
        rows = [[word for row in lines(item.gold, 1e6, built_up=False) for word in row]]
        sheet.number(x, name, rows)
        sheet.block(x + _indent(name), rows)
        sheet.y -= 30 - _height(rows)
