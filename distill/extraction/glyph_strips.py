"""A page image as strips, each a run of print on one line, redrawn so that a line recogniser can read it.

A recogniser flattens 3 raised to 10 into 310 and loses a built-up fraction. Geometry sees both, whatever they say, so the
strips show ``3^(10)`` and ``3/4`` instead: small raised print goes down to the baseline inside a painted ``^( )``, lowered print inside
``_( )``, and what is above and below a rule goes on both sides of a painted slash. Boxes are in pixels, y points down.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

Grey = NDArray[np.uint8]  # (height, width), 0 is black
SCRIPTS = ("raised", "lowered")
SPECK = 1.5e-4  # square inches: a full stop of 10 points has twice that
COLUMN = 0.75  # a gap this wide, in cap heights, ends a strip


class Strip(NamedTuple):
    """One run of print: where it begins, its baseline, its redrawn image, and for each script in it whether print follows closely."""

    x: int
    y: int
    image: Grey
    tight: tuple[bool, ...]


class Mark(NamedTuple):
    """One connected component, upper left to lower right; `label` is its number in the label image."""

    x0: int
    y0: int
    x1: int
    y1: int
    label: int

    @property
    def height(self) -> int:
        """Rows that the component touches."""
        return self.y1 - self.y0


class Unit(NamedTuple):
    """What is drawn as one: plain print, a raised or lowered run, or a fraction (`under` its denominator)."""

    kind: str  # print | raised | lowered | fraction
    x0: int
    x1: int
    boxes: tuple[Mark, ...]
    under: tuple[Mark, ...] = ()


def strips(image: Grey, dpi: int) -> list[Strip]:
    """Cut a page into strips, line by line from the top, each line from the left."""
    labels, boxes = components(upright(cleaned(image)), dpi)
    tall = [box.height for box in boxes if box.height > 0.06 * dpi]
    if not tall:
        return []
    cap = int(np.percentile(tall, 75))  # height of a capital: three quarters of the marks of a text are no taller
    found = []
    for base, units in _lines(boxes, cap):
        for run in _runs(units, cap):
            tight = tuple(_tight(unit, run[place:], base, cap) for place, unit in enumerate(run, 1) if unit.kind in SCRIPTS)
            found.append(Strip(run[0].x0, base, draw(labels, base, run, cap), tight))
    return found


def cleaned(image: Grey) -> Grey:
    """Take away single black pixels and fill single white ones: the noise of a scanner would break rules and grow specks."""
    black = image < 128
    beside = ndimage.convolve(black.astype(np.uint8), np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]], np.uint8), mode="constant")
    return np.where(black, np.where(beside == 0, 255, image), np.where(beside >= 5, 0, image)).astype(np.uint8)


def upright(image: Grey) -> Grey:
    """Turn the page by the angle, within 2 degrees, at which its rows of ink are sharpest."""
    y, x = np.nonzero(image < 128)
    step = max(1, len(y) // 40000)
    y, x = y[::step], x[::step]

    def sharpness(angle: float) -> float:
        rows = np.rint(y + x * np.tan(np.radians(angle))).astype(int)
        return float((np.bincount(rows - rows.min(initial=0)).astype(float) ** 2).sum())

    best = max((step / 20 for step in range(-40, 41)), key=sharpness)
    return np.asarray(Image.fromarray(image).rotate(-best, resample=Image.Resampling.BICUBIC, fillcolor=255))


def components(image: Grey, dpi: int) -> tuple[NDArray[np.int32], list[Mark]]:
    """Label the marks of a page; what is smaller than an eightieth of an inch square is none."""
    labels, _ = ndimage.label(image < 128, np.ones((3, 3)))
    area = np.bincount(labels.ravel())
    boxes = [
        Mark(where[1].start, where[0].start, where[1].stop, where[0].stop, number)
        for number, where in enumerate(ndimage.find_objects(labels), 1)
        if area[number] >= SPECK * dpi * dpi
    ]
    return labels, boxes


def _lines(boxes: list[Mark], cap: int) -> list[tuple[int, list[Unit]]]:
    """Return each line's baseline and its units from left to right."""
    built = fractions(boxes, cap)
    used = {box for unit in built for box in (*unit.boxes, *unit.under)}
    plain = [box for box in boxes if box not in used and box.height < 2.2 * cap]
    bands = _bands([box for box in plain if 0.65 * cap <= box.height <= 1.6 * cap])
    rows: list[list[Unit]] = [[] for _ in bands]
    for unit in [*(Unit("print", box.x0, box.x1, (box,)) for box in plain), *built]:
        y = (unit.boxes[0].y0 + unit.boxes[0].y1) / 2
        distance = [max(top - y, y - bottom, 0) for top, bottom in bands]
        if distance and min(distance) < 0.7 * cap:
            rows[int(np.argmin(distance))].append(unit)
    lines = []
    for row in rows:
        feet = [unit.boxes[0].y1 for unit in row if unit.kind == "print" and unit.boxes[0].height >= 0.65 * cap]
        if feet:
            base = int(np.bincount(feet).argmax())
            lines.append((base, _with_scripts(sorted(row, key=lambda unit: unit.x0), base, cap)))
    return lines


