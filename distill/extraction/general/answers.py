"""Answer keys: lists, tables from top to bottom or from left to right, and the last lines of worked solutions."""

import itertools
import re
from collections import defaultdict
from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

from distill.extraction.general import labels
from distill.extraction.general.scans import Span
from distill.extraction.general.sheets import Line

NUMBER = re.compile(r"[(#]?\s?((?:[A-HJ-SU-Z]|T|TB)?\s?-?\d{1,3})\s?[.:)]*", re.IGNORECASE)
MARKED = re.compile(r"(?:problem|question|q|#)?\s*[(#]?\s?((?:[A-HJ-SU-Z]|TB?)?-?\d{1,3})(?:\s?[.:](?!\d)|\s?\))\s*(.*)", re.IGNORECASE)
BREAKER = re.compile(labels.KINDS["breaker"].pattern + r"\s*(.*)", re.IGNORECASE)
INSIDE = re.compile(r"(?<=\S)\s+(?=\(?\d{1,3}\s?[.)]\s+\S)")  # "1. B 2. C" in one span
STATED = re.compile(r".*\b(?:answer|ans)\b(?:\s+is)?\s*[.:=]?\s*(.+?)\.?$", re.IGNORECASE)
HEADER = re.compile(r"(?:no|number|item|problem|question|answer|key|#|ans)s?\.?", re.IGNORECASE)
FAR = 260.0  # points: an answer begins within this of its number


class Answers(NamedTuple):
    """What a key states."""

    found: dict[tuple[str, str], str]  # (section, number) -> answer
    repeated: list[tuple[str, str]]  # those stated twice, unlike
    sections: list[str]  # in their order


Cell = tuple[str, str]  # number, answer


def read(lines: Sequence[Line], solutions: bool, scanned: bool) -> Answers:
    """Read a key's lines, section by section; of worked solutions what each states as its answer."""
    found: dict[tuple[str, str], str] = {}
    repeated, names = [], []
    for name, run in _sections(lines):
        pairs = _solved(run, scanned) if solutions or _is_prose(run) else _tabled(run, scanned)
        if not pairs:
            continue
        names.append(name)
        for number, answer in pairs:
            where = (name, number)
            if found.get(where, answer) != answer:
                repeated.append(where)
            found.setdefault(where, answer)
    return Answers(found, repeated, names)


def _sections(lines: Sequence[Line]) -> list[tuple[str, list[Line]]]:
    """Part a key at its headings and where its numbers begin again; the names are "" for the first part, its heading or its place."""
    runs: list[tuple[str, list[Line]]] = [("", [])]
    seen = 0
    for line in lines:
        text = line.text.strip()
        number = re.match(r"\(?(\d{1,3})(?:[.:)]|\s|$)", text)
        titled = (
            not number
            and not MARKED.match(text)
            and not BREAKER.match(text)
            and 0 < len(text.split()) <= 5
            and re.search(r"[A-Za-z]{3}", text)
        )
        if titled and not HEADER.match(text) and len(line.spans) == 1 and text[-1] not in ".?":
            runs.append((text, []))
            seen = 0
            continue
        if number and int(number[1]) == 1 and seen >= 3 and len(line.spans) < 4 and runs[-1][1]:
            first = re.match(r"\(?(\d{1,3})", runs[-1][1][0].text)
            if first and int(first[1]) == 1 and MARKED.match(text):
                runs.append((str(len(runs) + 1), []))
                seen = 0
        seen = max(seen, int(number[1])) if number else seen
        runs[-1][1].append(line)
    return [(name, run) for name, run in runs if run]


def _is_prose(lines: Sequence[Line]) -> bool:
    """Tell worked solutions from a list of answers: most numbered lines are long."""
    long = [len(line.text) for line in lines if MARKED.match(line.text)]
    return len(long) >= 3 and median(long) > 45


def _solved(lines: Sequence[Line], scanned: bool) -> list[tuple[str, str]]:
    """Return what worked solutions state as their answers: after the last 'Answer:'."""
    starts = labels.starts(lines, scanned)
    found = []
    for place, start in enumerate(starts):
        stop = starts[place + 1].line if place + 1 < len(starts) else len(lines)
        text = " ".join([start.rest, *(line.text for line in lines[start.line + 1 : stop])])
        if match := STATED.match(text):
            found.append((start.number, match[1].strip()))
    return found


