"""Pages without a text layer, read by OCR: one engine a process, one kept result a page.

RapidOCR's recogniser alone: its detector takes four times as long, drops short answers and loses fractions, and lines of print
are found by geometry. Its weights ship in its wheel, so nothing is downloaded.
"""

import hashlib
import multiprocessing
import os
import re
import signal
import threading
import unicodedata
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pypdfium2 as pdfium

from distill.core.errors import InputError
from distill.extraction import glyph_strips, text_layer
from distill.extraction.text_layer import Line, Piece

MAX_PIXELS = 60_000_000  # of one page: about 600 dpi on letter paper
SETTINGS = {
    "Global.log_level": "error",
    "Global.use_det": False,
    "Global.use_cls": False,
    "Global.text_score": 0.0,  # a doubtful line is kept: dropping it would lose a number in silence
    "EngineConfig.onnxruntime.intra_op_num_threads": 1,
    "EngineConfig.onnxruntime.inter_op_num_threads": 1,
    "Rec.rec_batch_num": 1,  # one strip at a time, so that a result does not depend on its neighbours' widths
}
SCRIPTS = str.maketrans({mark: f"{'^_'[place // 10]}{place % 10}" for place, mark in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹₀₁₂₃₄₅₆₇₈₉")})
STOPS = str.maketrans({"º": "°", "˚": "°", "⁄": "/", "。": ".", "、": ",", "ı": "i", "…": "..."})


def serve() -> None:
    """Prepare a worker process: Ctrl-C is its parent's to handle, and it does not outlive its parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_leave, daemon=True).start()


def _leave() -> None:
    if parent := multiprocessing.parent_process():
        parent.join()
        os._exit(1)


def read(path: Path, number: int, dpi: int, kept: Path) -> list[Line]:
    """Read page `number` (from 0) of a PDF at `dpi`, or take what `kept` holds for the same image, settings and code."""
    image = render(path, number, dpi)
    result = kept / f"{_key(image, dpi)}.json"
    try:
        return msgspec.json.decode(result.read_bytes(), type=list[Line])
    except (FileNotFoundError, msgspec.DecodeError):
        lines = recognise(image, dpi)
    whole = kept / f".{result.name}.{os.getpid()}.tmp"  # equal pages, blank ones say, may be written by two processes at once
    whole.write_bytes(msgspec.json.encode(lines))
    whole.replace(result)
    return lines


def recognise(image: glyph_strips.Grey, dpi: int) -> list[Line]:
    """Read a page image (height, width) from top to bottom."""
    rows: dict[int, list[Piece]] = {}
    for strip in glyph_strips.strips(image, dpi):
        result = _engine()(np.stack([strip.image] * 3, axis=-1))
        text = _closed(normalised(result.txts[0] if result.txts else ""), strip.tight)
        if text:
            rows.setdefault(strip.y, []).append(Piece(round(strip.x * 72 / dpi, 1), text))
    return [Line(round(y * 72 / dpi, 1), tuple(pieces)) for y, pieces in rows.items()]


def normalised(text: str) -> str:
    """Undo what is only typographic in recognised text: look-alike characters, accents, spaces that print cannot show.

    >>> normalised("If x ^ (2) – 3 ＝ 2^(10) ，fìnd 35º .")
    'If x^2 - 3 = 2^{10}, find 35°.'
    """
    text = unicodedata.normalize("NFKC", text.translate(SCRIPTS).translate(STOPS)).translate(STOPS).translate(text_layer.SIGNS)
    text = "".join(_plain(letter) for letter in text)
    text = re.sub(r"\s*([\^_])\s*\(\s*([^()]*?)\s*\)", lambda found: f"{found[1]}{{{found[2].replace(' ', '')}}}", text)
    text = re.sub(r"([\^_])\{(\w)\}", r"\1\2", text)
    text = re.sub(r"[\^_]\{\}", "", text)  # a raised mark that is no character
    text = re.sub(r"(?<!\.)\.\.(?!\.)", "...", text)
    text = re.sub(r"\s+([,;:?!)%°]|\.(?!\.))", r"\1", text)
    text = re.sub(r"([,;?!])(?=[A-Za-z])|,(?=-?\d)(?!\d{3}(?!\d))", lambda found: f"{found[0]} ", text)  # 1,386 stays, (59,21) is a pair
    text = re.sub(r"(?<=\S)([·×÷=<>≤≥+]) | ([·×÷=<>≤≥+])(?=\S)", lambda found: f" {found[1] or found[2]} ", text)  # as wide on both sides
    text = re.sub(r"((?:\d[a-z]?|[)}]) )-(?=[\w(√])", r"\1- ", text)  # 3x -7 is a difference, of -7 is not
    return " ".join(text.split())


def _closed(text: str, tight: tuple[bool, ...]) -> str:
    """Set the space after each script as the page has it: the recogniser guesses it."""
    parts = re.split(r"([\^_](?:\w|\{[^{}]*\}))", text)
    if len(parts) // 2 != len(tight):  # a script was misread, so the two cannot be matched up
        return text
    after = [("" if close else " ") + part.lstrip() for part, close in zip(parts[2::2], tight, strict=True)]
    return (parts[0] + "".join(script + rest for script, rest in zip(parts[1::2], after, strict=True))).strip()


def _plain(letter: str) -> str:
    base = unicodedata.normalize("NFD", letter)[0]
    return base if base.isascii() and base.isalpha() else letter


def render(path: Path, number: int, dpi: int) -> glyph_strips.Grey:
    """Return page `number` (from 0) as a grey image (height, width)."""
    document = pdfium.PdfDocument(path)
    page = document[number]
    width, height = page.get_size()
    if width * height * (dpi / 72) ** 2 > MAX_PIXELS:
        raise InputError(f"{path}: page {number + 1} is {width:.0f} x {height:.0f} points, too large at {dpi} dpi; lower extract.ocr_dpi")
    image: glyph_strips.Grey = page.render(scale=dpi / 72, grayscale=True).to_numpy().squeeze().copy()
    document.close()
    return image


def _key(image: glyph_strips.Grey, dpi: int) -> str:
    """Hash all that decides a page's result: its pixels, the settings, the recogniser and this code."""
    digest = hashlib.sha256(image.tobytes())
    digest.update(repr((image.shape, dpi, sorted(SETTINGS.items()), version("rapidocr"), version("onnxruntime"))).encode())
    for module in (__file__, glyph_strips.__file__, text_layer.__file__):
        digest.update(Path(module).read_bytes())
    return digest.hexdigest()[:32]


@cache
def _engine() -> Any:
    from rapidocr import RapidOCR  # takes a second to import, which pages with a text layer need not spend

    return RapidOCR(params=SETTINGS)
