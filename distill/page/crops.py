"""Problems as their exam prints them: the part of the page that each was read from, in black and white.

A page of a browser gets the pixels themselves, by column, so that equal letters are equal bytes wherever they stand in a line, and deflates
all crops together; no format of images is opened, and the content policy lets none load.
"""

import zlib
from collections.abc import Iterable, Mapping
from itertools import groupby
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import msgspec
import numpy as np
import pypdfium2 as pdfium
from msgspec import Meta
from numpy.typing import NDArray

from distill.core.errors import InputError
from distill.page import answers
from distill.records.problem import Problem

MARGIN = 3  # points around a region


class Shown(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of section `page` of a study whose exams may be shown."""

    dpi: Annotated[int, Meta(ge=50, le=300)]
    ink: Annotated[float, Meta(gt=0, lt=1)]  # a pixel darker than this share of white is black
    bytes: Annotated[int, Meta(ge=1, le=20_000_000)]  # of all crops, each deflated by itself; together they are less


class Region(msgspec.Struct, frozen=True):
    """Of an extracted item, where it stands."""

    id: str
    region: tuple[float, float, float, float] | None = None  # points on its page, upper left to lower right; None of a text


class Crop(NamedTuple):
    """A problem's part of its page."""

    width: int
    height: int
    pixels: bytes  # by column from the left, a bit a pixel from the top, each column in whole bytes


def held(folder: Path, problems: Iterable[Problem], regions: Mapping[str, Region], shown: Shown) -> tuple[dict[int, Any], bytes]:
    """Return by the problems' places where their crops lie in the bytes that follow, as many as the study lets in, drawn by a hash."""
    places = {row.id: place for place, row in enumerate(problems) if row.page and row.id in regions}
    cut = {row.id: crop for row, crop in crops(folder, [row for row in problems if row.id in places], regions, shown)}
    some = answers.chosen({("", name): len(zlib.compress(crop.pixels, 9)) for name, crop in cut.items()}, shown.bytes)
    found, pixels = dict[int, Any](), bytearray()
    for name, crop in cut.items():
        if ("", name) in some:
            found[places[name]] = [crop.width, crop.height, len(pixels)]
            pixels += crop.pixels
    return found, bytes(pixels)


def crops(folder: Path, problems: Iterable[Problem], regions: Mapping[str, Region], shown: Shown) -> Iterable[tuple[Problem, Crop]]:
    """Yield each problem with its crop; a page is drawn once."""
    for (source, page), rows in groupby(sorted(problems, key=lambda row: (row.source, row.page)), key=lambda row: (row.source, row.page)):
        sheet = drawn(folder / source, page, shown.dpi) < 255 * shown.ink
        for row in rows:
            if ends := regions[row.id].region:
                left, top, right, bottom = (round(end * shown.dpi / 72) for end in ends)
                margin = round(MARGIN * shown.dpi / 72)
                part = sheet[max(0, top - margin) : bottom + margin, max(0, left - margin) : right + margin]
                yield row, Crop(part.shape[1], part.shape[0], np.packbits(part.T, axis=1).tobytes())


def drawn(path: Path, page: int, dpi: int) -> NDArray[np.uint8]:
    """Return a page as a grey image (height, width)."""
    try:
        document = pdfium.PdfDocument(path.read_bytes())
        image: NDArray[np.uint8] = document[page - 1].render(scale=dpi / 72, grayscale=True).to_numpy().squeeze().copy()
        document.close()
    except (pdfium.PdfiumError, IndexError) as error:
        raise InputError(f"{path}: page {page} cannot be drawn ({error}); run `dvc repro fetch extract`") from None
    return image
