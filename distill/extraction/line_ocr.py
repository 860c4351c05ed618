"""A page image as lines: geometry finds the strips of print, RapidOCR's recogniser alone reads them.

Its detector takes four times as long, drops short answers and loses fractions.
"""

import re
import unicodedata
from pathlib import Path

import numpy as np

from distill.extraction import glyph_strips, ocr
from distill.extraction.glyph_strips import Grey
from distill.extraction.page import SIGNS, Line, Piece

SETTINGS = frozenset(
    {
        **ocr.COMMON,
        "Global.use_det": False,
        "Global.text_score": 0.0,  # a doubtful line is kept: dropping it would lose a number in silence
    }.items()
)
SCRIPTS = str.maketrans({mark: f"{'^_'[place // 10]}{place % 10}" for place, mark in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹₀₁₂₃₄₅₆₇₈₉")})
STOPS = str.maketrans({"º": "°", "˚": "°", "⁄": "/", "。": ".", "、": ",", "ı": "i", "…": "..."})


def read(image: Grey, dpi: int, folder: Path) -> list[Line]:
    """Read a page image (height, width) from top to bottom, or take the result that `folder` keeps."""
    return ocr.kept(recognise, Line, image, dpi, SETTINGS, folder)


def recognise(image: Grey, dpi: int) -> list[Line]:
    """Read a page image (height, width) from top to bottom."""
    rows: dict[int, list[Piece]] = {}
    for strip in glyph_strips.strips(image, dpi):
        text, _ = spelled(strip)
        if text:
            rows.setdefault(strip.y, []).append(Piece(round(strip.x * 72 / dpi, 1), text))
    return [Line(round(y * 72 / dpi, 1), tuple(pieces)) for y, pieces in rows.items()]


def spelled(strip: glyph_strips.Strip) -> tuple[str, float]:
    """Return what a strip says, "" where nothing is recognised, and the recogniser's certainty, 0 to 1."""
    result = ocr.engine(SETTINGS)(np.stack([strip.image] * 3, axis=-1))
    return _closed(normalised(result.txts[0] if result.txts else ""), strip.tight), float(result.scores[0]) if result.scores else 0.0


def normalised(text: str) -> str:
    """Undo what is only typographic in recognised text: look-alike characters, accents, spaces that print cannot show.

    >>> normalised("If x ^ (2) – 3 ＝ 2^(10) ，fìnd 35º .")
    'If x^2 - 3 = 2^{10}, find 35°.'
    """
    text = unicodedata.normalize("NFKC", text.translate(SCRIPTS).translate(STOPS)).translate(STOPS).translate(SIGNS)
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
