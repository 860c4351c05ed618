"""The text layer of a page as lines in the project's notation: x^2, 3^{10}, 3/4, √12.

Lengths are in ems of the page's body size unless said otherwise; y points up. What decides is where a glyph is and how
large it is, never what it says: a small raised glyph is an exponent, small glyphs above and below a rule are a fraction.
"""

import ctypes
import re
from collections import Counter
from itertools import pairwise
from typing import NamedTuple

import pypdfium2 as pdfium
import pypdfium2.raw as raw

from distill.extraction.page import SIGNS, Line, Piece

SPACE, COLUMN = 0.17, 0.55  # a gap this wide is a space, is the edge of a piece


class _Glyph(NamedTuple):
    text: str
    x0: float
    x1: float
    y: float  # of the baseline
    size: float  # points


class _Rule(NamedTuple):
    x0: float
    x1: float
    y: float


def read(page: pdfium.PdfPage) -> list[Line]:
    """Read a page's text layer from top to bottom."""
    glyphs, rules = _glyphs(page), _rules(page)
    if not glyphs:
        return []
    body = Counter(round(glyph.size, 1) for glyph in glyphs).most_common(1)[0][0]
    for rule in rules:
        glyphs = _with_root(glyphs, rule) or _with_fraction(glyphs, rule, body) or glyphs
    height = page.get_height()
    return [_line(row, height) for row in _rows(glyphs)]


def characters(page: pdfium.PdfPage) -> int:
    """Return how many characters a page's text layer holds, white space aside."""
    text = page.get_textpage()
    found = len("".join(text.get_text_bounded().split()))
    text.close()
    return found


def _glyphs(page: pdfium.PdfPage) -> list[_Glyph]:
    text = page.get_textpage()
    box, x, y = raw.FS_RECTF(), ctypes.c_double(), ctypes.c_double()
    glyphs = []
    for index in range(text.count_chars()):
        letter = chr(raw.FPDFText_GetUnicode(text, index))
        if letter.isspace() or not letter.isprintable():
            continue
        raw.FPDFText_GetLooseCharBox(text, index, box)
        raw.FPDFText_GetCharOrigin(text, index, x, y)
        size = raw.FPDFText_GetFontSize(text, index)
        glyphs.append(_Glyph(letter.translate(SIGNS), box.left, box.right, y.value, size))
    text.close()
    return glyphs


def _rules(page: pdfium.PdfPage) -> list[_Rule]:
    """Horizontal strokes at most 1.5 points thick."""
    found = []
    for item in page.get_objects(filter=[raw.FPDF_PAGEOBJ_PATH]):
        left, bottom, right, top = item.get_bounds()
        if top - bottom <= 1.5 < right - left:
            found.append(_Rule(left, right, (top + bottom) / 2))
    return sorted(found)


def _with_root(glyphs: list[_Glyph], rule: _Rule) -> list[_Glyph]:
    """Join a radical sign, whose corner the rule begins at, and what the rule covers; [] where there is none."""
    signs = [g for g in glyphs if g.text == "√" and abs(g.x1 - rule.x0) < 0.15 * g.size and 0 < rule.y - g.y < 1.3 * g.size]
    if not signs:
        return []
    sign = signs[0]
    under = [g for g in glyphs if g is not sign and _spans(rule, g) and -0.4 * g.size < g.y - sign.y < rule.y - sign.y]
    size = max([0.9 * sign.size, *(g.size for g in under)])
    whole = _Glyph("√" + _braced(_text(under)), sign.x0, max([rule.x1, *(g.x1 for g in under)]), sign.y, size)
    return [g for g in glyphs if g not in under and g is not sign] + [whole]


def _spans(rule: _Rule, glyph: _Glyph) -> bool:
    return rule.x0 - 1 < (glyph.x0 + glyph.x1) / 2 < rule.x1 + 1