def _tabled(lines: Sequence[Line], scanned: bool) -> list[Cell]:
    cells: list[Cell] = []
    rest: list[Line] = []
    skip = False
    for place, line in enumerate(lines):
        if skip:
            skip = False
        elif place + 1 < len(lines) and (row := _row_of_numbers(line)) and not _row_of_numbers(lines[place + 1], after=row[-1][0]):
            cells += _under(row, lines[place + 1])
            skip = True
        else:
            rest.append(line)
    columns = _number_columns(rest)
    for line in rest:
        cells += _of_line(line, columns, scanned)
    return cells


def _row_of_numbers(line: Line, after: int = 0) -> list[tuple[int, Span]]:
    """Return the numbers of a line that holds nothing but three or more consecutive ones."""
    texts = [(word, span) for span in line.spans for word in span.text.split()]
    numbers = [(int(word.strip(".")), span) for word, span in texts if re.fullmatch(r"\d{1,3}\.?", word)]
    if len(numbers) < len(texts) - 1 or len(numbers) < 3:
        return []
    rises = all(other[0] == one[0] + 1 for one, other in itertools.pairwise(numbers))
    return numbers if rises and (not after or numbers[0][0] == after + 1) else []


def _under(numbers: list[tuple[int, Span]], line: Line) -> list[Cell]:
    """Pair a line of numbers with the line below: each answer belongs to the number above it."""
    words = [(word, span) for span in line.spans for word in ([span.text] if len(line.spans) > 1 else span.text.split())]
    words = [(word, span) for word, span in words if not HEADER.fullmatch(word)]
    if len(words) == len(numbers) and len({span for _, span in words}) < len(words):
        return [(str(number), word) for (number, _), (word, _) in zip(numbers, words, strict=True)]
    found = []
    for number, span in numbers:
        middle = (span.x0 + span.x1) / 2
        reach = min([abs((other.x0 + other.x1) / 2 - middle) for n, other in numbers if n != number] or [60.0]) / 2 + 1
        own = [word for word, other in words if abs((other.x0 + other.x1) / 2 - middle) < reach]
        found += [(str(number), " ".join(own))] if own else []
    return found


def _number_columns(lines: Sequence[Line]) -> list[float]:
    """Return the middles of columns in which bare numbers rise by one from line to line."""
    spans = [
        (span, int(span.text.strip(" .)"))) for line in lines for span in line.spans if re.fullmatch(r"\s*\d{1,3}\s*[.)]?\s*", span.text)
    ]
    columns = defaultdict[int, list[tuple[Span, int]]](list)
    for span, value in spans:
        columns[round((span.x0 + span.x1) / 2 / 9)].append((span, value))
    found = []
    for run in columns.values():
        near = [value for _, value in run]  # in reading order
        steps = [other - one for one, other in itertools.pairwise(near)]
        if len(near) >= 3 and sum(step == 1 for step in steps) >= 0.7 * len(steps):
            found.append(median((span.x0 + span.x1) / 2 for span, _ in run))
    return found


def _of_line(line: Line, columns: Sequence[float], scanned: bool) -> list[Cell]:
    """Return the answers of one line: after a marked number, or right of a column of numbers, up to the next."""
    found: list[tuple[str, list[str], float]] = []
    for span in line.spans:
        for piece in INSIDE.split(span.text):
            text = re.sub(r"^(\d{1,3})\s?[,;](?=\s|$)", r"\1.", piece.strip()) if scanned else piece.strip()
            breaker, marked = BREAKER.match(text), MARKED.match(text)
            bare = NUMBER.fullmatch(text)
            in_column = bare and any(abs((span.x0 + span.x1) / 2 - x) < 9 for x in columns)
            if breaker:
                found.append((f"T{breaker[1]}", [breaker[2]] if breaker[2] else [], span.x0))
            elif marked:
                found.append((_named(marked[1]), [marked[2]] if marked[2] else [], span.x0))
            elif bare and in_column:
                found.append((_named(bare[1]), [], span.x0))
            elif not columns and (pair := re.fullmatch(r"(\d{1,3})\s+(\S.*)", text)) and len(line.spans) <= 6:
                found.append((pair[1], [pair[2]], span.x0))
            elif found and span.x0 - found[-1][2] < FAR:
                found[-1][1].append(text)
    return [(number, " ".join(words).strip()) for number, words, _ in found if words]


def _named(label: str) -> str:
    """Write a number as items have it.

    >>> _named("a-03"), _named("TB1"), _named("07")
    ('A3', 'T1', '7')
    """
    match = re.fullmatch(r"([A-Za-z]*)[\s-]*0*(\d+)", label.strip())
    assert match is not None
    letter = match[1].upper()
    return f"{'T' if letter in ('T', 'TB') else letter}{match[2]}"
