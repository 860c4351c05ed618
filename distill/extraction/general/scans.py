"""A page image as spans in reading order: turned upright, parted at a white gutter, each part read strip by strip."""

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from distill.extraction import glyph_strips, line_ocr, ocr
from distill.extraction.glyph_strips import Grey

WHITE = 0.12  # inches: a gutter is at least so wide
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
    return ocr.kept(recognise, Span, image, dpi, line_ocr.SETTINGS, folder)


def recognise(image: Grey, dpi: int) -> list[Span]:
    """Read a page image (height, width)."""
    upright = glyph_strips.upright(glyph_strips.cleaned(image))
    found = []
    for column, (top, bottom, start, stop) in parts(upright, dpi):
        strips = glyph_strips.cut(np.ascontiguousarray(upright[top:bottom, start:stop]), dpi)
        left = start + min((strip.x for strip in strips), default=0)
        for strip in sorted(strips, key=lambda strip: (strip.y, strip.x)):
            text, score = line_ocr.spelled(strip)
            cap = strip.image.shape[0] / 2.2
            edges = (start + strip.x, top + strip.y - 1.2 * cap, start + strip.x + strip.image.shape[1] - cap, top + strip.y + 0.35 * cap)
            x0, y0, x1, y1 = (round(float(edge) * 72 / dpi, 1) for edge in edges)
            y = round(float(top + strip.y) * 72 / dpi, 1)
            if text:
                found.append(
                    Span(column, round(left * 72 / dpi, 1), y, x0, y0, x1, y1, text, round(score, 3), round(cap * 100 / dpi, 1), 0)
                )
    return found


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