def _with_fraction(glyphs: list[_Glyph], rule: _Rule, body: float) -> list[_Glyph]:
    """Join what is close above and close below the rule; [] where one of the two is missing."""
    over = [g for g in glyphs if _spans(rule, g) and 0 < g.y - rule.y < 0.6 * body]
    under = [g for g in glyphs if _spans(rule, g) and 0.3 * body < rule.y - g.y < 1.3 * body]
    if not over or not under or "_" in {g.text for g in over}:
        return []
    text = "/".join(part if re.fullmatch(r"[\w.√π{}]+", part) else f"({part})" for part in (_text(over), _text(under)))
    rest = [g for g in glyphs if g not in over and g not in under]
    beside = [g.y for g in rest if g.size > 0.85 * body and abs(g.y - (rule.y - 0.3 * body)) < 0.3 * body]
    y = min(beside, key=lambda y: abs(y - (rule.y - 0.3 * body)), default=rule.y - 0.3 * body)
    return [*rest, _Glyph(text, rule.x0, rule.x1, y, body)]


def _braced(text: str) -> str:
    return text if re.fullmatch(r"\d+|[A-Za-z]", text) else f"{{{text}}}"


def _rows(glyphs: list[_Glyph]) -> list[list[_Glyph]]:
    """Group glyphs by baseline, top to bottom; a run smaller than the glyph to its left goes to that one's row."""
    rows: list[list[_Glyph]] = []
    scripts: list[tuple[_Glyph, list[_Glyph]]] = []
    for run in _runs(glyphs):
        host = _host(run[0], glyphs)
        if host:
            scripts.append((host, run))
        elif rows and abs(rows[-1][0].y - run[0].y) < 0.2 * run[0].size:
            rows[-1] += run
        else:
            rows.append(list(run))
    for host, run in scripts:
        min(rows, key=lambda row: abs(row[0].y - host.y)).extend(run)
    return rows


def _runs(glyphs: list[_Glyph]) -> list[list[_Glyph]]:
    """Glyphs of one size side by side on one baseline."""
    runs: list[list[_Glyph]] = []
    for glyph in sorted(glyphs, key=lambda g: (-round(g.y, 1), g.x0)):
        last = runs[-1][-1] if runs else None
        if last and last.size == glyph.size and abs(last.y - glyph.y) < 0.1 * glyph.size and glyph.x0 - last.x1 < COLUMN * glyph.size:
            runs[-1].append(glyph)
        else:
            runs.append([glyph])
    return runs


def _host(script: _Glyph, glyphs: list[_Glyph]) -> _Glyph | None:
    """Return the larger glyph that ends where a raised or lowered one begins."""
    for other in glyphs:
        gap, shift = (script.x0 - other.x1) / other.size, abs(script.y - other.y) / other.size
        if other.size > 1.2 * script.size and -0.1 < gap < 0.25 and 0.1 < shift < 0.7:
            return other
    return None


def _line(row: list[_Glyph], height: float) -> Line:
    return Line(height - row[0].y, tuple(Piece(part[0].x0, _text(part)) for part in _split(row)))


def _split(row: list[_Glyph]) -> list[list[_Glyph]]:
    ordered = sorted(row, key=lambda g: g.x0)
    size = max(g.size for g in ordered)
    parts = [[ordered[0]]]
    for before, glyph in pairwise(ordered):
        if glyph.x0 - before.x1 > COLUMN * size:
            parts.append([])
        parts[-1].append(glyph)
    return parts


def _text(glyphs: list[_Glyph]) -> str:
    """Spell glyphs out from left to right with spaces, exponents and indices."""
    if not glyphs:
        return ""
    ordered = sorted(glyphs, key=lambda g: g.x0)
    size = max(g.size for g in ordered)
    base = Counter(round(g.y, 1) for g in ordered if g.size > 0.9 * size).most_common(1)[0][0]
    out, shift, end = "", "", ordered[0].x0
    for glyph in ordered:
        small = glyph.size < 0.85 * size and abs(glyph.y - base) > 0.1 * size
        now = ("^" if glyph.y > base else "_") if small else ""
        gap = " " if glyph.x0 - end > SPACE * size else ""
        if now != shift:
            out += ("}" if shift else "") + gap + (f"{now}{{" if now else "")
        else:
            out += gap
        out, shift, end = out + glyph.text, now, glyph.x1
    out += "}" if shift else ""
    return re.sub(r"([\^_])\{(\w)\}", r"\1\2", out)
