"""One page of a PDF, in a worker process: by its text layer or, where there is none, by OCR that finds lines or boxes of print."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
import pypdfium2 as pdfium

from distill.core.errors import InputError
from distill.extraction import box_ocr, line_ocr, ocr, page_jobs, text_layer
from distill.extraction.page import Box, Page, boxes_of, lines_of
from distill.extraction.page_jobs import Job, Limits

REMEDY = "replace it by a readable copy, or remove it from the sources"


class Settings(msgspec.Struct, frozen=True):
    """How a page is read."""

    ocr: Literal["lines", "boxes"]
    dpi: int
    min_text_chars: int  # a page with fewer in its text layer is read by OCR
    kept: Path  # folder of OCR results


def read_all(paths: Sequence[Path], settings: Settings, limits: Limits) -> dict[Path, list[Page]]:
    """Read every page of every file, each file's pages in order."""
    sizes = page_jobs.run(partial(count, most=limits.pages), [Job(path, -1) for path in paths], limits)
    jobs = [Job(path, index) for path in paths for index in range(sizes[Job(path, -1)])]
    found = page_jobs.run(partial(read, settings=settings), jobs, limits, "extract")
    return {path: [found[job] for job in jobs if job.path == path] for path in paths}


def count(job: Job, most: int) -> int:
    """Return a PDF's number of pages."""
    path = job.path
    with opened(path) as document:
        pages = len(document)
    if not pages:
        raise InputError(f"{path}: PDF without pages; {REMEDY}")
    if pages > most:
        raise InputError(f"{path}: {pages} pages, allowed are {most}; raise extract.limits.pages, or remove the file from the sources")
    return pages


def read(job: Job, settings: Settings) -> Page:
    """Read a page; a region of one always by OCR."""
    dpi = settings.dpi
    with opened(job.path) as document:
        sheet = document[job.number]
        width, height = sheet.get_size()
        if not job.region and text_layer.characters(sheet) >= settings.min_text_chars:
            lines = text_layer.read(sheet)
            return Page(job.number + 1, width, height, "text", tuple(lines), boxes_of(lines, width))
        image = ocr.render(sheet, f"{job.path}: page {job.number + 1}", dpi)
    left, top, right, bottom = (int(edge * dpi / 72) for edge in job.region or (0, 0, 0, 0))
    if job.region:
        image = np.ascontiguousarray(image[top : bottom + 1, left : right + 1])
    boxes: Sequence[Box]
    if settings.ocr == "lines":
        lines = line_ocr.read(image, dpi, settings.kept)
        boxes = boxes_of(lines, width)
    else:
        boxes = box_ocr.read(image, dpi, settings.kept)
        lines = lines_of(boxes)
    if job.region:
        boxes = [box.moved(left * 72 / dpi, top * 72 / dpi) for box in boxes]
        lines = lines_of(boxes)
    return Page(job.number + 1, width, height, "ocr", tuple(lines), tuple(boxes))


@contextmanager
def opened(path: Path) -> Iterator[pdfium.PdfDocument]:
    """Open a PDF and close it; whatever the library finds wrong with it is an InputError that names it."""
    try:
        document = pdfium.PdfDocument(path)
        yield document
        document.close()
    except pdfium.PdfiumError as error:
        what = "encrypted" if "password" in str(error).lower() else "empty" if not path.stat().st_size else "damaged"
        raise InputError(f"{path}: {what} PDF ({error}); {REMEDY}") from None
