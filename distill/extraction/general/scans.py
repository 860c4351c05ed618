"""A page image as spans in reading order: turned upright, read by OCR's detector and recogniser, parted at a white gutter.

The recogniser writes an exponent on the line, so that x^2 and x2 look alike; small raised marks are counted as lost: their item is doubted.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from distill.extraction import box_ocr, glyph_strips, line_ocr, ocr
from distill.extraction.glyph_strips import Grey, Mark
from distill.extraction.page import Box, rows

WHITE = 0.12  # inches: a gutter is at least so wide
LONG = 0.45  # inches: a longer stroke is a rule of a table, no fraction's
SHORT = 5  # characters: a page whose boxes are mostly so short is a key
STRAY = 0.01  # share of a gutter's rows that may have ink


class Span(NamedTuple):
    """Text without a wide gap on one line of a column; lengths in points, y down."""

    column: int  # 0 full width, 1 left, 2 right
    left: float  # the column's left edge
    y: float  # baseline
    x0: float
    y0: float
    x1: float
    y1: float
    text: str
    score: float  # the recogniser's, 1 where there is a text layer
    size: float  # of the type
    lost: int  # glyphs without a character, scripts without a base


def read(image: Grey, dpi: int, folder: Path) -> list[Span]:
    """Read a page image (height, width), or take the result that `folder` keeps."""
    return ocr.kept(recognise, Span, image, dpi, box_ocr.SETTINGS, folder)


def recognise(image: Grey, dpi: int) -> list[Span]:
    """Read a page image (height, width)."""
    upright = without_rules(glyph_strips.upright(image), dpi)
    clean = glyph_strips.cleaned(upright)
    boxes = box_ocr.recognise(upright, dpi)
    if boxes and np.median([len(box.text) for box in boxes]) <= SHORT:
        boxes = short_print(clean, dpi)
    _, marks = glyph_strips.components(clean, dpi)
    found = []
    for column, (top, bottom, start, stop) in parts(clean, dpi):
        own = [box for box in boxes if start <= (box.x0 + box.x1) / 2 * dpi / 72 < stop and top <= box.middle * dpi / 72 < bottom]
        left = min((box.x0 for box in own), default=0.0)
        for row in rows(own):
            for box in row:
                text = plain(line_ocr.normalised(box.text))
                lost = max(raised(box, marks, dpi) - text.count("^"), 0)
                size = round(0.75 * (box.y1 - box.y0), 1)
                if text:
                    found.append(Span(column, left, row[0].y1, box.x0, box.y0, box.x1, box.y1, text, box.score, size, lost))
    return found


def without_rules(image: Grey, dpi: int) -> Grey:
    """Whiten the lines of tables and of fields to fill in: they would be read as fractions, and hide the print beside them."""
    black = image < 200
    size = int(LONG * dpi)
    lines = ndimage.binary_opening(ndimage.binary_closing(black, np.ones((1, 5))), np.ones((1, size)))
    lines |= ndimage.binary_opening(ndimage.binary_closing(black, np.ones((5, 1))), np.ones((size, 1)))
    return np.where(ndimage.binary_dilation(lines, np.ones((3, 3))), 255, image).astype(np.uint8)


def short_print(image: Grey, dpi: int) -> list[Box]:
    """Read a page of short print, a key say, strip by strip: the detector drops lone letters and numbers."""
    found = []
    for strip in glyph_strips.strips(image, dpi):
        text, score = line_ocr.spelled(strip)
        cap = strip.image.shape[0] / 2.2
        edges = (strip.x, strip.y - 1.2 * cap, strip.x + strip.image.shape[1] - cap, strip.y + 0.35 * cap)
        x0, y0, x1, y1 = (round(float(edge) * 72 / dpi, 1) for edge in edges)
        found.append(Box(x0, y0, x1, y1, text, round(score, 3)))
    return [box for box in found if box.text]


def raised(box: Box, marks: Sequence[Mark], dpi: int) -> int:
    """Count the small raised marks of a line: exponents, which the recogniser writes on the line."""
    x0, y0, x1, y1 = (edge * dpi / 72 for edge in box[:4])
    own = [mark for mark in marks if x0 <= (mark.x0 + mark.x1) / 2 <= x1 and y0 <= (mark.y0 + mark.y1) / 2 <= y1]
    if len(own) < 3:
        return 0
    cap = float(np.percentile([mark.height for mark in own], 75))
    foot = float(np.median([mark.y1 for mark in own]))
    small = [mark for mark in own if 0.45 * cap <= mark.height <= 0.85 * cap and mark.x1 - mark.x0 > 0.2 * cap]
    return sum(mark.y1 <= foot - 0.35 * cap and mark.y0 <= foot - 0.9 * cap for mark in small)


def plain(text: str) -> str:
    """Write scripts and roots as the text layer's reader does.

    >>> plain("x^{10} + a_{n+1} = √12")
    'x^10 + a_(n+1) = sqrt(12)'
    """
    text = re.sub(r"√ ?(\d+|[a-z](?![a-z]))", r"sqrt(\1)", text)
    return re.sub(
        r"([\^_])\{([^{}]*)\}", lambda found: found[1] + (found[2] if re.fullmatch(r"\d+|\w", found[2]) else f"({found[2]})"), text
    )


def parts(image: Grey, dpi: int) -> list[tuple[int, tuple[int, int, int, int]]]:
    """Return (column, (top, bottom, left, right)) in reading order: what crosses the gutter above and below it is of the full width."""
    black = image < 128
    height, width = black.shape
    whole = [(0, (0, height, 0, width))]
    inked = np.flatnonzero(black.any(axis=1))
    if not len(inked):
        return []
    first, last = int(inked[0]), int(inked[-1]) + 1
    best: tuple[int, int, int, int] | None = None  # rows, top, bottom, x
    half = max(1, int(WHITE * dpi / 2))
    filled = np.cumsum(np.pad(black[first:last], ((0, 0), (1, 0))).astype(np.int32), axis=1)
    for x in range(int(0.35 * width), int(0.65 * width), max(1, dpi // 30)):
        ink = (filled[:, x + half] - filled[:, x - half]) > 0
        top, bottom = _longest(~ink, int(0.02 * dpi))
        if best is None or bottom - top > best[0]:
            best = (bottom - top, top, bottom, x)
    assert best is not None
    rows, top, bottom, x = best
    if rows < 0.6 * (last - first):
        return whole
    band = black[first + top : first + bottom]
    sides = [band[:, :x].sum(), band[:, x:].sum()]
    lines = [int(side[:, :].any(axis=1).sum()) for side in (band[:, :x], band[:, x:])]
    if min(sides) < 0.25 * max(sides) or min(lines) < 0.25 * dpi:
        return whole
    top, bottom = first + top, first + bottom
    found = [(0, (0, top, 0, width)), (1, (top, bottom, 0, x)), (2, (top, bottom, x, width)), (0, (bottom, height, 0, width))]
    return [part for part in found if black[part[1][0] : part[1][1], part[1][2] : part[1][3]].any()]


def _longest(free: np.ndarray, stray: int) -> tuple[int, int]:
    """Return the longest run of rows without ink, specks of up to `stray` rows passed over."""
    edges = np.flatnonzero(np.diff(np.pad((~free).astype(np.int8), 1)))
    blocks = [(int(start), int(stop)) for start, stop in edges.reshape(-1, 2) if stop - start > stray]
    stops = [0, *(stop for _, stop in blocks)]
    starts = [*(start for start, _ in blocks), len(free)]
    return max(zip(stops, starts, strict=True), key=lambda run: run[1] - run[0])