def fractions(boxes: list[Mark], cap: int, reach: float = 0.45) -> list[Unit]:
    """Find rules with print within `reach` cap heights above and below; the rule itself is the first of the unit's boxes."""
    found = []
    for rule in boxes:
        width = rule.x1 - rule.x0
        if not (rule.height <= max(4, 0.25 * cap) and max(3 * rule.height, 0.4 * cap) <= width <= 10 * cap):
            continue
        inside = [box for box in boxes if rule.x0 - 0.1 * cap <= (box.x0 + box.x1) / 2 <= rule.x1 + 0.1 * cap and box.height > 0.3 * cap]
        over = [box for box in inside if 0 <= rule.y0 - box.y1 <= reach * cap]
        under = [box for box in inside if 0 <= box.y0 - rule.y1 <= reach * cap]
        if over and under:
            found.append(Unit("fraction", rule.x0, rule.x1, (rule, *over), tuple(under)))
    return found


def _bands(body: list[Mark]) -> list[tuple[int, int]]:
    """Rows of pixels that print touches, as (top, bottom) of each line."""
    touched = np.zeros(max((box.y1 for box in body), default=0) + 2, bool)
    for box in body:
        touched[box.y0 : box.y1] = True
    edges = np.flatnonzero(np.diff(touched.astype(int), prepend=0))
    return [(int(top), int(bottom)) for top, bottom in edges.reshape(-1, 2)]


def _with_scripts(row: list[Unit], base: int, cap: int) -> list[Unit]:
    """Mark the raised and lowered print of a line, neighbours joined."""
    done: list[Unit] = []
    for unit, after in zip(row, [*row[1:], None], strict=True):
        kind = _kind(unit, base, cap)
        last = done[-1] if done else None
        if kind in SCRIPTS and (not last or _leans(unit, after, cap) or any(_under(unit, other, base, cap) for other in row)):
            kind = "print"
        if kind == "flat":
            beside = last and last.kind == "raised" and unit.x0 - last.x1 < 0.3 * cap
            leads = after and _kind(after, base, cap) == "raised" and after.x0 - unit.x1 < 0.3 * cap
            kind = "raised" if beside or leads else "print"
        if last and kind in SCRIPTS and last.kind == kind and unit.x0 - last.x1 < 0.4 * cap:
            done[-1] = Unit(kind, last.x0, max(last.x1, unit.x1), last.boxes + unit.boxes)
        else:
            done.append(unit._replace(kind=kind))
    return done


def _leans(unit: Unit, after: Unit | None, cap: int) -> bool:
    """The next mark begins above or below this one: the stroke of a percent sign beside its upper ring."""
    return after is not None and after.x0 < unit.x1 - 0.1 * cap and after.boxes[0].height > 0.9 * cap


def _under(unit: Unit, other: Unit, base: int, cap: int) -> bool:
    """The other mark is the point of this one: of a question mark."""
    point = other.boxes[0]
    return unit.x0 <= (point.x0 + point.x1) / 2 <= unit.x1 and unit.boxes[0].y1 <= point.y0 and abs(point.y1 - base) < 0.15 * cap


def _kind(unit: Unit, base: int, cap: int) -> str:
    """Say which kind a unit is: a flat mark may be a raised minus sign, which its neighbours decide."""
    box = unit.boxes[0]
    if unit.kind == "fraction":
        return "fraction"
    small = 0.48 * cap <= box.height <= 0.9 * cap
    if small and box.y1 <= base - 0.3 * cap and box.y0 < base - 0.8 * cap:
        return "raised"
    if small and box.y1 >= base + 0.15 * cap and box.y0 > base - 0.6 * cap:
        return "lowered"
    return "flat" if box.y1 <= base - 0.45 * cap and box.height <= 0.3 * cap and box.x1 - box.x0 > 1.5 * box.height else "print"


