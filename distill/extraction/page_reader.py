"""A PDF opened in a reader process: how many pages it has, and one page as its text layer or, where there is none, by OCR."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pypdfium2 as pdfium

from distill.core.errors import InputError
from distill.extraction import line_detector, ocr, text_layer
from distill.extraction.boxes import Box, Scan
from distill.extraction.segment import Page
from distill.extraction.text_layer import Line
from distill.extraction.worker_pool import Job

REMEDY = "replace it by a readable copy, or remove it from the sources"
WIDTH = 5.0  # points a character of a text layer, which says where a piece begins but not where it ends


class How(msgspec.Struct, frozen=True):
    """How a page is read."""

    dpi: int
    min_text_chars: int
    kept: Path  # where results of OCR are kept


@contextmanager
def _opened(path: Path) -> Iterator[pdfium.PdfDocument]:
    """Open a PDF and close it; whatever the library finds wrong with it is an InputError that names it."""
    try:
        document = pdfium.PdfDocument(path)
        yield document
        document.close()
    except pdfium.PdfiumError as error:
        what = "encrypted" if "password" in str(error).lower() else "empty" if not path.stat().st_size else "damaged"
        raise InputError(f"{path}: {what} PDF ({error}); {REMEDY}") from None


def count(job: Job, most: int) -> int:
    """Return a PDF's number of pages."""
    path = job.path
    with _opened(path) as document:
        pages = len(document)
    if not pages:
        raise InputError(f"{path}: PDF without pages; {REMEDY}")
    if pages > most:
        raise InputError(f"{path}: {pages} pages, allowed are {most}; raise extract.limits.pages, or remove the file from the sources")
    return pages


def _text(job: Job, how: How) -> tuple[float, float, list[Line] | None]:
    """Return a page's width and height in points and its text layer, None where it holds too few characters."""
    with _opened(job.path) as document:
        page = document[job.number]
        lines = text_layer.read(page) if text_layer.characters(page) >= how.min_text_chars else None
        return page.get_width(), page.get_height(), lines


def page(job: Job, how: How) -> Page:
    """Read a page as lines, cut by geometry."""
    _, height, lines = _text(job, how)
    if lines is None:
        return Page(job.number + 1, height, "ocr", tuple(ocr.read(job.path, job.number, how.dpi, how.kept)))
    return Page(job.number + 1, height, "text", tuple(lines))


def scan(job: Job, how: How) -> Scan:
    """Read a page, or a region of it, as boxes that a detector found."""
    width, height, lines = _text(job, how)
    if lines is None or job.region:
        return Scan(job.number + 1, width, height, "ocr", tuple(line_detector.read(job.path, job.number, job.region, how.dpi, how.kept)))
    pieces = [(line.y, piece) for line in lines for piece in line.pieces]
    boxes = [Box(piece.x, y - 10, min(piece.x + WIDTH * len(piece.text), width), y + 3, piece.text, 1.0) for y, piece in pieces]
    return Scan(job.number + 1, width, height, "text", tuple(boxes))
