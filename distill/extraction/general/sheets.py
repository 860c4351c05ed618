"""One page as lines of text in reading order, by its text layer or, where there is none, by OCR; in one column or two."""

from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pypdfium2 as pdfium

from distill.extraction import ocr, page_jobs, page_reader, text_layer
from distill.extraction.general import formulas, glyphs, rows, scans
from distill.extraction.general.glyphs import LOST, Glyph
from distill.extraction.general.rows import Row
from distill.extraction.general.scans import Span
from distill.extraction.page import Region
from distill.extraction.page_jobs import Job, Limits
from distill.extraction.page_reader import Settings

WIDE = 1.0  # ems: a wider gap parts two spans
GAP = 0.45  # ems: a gutter is at least so wide on every line
LEAST = 3  # rows on each side of a gutter
EVEN = 3.0  # points: the lines of a column begin within this of one another
TALL = 1.2  # a sheet so much wider than high may hold two pages


class Line(NamedTuple):
    """Text on one line of one column."""

    page: int  # from 1
    spans: tuple[Span, ...]  # from left to right

    @property
    def text(self) -> str:
        """Its spans, separated by spaces."""
        return " ".join(span.text for span in self.spans)

    @property
    def region(self) -> Region:
        """Its edges."""
        edges = [(span.x0, span.y0, span.x1, span.y1) for span in self.spans]
        return min(e[0] for e in edges), min(e[1] for e in edges), max(e[2] for e in edges), max(e[3] for e in edges)


class Sheet(NamedTuple):
    """One page as read."""

    number: int  # from 1
    width: float  # points
    height: float
    reader: str  # text | ocr
    lines: tuple[Line, ...]
    drawings: tuple[Region, ...]
    two_up: bool


def read_files(paths: Sequence[Path], settings: Settings, limits: Limits) -> dict[Path, list[Sheet]]:
    """Read every page of every file, each file's pages in order."""
    sizes = page_jobs.run(partial(page_reader.count, most=limits.pages), [Job(path, -1) for path in paths], limits)
    jobs = [Job(path, index) for path in paths for index in range(sizes[Job(path, -1)])]
    pages = page_jobs.run(partial(read, settings=settings), jobs, limits, "extract")
    return {path: [pages[job] for job in jobs if job.path == path] for path in paths}


def read(job: Job, settings: Settings) -> Sheet:
    """Read a page."""
    number = job.number + 1
    with page_reader.opened(job.path) as document:
        page = document[job.number]
        width, height = page.get_size()
        if text_layer.characters(page) >= settings.min_text_chars:
            reader, found, pictures = "text", _spans(page, width), glyphs.drawings(page)
        else:
            image = ocr.render(page, f"{job.path}: page {number}", settings.dpi)
            reader, found, pictures = "ocr", scans.read(image, settings.dpi, settings.kept), []
    lines = tuple(Line(number, tuple(run)) for run in _lines(found))
    two_up = width > TALL * height and len({span.column for span in found}) > 1
    return Sheet(number, width, height, reader, lines, tuple(pictures), two_up)


def _lines(spans: Sequence[Span]) -> list[list[Span]]:
    found: list[list[Span]] = []
    for span in spans:
        last = found[-1][-1] if found else None
        if last and (last.column, last.y) == (span.column, span.y) and span.x0 >= last.x0:
            found[-1].append(span)
        else:
            found.append([span])
    return found


def _spans(page: pdfium.PdfPage, width: float) -> list[Span]:
    """Return the spans of a page's text layer in reading order."""
    read = glyphs.glyphs(page)
    found = []
    for column, left, row in ordered(rows.rows(formulas.built(read, glyphs.rules(page))), width):
        for part, text in rows.spans(row, WIDE):
            whole = rows.hanging(part, row.tree)
            lost = sum(g.text.count(LOST) + (g in row.orphans) for g in whole)
            edges = (min(g.x0 for g in part), min(g.top for g in whole), max(g.x1 for g in whole), max(g.bottom for g in whole))
            x0, y0, x1, y1 = (round(edge, 1) for edge in edges)
            text += "\u00ad" if part[-1].hyphen else ""
            size = Counter(round(g.size, 1) for g in part).most_common(1)[0][0]
            found.append(Span(column, round(left, 1), round(row.y, 1), x0, y0, x1, y1, text, 1.0, size, lost))
    return found


def ordered(found: Sequence[Row], width: float) -> list[tuple[int, float, Row]]:
    """Return (column, its left edge, row) in reading order: rows that cross the gutter part the page into bands of two columns each."""
    gutter = _gutter(found, width)
    bands: list[list[Row]] = [[]]
    crossing: list[bool] = [False]
    for row in found:
        crosses = gutter is None or not _free(row, gutter)
        if crosses != crossing[-1]:
            bands.append([])
            crossing.append(crosses)
        bands[-1].append(row)
    out: list[tuple[int, float, Row]] = []
    for band, crosses in zip(bands, crossing, strict=True):
        sides = [] if crosses or gutter is None else [[part for row in band if (part := _side(row, gutter, side))] for side in (0, 1)]
        two = bool(sides) and all(_is_column(side) for side in sides)
        for place, side in enumerate(sides if two else [band], 1 if two else 0):
            left = min((row.glyphs[0].x0 for row in side), default=0.0)
            out += [(place, left, row) for row in side]
    return out


def _gaps(row: Row) -> list[tuple[float, float]]:
    """Return the blanks of a row, those before and after it included."""
    found, end = [], 0.0
    for glyph in row.glyphs:
        if not end or glyph.x0 - end > GAP * glyph.size:
            found.append((end, glyph.x0))
        scripts = row.tree.get(glyph)
        end = max([glyph.x1, *(each.x1 for each in (*scripts.raised, *scripts.lowered))]) if scripts else glyph.x1
    return [*found, (end, 1e9)]


def _free(row: Row, x: float) -> bool:
    return any(start < x < stop for start, stop in _gaps(row))


def _gutter(found: Sequence[Row], width: float) -> float | None:
    """Return the place just left of where most rows go on after a blank, between 30 and 70 % of the width.

    None where few rows do, or too many cross it.
    """
    stops = [stop for row in found for start, stop in _gaps(row) if 0.3 * width < stop < 0.7 * width]
    places = Counter(round(stop / EVEN) for stop in stops)
    if not places:
        return None
    best = max(places, key=lambda place: (places[place] + places[place + 1], -place))
    x = min(stop for stop in stops if round(stop / EVEN) in (best, best + 1)) - 2
    crossed = sum(not _free(row, x) for row in found)
    return x if places[best] + places[best + 1] >= LEAST and crossed <= 0.4 * len(found) else None


def _side(row: Row, gutter: float, side: int) -> Row | None:
    part: tuple[Glyph, ...] = tuple(g for g in row.glyphs if (g.middle > gutter) == bool(side))
    return row._replace(glyphs=part, y=part[0].y) if part else None


def _is_column(side: Sequence[Row]) -> bool:
    """Tell a column of prose or of numbered items from the right half of a table: it has rows enough, most of them long."""
    return len(side) >= LEAST and sum(len(row.glyphs) for row in side) / len(side) >= 10