def _runs(units: list[Unit], cap: int) -> list[list[Unit]]:
    runs = [[units[0]]]
    end = units[0].x1
    for unit in units[1:]:
        if unit.x0 - end > COLUMN * cap:
            runs.append([])
        runs[-1].append(unit)
        end = max(end, unit.x1)
    return runs


def _tight(unit: Unit, after: list[Unit], base: int, cap: int) -> bool:
    """Does print follow closely? A speck that hangs in the air is no print."""
    marks = (other for other in after if other.boxes[0].height > 0.3 * cap or abs(other.boxes[0].y1 - base) < 0.15 * cap)
    follows = next(marks, None)
    return follows is not None and follows.x0 - unit.x1 < 0.3 * cap


def draw(labels: NDArray[np.int32], base: int, units: list[Unit], cap: int) -> Grey:
    """Redraw units on one baseline, 1.6 cap heights above it and 0.6 below, with half a cap height of margin."""
    canvas = np.full((int(2.2 * cap), 2 * (units[-1].x1 - units[0].x0) + 20 * cap), 255, np.uint8)
    foot, pen, end = int(1.6 * cap), cap // 2, units[0].x0
    for unit in units:
        pen += unit.x0 - end  # negative where marks overlap
        if unit.kind == "print":
            _paste(canvas, _cut(labels, unit.boxes), pen, foot + unit.boxes[0].y1 - base)
            pen += unit.x1 - unit.x0
        else:
            for part, drop in _spelled(labels, unit, cap):
                _paste(canvas, part, pen + 1, foot + drop)
                pen += part.shape[1] + 2
        end = max(end, unit.x1) if unit.kind == "print" else unit.x1
        pen += end - unit.x1
    return canvas[:, : pen + cap // 2]


def _spelled(labels: NDArray[np.int32], unit: Unit, cap: int) -> list[tuple[Grey, int]]:
    """Spell a script or fraction in full-size images, each with the drop of its foot below the baseline."""
    if unit.kind == "fraction":
        return [(_enlarged(labels, unit.boxes[1:], cap), 0), _sign("/", cap), (_enlarged(labels, unit.under, cap), 0)]
    mark = "^" if unit.kind == "raised" else "_"
    return [_sign(mark, cap), _sign("(", cap), (_enlarged(labels, unit.boxes, cap), 0), _sign(")", cap)]


def _cut(labels: NDArray[np.int32], boxes: tuple[Mark, ...]) -> Grey:
    top, bottom = min(box.y0 for box in boxes), max(box.y1 for box in boxes)
    left, right = min(box.x0 for box in boxes), max(box.x1 for box in boxes)
    wanted = np.isin(labels[top:bottom, left:right], [box.label for box in boxes])
    return np.where(wanted, 0, 255).astype(np.uint8)


def _enlarged(labels: NDArray[np.int32], boxes: tuple[Mark, ...], cap: int) -> Grey:
    """Bring small print to the size of the line: 1.4 times where it has no tall letter to measure by."""
    tallest = max(box.height for box in boxes)
    factor = cap / tallest if tallest > 0.6 * cap else 1.4
    image = Image.fromarray(_cut(labels, boxes))
    size = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
    return np.asarray(image.resize(size, Image.Resampling.BICUBIC))


def _sign(character: str, cap: int) -> tuple[Grey, int]:
    """Return the ink of a painted character and how far its foot hangs below the baseline."""
    font = ImageFont.load_default(cap / 0.73)
    assert isinstance(font, ImageFont.FreeTypeFont)
    left, top, right, bottom = (int(edge) for edge in font.getbbox(character))
    image = Image.new("L", (right - left, bottom - top), 255)
    ImageDraw.Draw(image).text((-left, -top), character, font=font, fill=0)
    return np.asarray(image), bottom - font.getmetrics()[0]


def _paste(canvas: Grey, part: Grey, x: int, foot: int) -> None:
    """Darken the canvas by a part whose lowest row is just above `foot`; what leaves the canvas is cut off."""
    top = foot - part.shape[0]
    part = part[max(0, -top) : max(0, canvas.shape[0] - top), max(0, -x) : max(0, canvas.shape[1] - x)]
    top, x = max(0, top), max(0, x)
    window = canvas[top : top + part.shape[0], x : x + part.shape[1]]
    np.minimum(window, part, out=window)
