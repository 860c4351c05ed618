"""The glyphs and rules of a page's text layer; lengths in points, y points down from the page's upper edge.

A glyph's size is that of its type as printed, after every scaling. A character that its font does not name is lost, save the brackets and
signs of TeX's extension font, whose places are known.
"""

import ctypes
import unicodedata
from typing import NamedTuple

import pypdfium2 as pdfium
import pypdfium2.raw as raw

from distill.extraction.page import SIGNS, Region

LOST = "\ufffd"
# TeX's font cmex10 by place: large brackets, bars, radicals, sums.
EXTENSION = {
    **dict.fromkeys((0, 16, 18, 32), "("), **dict.fromkeys((1, 17, 19, 33), ")"), **dict.fromkeys((2, 20, 34, 104), "["),
    **dict.fromkeys((3, 21, 35, 105), "]"), **dict.fromkeys((8, 26, 40, 110), "{"), **dict.fromkeys((9, 27, 41, 111), "}"),
    **dict.fromkeys((112, 113, 114, 115), "√"), **dict.fromkeys((80, 88), "∑"), **dict.fromkeys((81, 89), "∏"),
    **dict.fromkeys((82, 90), "∫"), 12: "|",
}  # fmt: skip
SPELLED = str.maketrans(
    {"⋅": "·", "∙": "·", "∗": "*", "◦": "°", "∘": "°", "º": "°", "\u00a0": " ", "′": "'", "∕": "/", "⁄": "/", "∣": "|", "−": "-"}
)
THIN = 1.6  # points: a rule is no thicker
FRAME = 24.0  # points: a drawing is at least so wide and high


class Glyph(NamedTuple):
    """A character, or a formula that was put together of several."""

    text: str
    x0: float
    x1: float
    y: float  # baseline
    top: float  # of its ink
    bottom: float
    size: float
    built: bool = False  # a fraction or a root
    hyphen: bool = False  # at the end of a line, within a word

    @property
    def middle(self) -> float:
        """Half-way between its left and its right edge."""
        return (self.x0 + self.x1) / 2


class Rule(NamedTuple):
    """A horizontal stroke."""

    x0: float
    x1: float
    y: float


def glyphs(page: pdfium.PdfPage) -> list[Glyph]:
    """Return a page's characters in the order of its text layer, white space left out."""
    text, height = page.get_textpage(), page.get_height()
    matrix, loose, x, y = raw.FS_MATRIX(), raw.FS_RECTF(), ctypes.c_double(), ctypes.c_double()
    left, right, bottom, top = (ctypes.c_double() for _ in range(4))
    found = []
    for index in range(text.count_chars()):
        if raw.FPDFText_IsGenerated(text, index) == 1:
            continue
        hyphen = raw.FPDFText_IsHyphen(text, index) == 1
        letter = "-" if hyphen else _letter(text, index)
        if not letter:
            continue
        raw.FPDFText_GetLooseCharBox(text, index, loose)
        raw.FPDFText_GetCharBox(text, index, left, right, bottom, top)
        raw.FPDFText_GetCharOrigin(text, index, x, y)
        raw.FPDFText_GetMatrix(text, index, matrix)
        size = raw.FPDFText_GetFontSize(text, index) * abs(matrix.a * matrix.d - matrix.b * matrix.c) ** 0.5
        if size > 0.5:
            end = max(loose.right, right.value) if letter == "√" else loose.right
            found.append(Glyph(letter, x.value, end, height - y.value, height - top.value, height - bottom.value, size, hyphen=hyphen))
    text.close()
    return found


def _letter(text: pdfium.PdfTextPage, index: int) -> str:
    """Return a character as the project writes it, "" for white space, LOST where the font does not say what it is."""
    code = raw.FPDFText_GetUnicode(text, index)
    if raw.FPDFText_HasUnicodeMapError(text, index) == 1 or 0xE000 <= code <= 0xF8FF or not code:
        return EXTENSION.get(code, LOST) if _is_extension(text, index) else LOST
    if 0xDC00 <= code <= 0xDFFF:
        return ""  # the second half of the character before
    if 0xD800 <= code <= 0xDBFF:
        code = 0x10000 + ((code - 0xD800) << 10) + raw.FPDFText_GetUnicode(text, index + 1) - 0xDC00
    letter = chr(code)
    if letter.isspace() or unicodedata.category(letter) in ("Cc", "Cf"):
        return ""
    plain = letter if letter in "…²³¹½¼¾" else unicodedata.normalize("NFKC", letter.translate(SPELLED)).replace(" ", "")
    return plain.translate(SIGNS).translate(SPELLED)


def _is_extension(text: pdfium.PdfTextPage, index: int) -> bool:
    name = ctypes.create_string_buffer(100)
    raw.FPDFText_GetFontInfo(text, index, name, 100, ctypes.c_int())
    return b"CMEX" in name.value.upper()


def rules(page: pdfium.PdfPage) -> list[Rule]:
    """Return the horizontal strokes of a page, the shortest first: what is inside a formula is built before what is around it."""
    height, found = page.get_height(), set()
    for item in page.get_objects(filter=[raw.FPDF_PAGEOBJ_PATH]):
        left, low, right, high = item.get_bounds()
        if high - low <= THIN and right - left > 2:
            found.add(Rule(round(left, 2), round(right, 2), round(height - (high + low) / 2, 2)))
    return sorted(found, key=lambda rule: (rule.x1 - rule.x0, rule.y, rule.x0))


def drawings(page: pdfium.PdfPage) -> list[Region]:
    """Return the places of images and of drawings that are no frame of the page; in points from its upper left corner."""
    width, height = page.get_size()
    found = []
    for item in page.get_objects(filter=[raw.FPDF_PAGEOBJ_PATH, raw.FPDF_PAGEOBJ_IMAGE]):
        left, low, right, high = item.get_bounds()
        if FRAME <= right - left < 0.9 * width and FRAME <= high - low < 0.9 * height:
            found.append((round(left, 1), round(height - high, 1), round(right, 1), round(height - low, 1)))
    return found
