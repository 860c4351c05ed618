"""Exams by reportlab: lines of words that break where the page ends, with formulas as boxes."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.pdfgen.canvas import Canvas

from bench.exam_texts import Node, parse, split

WIDTH, HEIGHT, EDGE = 612, 792, 64
Draw = Callable[[Canvas, float, float], None]


class Box(NamedTuple):
    """Something to draw with its foot on a baseline."""

    width: float
    up: float
    down: float
    draw: Draw


def glyphs(text: str, size: float, font: str = "Times-Roman") -> Box:
    """Return text as a box; π is in another font."""
    if text in ("π", "≤", "≥", "⋯"):
        text, font = {"π": "\u03c0", "≤": "\u2264", "≥": "\u2265", "⋯": "..."}[text], "Symbol" if text != "⋯" else font
    width = stringWidth(text, font, size)

    def draw(canvas: Canvas, x: float, y: float) -> None:
        canvas.setFont(font, size)
        canvas.drawString(x, y, text)

    return Box(width, 0.7 * size, 0.2 * size, draw)


def beside(boxes: Sequence[tuple[Box, float]]) -> Box:
    """Set boxes side by side, each raised by so much."""

    def draw(canvas: Canvas, x: float, y: float) -> None:
        for box, rise in boxes:
            box.draw(canvas, x, y + rise)
            x += box.width

    ups, downs = [b.up + rise for b, rise in boxes], [b.down - rise for b, rise in boxes]
    return Box(sum(b.width for b, _ in boxes), max(ups, default=0), max(downs, default=0), draw)


def formula(node: Node, size: float) -> Box:
    """Lay out a formula's tree."""
    if isinstance(node, str):
        box = glyphs(node, size, "Times-Italic" if node.isalpha() and len(node) == 1 and node.isascii() else "Times-Roman")
        pad = 0.2 * size if node in "+-=≤≥" else 0.0
        return box._replace(width=box.width + 2 * pad, draw=lambda canvas, x, y: box.draw(canvas, x + pad, y))
    kind, *rest = node
    if kind == "row":
        return beside([(formula(each, size), 0.0) for each in rest])
    if kind in ("sup", "sub"):
        base = formula(rest[0], size)
        return beside(
            [(base, 0.0), (formula(rest[1], 0.65 * size), max(0.4 * size, base.up - 0.35 * size) if kind == "sup" else -0.2 * size)]
        )
    if kind == "frac":
        over, under = formula(rest[0], 0.85 * size), formula(rest[1], 0.85 * size)
        width, axis = max(over.width, under.width) + 0.2 * size, 0.28 * size

        def fraction(canvas: Canvas, x: float, y: float) -> None:
            over.draw(canvas, x + (width - over.width) / 2, y + axis + over.down + 1.5)
            under.draw(canvas, x + (width - under.width) / 2, y + axis - under.up - 1.5)
            canvas.setLineWidth(0.5)
            canvas.line(x, y + axis, x + width, y + axis)

        return Box(width + 1, axis + over.down + over.up + 2, under.up + under.down + 2 - axis, fraction)
    inner = formula(rest[-1], size)

    def root(canvas: Canvas, x: float, y: float) -> None:
        canvas.setFont("Symbol", size)
        canvas.drawString(x, y, "\u221a")
        canvas.setLineWidth(0.5)
        canvas.line(
            x + 0.55 * size, y + max(inner.up + 1.5, 0.85 * size), x + 0.55 * size + inner.width, y + max(inner.up + 1.5, 0.85 * size)
        )
        inner.draw(canvas, x + 0.55 * size, y)

    whole = Box(inner.width + 0.6 * size, inner.up + 3, inner.down, root)
    return whole if kind == "sqrt" else beside([(formula(rest[0], 0.6 * size), 0.45 * size), (whole, 0.0)])


def words(text: str, size: float) -> list[Box]:
    """Return a text as boxes between which a line may break."""
    found: list[list[tuple[Box, float]]] = [[]]
    for is_formula, part in split(text):
        pieces: list[Any] = [part] if is_formula else part.split(" ")
        for place, piece in enumerate(pieces):
            if place:
                found.append([])
            if piece:
                found[-1].append((formula(parse(piece), size) if is_formula else glyphs(piece, size), 0.0))
    return [beside(run) for run in found if run]


class Sheet:
    """A canvas that is written from top to bottom."""

    def __init__(self, path: Path, style: Any) -> None:
        self.canvas, self.style, self.page, self.y = Canvas(str(path), pagesize=(WIDTH, HEIGHT), invariant=1), style, 0, 0.0
        self.turn()

    def turn(self) -> None:
        if self.page:
            self.canvas.showPage()
        self.page, self.y = self.page + 1, HEIGHT - EDGE - 10
        self.canvas.setFont("Times-Roman", 9)
        self.canvas.drawString(EDGE, HEIGHT - 40, self.style.head)
        if self.style.foot:
            self.canvas.drawCentredString(WIDTH / 2, 30, f"Page {self.page}")

    def line(self, boxes: Sequence[tuple[float, Box]]) -> None:
        """Set boxes at their places on the next line."""
        up, down = max(box.up for _, box in boxes), max(box.down for _, box in boxes)
        if self.y - up - down < EDGE:
            self.turn()
        self.y -= up + 3
        for x, box in boxes:
            box.draw(self.canvas, x, self.y)
        self.y -= down + 2

    def text(self, text: str, left: float) -> None:
        """Set a text in lines."""
        space, line, x = 0.25 * self.style.size, [], left
        for box in words(text, self.style.size):
            if x + box.width > WIDTH - EDGE and line:
                self.line(line)
                line, x = [], left
            line.append((x, box))
            x += box.width + space
        self.line(line)


def paper(blocks: list[tuple[Any, ...]], style: Any, work: Path, out: Path) -> None:
    """Print an exam or a key."""
    sheet = Sheet(out, style)
    for kind, *rest in blocks:
        if kind in ("title", "heading"):
            box = glyphs(rest[0], style.size * 1.4, "Times-Bold")
            sheet.line([((WIDTH - box.width) / 2, box)])
        elif kind == "newpage":
            sheet.turn()
        elif kind == "item":
            label, item = rest
            sheet.y -= 8
            sheet.text(f"{label} {item.text}", EDGE)
            for letter, part in zip("ab", item.parts, strict=False):
                sheet.text(f"({letter}) {part}", EDGE + 20)
            step = (WIDTH - 2 * EDGE) / max(len(item.choices), 1)
            chosen = [
                beside([(each, 0.0) for box in words(f"({letter}) {part}", style.size) for each in (box, glyphs(" ", style.size))])
                for letter, part in zip("ABCDE", item.choices, strict=False)
            ]
            if chosen:
                sheet.line([(EDGE + step * place, box) for place, box in enumerate(chosen)])
        else:
            _keys(sheet, *rest)
    sheet.canvas.save()


def _keys(sheet: Sheet, form: str, answers: list[tuple[str, Any]]) -> None:
    if form == "solutions":
        for label, item in answers:
            sheet.y -= 6
            sheet.text(f"{label}. {item.text} We work step by step, and find the value. Answer: {item.answer}", EDGE)
    else:
        columns = 4 if form == "list" else 1
        for start in range(0, len(answers), columns):
            cells = [f"{label}. {item.answer}" for label, item in answers[start : start + columns]]
            sheet.y -= 4
            sheet.line(
                [
                    (
                        EDGE + 120 * place,
                        beside([(each, 0.0) for box in words(cell, sheet.style.size) for each in (box, glyphs(" ", sheet.style.size))]),
                    )
                    for place, cell in enumerate(cells)
                ]
            )
