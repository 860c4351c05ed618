"""What both OCR readers share: a page as an image, the recogniser's settings, and results kept by what decides them.

RapidOCR's weights ship in its wheel, so nothing is downloaded.
"""

import hashlib
import inspect
import os
from collections.abc import Callable
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pypdfium2 as pdfium

from distill.core.errors import InputError
from distill.extraction import glyph_strips, page
from distill.extraction.glyph_strips import Grey

T = TypeVar("T")
Settings = frozenset[tuple[str, Any]]
MAX_PIXELS = 60_000_000  # of one page: about 600 dpi on letter paper
COMMON = {
    "Global.log_level": "error",
    "Global.use_cls": False,
    "EngineConfig.onnxruntime.intra_op_num_threads": 1,
    "EngineConfig.onnxruntime.inter_op_num_threads": 1,
    "Rec.rec_batch_num": 1,  # one image at a time, so that a result does not depend on its neighbours' widths
}


@cache
def engine(settings: Settings) -> Any:
    """Return the process's recogniser with these settings."""
    from rapidocr import RapidOCR  # takes a second to import, which pages with a text layer need not spend

    return RapidOCR(params=dict(settings))


def render(sheet: pdfium.PdfPage, name: str, dpi: int) -> Grey:
    """Return a page as a grey image (height, width)."""
    width, height = sheet.get_size()
    if width * height * (dpi / 72) ** 2 > MAX_PIXELS:
        raise InputError(f"{name} is {width:.0f} x {height:.0f} points, too large at {dpi} dpi; lower extract.ocr_dpi")
    image: Grey = sheet.render(scale=dpi / 72, grayscale=True).to_numpy().squeeze().copy()
    return image


def kept(recognise: Callable[[Grey, int], list[T]], kind: type[T], image: Grey, dpi: int, settings: Settings, folder: Path) -> list[T]:
    """Return ``recognise(image, dpi)``, or what `folder` holds of it for the same image, settings and code."""
    result = folder / f"{key(recognise, image, dpi, settings)}.json"
    try:
        return msgspec.json.decode(result.read_bytes(), type=list[kind])  # type: ignore[valid-type]
    except (FileNotFoundError, msgspec.DecodeError):
        found = recognise(image, dpi)
    whole = folder / f".{result.name}.{os.getpid()}.tmp"  # equal pages, blank ones say, may be written by two processes at once
    whole.write_bytes(msgspec.json.encode(found))
    whole.replace(result)
    return found


def key(recognise: Callable[..., Any], image: Grey, dpi: int, settings: Settings) -> str:
    """Hash all that decides a page's result: its pixels, the settings, the recogniser and this code."""
    digest = hashlib.sha256(image.tobytes())
    digest.update(repr((image.shape, dpi, sorted(settings), version("rapidocr"), version("onnxruntime"))).encode())
    for module in (__file__, glyph_strips.__file__, page.__file__, inspect.getfile(recognise)):
        digest.update(Path(module).read_bytes())
    return digest.hexdigest()[:32]
