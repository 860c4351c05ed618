"""Scanned pages of prose read whole: RapidOCR's detector and recogniser, then the print that the detector missed is read again.

For books of printed tests the detector keeps words together that geometry would cut (a figure beside the text, a grey scan); what it
costs is short print: a lone number before an item. Those marks are found as ink that no box covers.
"""

from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage

from distill.extraction import glyph_strips, ocr
from distill.extraction.glyph_strips import Grey, Mark, Unit
from distill.extraction.page import Box

SETTINGS = frozenset({**ocr.COMMON, "Global.max_side_len": 4000}.items())  # a page at 300 dpi is not made smaller
REACH = 0.9  # cap heights between a fraction's rule and its print: keys are printed wide
CERTAIN = 0.9  # a fraction recognised with less is left to the detector
SURE = 0.8  # of print that the detector missed, what is recognised with less certainty is part of a figure
LEAST = 736  # pixels: the detector would blow up an image with a shorter side, a region of a few lines twelvefold
MOST = 80  # pieces of missed print a page: a page of line art has more, and none of them is text


def read(image: Grey, dpi: int, folder: Path) -> list[Box]:
    """Read a page image (height, width), or take the result that `folder` keeps; boxes in points from its corner."""
    return ocr.kept(recognise, Box, image, dpi, SETTINGS, folder)


def recognise(image: Grey, dpi: int) -> list[Box]:
    """Read a page image (height, width); boxes in points."""
    built, rest = fractions(image, dpi)
    short = max(LEAST - rest.shape[0], 0), max(LEAST - rest.shape[1], 0)
    found = _seen(np.pad(rest, ((0, short[0]), (0, short[1])), constant_values=255), detect=True)
    corners = [] if found.boxes is None else [(box[:, 0].min(), box[:, 1].min(), box[:, 0].max(), box[:, 1].max()) for box in found.boxes]
    boxes = [_box(edges, text, score, dpi) for edges, text, score in zip(corners, found.txts or (), found.scores or (), strict=True)]
    return boxes + missed(rest, boxes, dpi) + built


def fractions(image: Grey, dpi: int) -> tuple[list[Box], Grey]:
    """Return built-up fractions, each as one box that says -3/4, and the image without them: their rules would be read as 1 or minus."""
    labels, marks = glyph_strips.components(glyph_strips.cleaned(image), dpi)
    tall = [mark.height for mark in marks if mark.height > 0.06 * dpi]
    if not tall:
        return [], image
    cap = int(np.percentile(tall, 75))
    found, rest = [], image.copy()
    for unit in [unit for unit in glyph_strips.fractions(marks, cap, REACH) if _stands_alone(unit, marks, cap)][:MOST]:
        rule = unit.boxes[0]
        over, under = ((*part, *_flat(part, unit, marks, cap)) for part in (unit.boxes[1:], unit.under))
        unit = unit._replace(boxes=(rule, *over), under=under)
        strip = glyph_strips.draw(labels, max(mark.y1 for mark in over), [unit], cap)
        read = _seen(strip, detect=False)
        if not read.txts or read.txts[0].count("/") != 1 or read.scores[0] < CERTAIN:
            continue
        sign = [mark for mark in marks if _negates(mark, rule, marks, cap)]
        whole = [rule, *over, *under, *sign]
        for mark in whole:
            rest[mark.y0 - 1 : mark.y1 + 1, mark.x0 - 1 : mark.x1 + 1] = 255
        left, top = min(mark.x0 for mark in whole), min(mark.y0 for mark in whole)
        right, bottom = max(mark.x1 for mark in whole), max(mark.y1 for mark in whole)
        found.append(_box((left, top, right, bottom), ("-" if sign else "") + read.txts[0], read.scores[0], dpi))
    return found, rest


def _stands_alone(unit: Unit, marks: list[Mark], cap: int) -> bool:
    """Tell a fraction from a word underlined: neither what is above the rule nor what is below it goes on beside the rule."""
    own = {*unit.boxes, *unit.under}
    for part in (unit.boxes[1:], unit.under):
        top, bottom = min(mark.y0 for mark in part), max(mark.y1 for mark in part)
        for mark in marks:
            beside = unit.x0 - 0.5 * cap < mark.x1 <= unit.x0 or unit.x1 <= mark.x0 < unit.x1 + 0.5 * cap
            if mark not in own and beside and top < (mark.y0 + mark.y1) / 2 < bottom and mark.height < 1.4 * (bottom - top):
                return False
    return True


def _flat(part: tuple[Mark, ...], unit: Unit, marks: list[Mark], cap: int) -> tuple[Mark, ...]:
    """Return the flat marks among a numerator's or denominator's: minus signs, points."""
    top, bottom = min(mark.y0 for mark in part), max(mark.y1 for mark in part)
    return tuple(
        mark
        for mark in marks
        if mark.height <= 0.3 * cap and unit.x0 <= (mark.x0 + mark.x1) / 2 <= unit.x1 and top <= mark.y0 and mark.y1 <= bottom + 1
    )


def _negates(mark: Mark, rule: Mark, marks: list[Mark], cap: int) -> bool:
    """Tell whether a mark is a minus sign close before a fraction's rule and on its height; a stroke of an equals sign is none."""
    flat = _is_dash(mark, cap) and 0 < rule.x0 - mark.x1 < 0.6 * cap and abs(mark.y0 + mark.y1 - rule.y0 - rule.y1) < 0.4 * cap
    strokes = [other for other in marks if other != mark and _is_dash(other, cap) and abs(other.x0 - mark.x0) < 0.2 * cap]
    return flat and not any(abs(other.y0 - mark.y0) < 0.7 * cap for other in strokes)


def _is_dash(mark: Mark, cap: int) -> bool:
    return mark.height <= max(4, 0.25 * cap) and 0.3 * cap < mark.x1 - mark.x0 < 1.3 * cap


def missed(image: Grey, boxes: list[Box], dpi: int) -> list[Box]:
    """Recognise print of a line's height that no box covers."""
    if not boxes:
        return []
    left, scale = image.copy(), dpi / 72
    for box in boxes:
        left[int(box.y0 * scale) : int(box.y1 * scale) + 1, int(box.x0 * scale) : int(box.x1 * scale) + 1] = 255
    tall = float(np.median([box.y1 - box.y0 for box in boxes]))
    spots = _spots(left, tall, dpi)
    found = []
    for top, bottom, start, stop in spots[:MOST] if len(spots) <= MOST else []:
        margin = int(0.04 * dpi)
        part = image[max(top - margin, 0) : bottom + margin, max(start - margin, 0) : stop + margin]
        result = _seen(part, detect=False)
        if result.txts and result.txts[0].strip() and result.scores[0] >= SURE:
            found.append(_box((start, top, stop, bottom), result.txts[0], result.scores[0], dpi))
    return found


def _spots(image: Grey, tall: float, dpi: int) -> list[tuple[int, int, int, int]]:
    """Return (top, bottom, left, right) in pixels of runs of ink as high as a line of print, `tall` points with its margin."""
    black = image < 128
    joined = ndimage.binary_closing(np.pad(black, dpi // 8), np.ones((1, dpi // 12)))[dpi // 8 : -(dpi // 8), dpi // 8 : -(dpi // 8)]
    labels, _ = ndimage.label(joined, np.ones((3, 3)))
    spots = []
    for rows, columns in ndimage.find_objects(labels):
        height, width = (rows.stop - rows.start) * 72 / dpi, (columns.stop - columns.start) * 72 / dpi
        if 0.4 * tall <= height <= 1.5 * tall and width >= 2.5 and black[rows, columns].mean() > 0.08:
            spots.append((rows.start, rows.stop, columns.start, columns.stop))
    return sorted(spots)


def _box(edges: tuple[float, float, float, float], text: str, score: float, dpi: int) -> Box:
    x0, y0, x1, y1 = (round(float(edge) * 72 / dpi, 1) for edge in edges)
    return Box(x0, y0, x1, y1, text, round(float(score), 3))


def _seen(image: Grey, detect: bool) -> Any:
    """Run the engine on an image; it keeps what its last call said, so every call says all. Out of memory is a MemoryError."""
    import cv2  # the engine's, as heavy as the engine
    from onnxruntime.capi import onnxruntime_pybind11_state as onnx

    try:
        return ocr.engine(SETTINGS)(np.stack([image] * 3, axis=-1), use_det=detect, use_cls=False, use_rec=True)
    except (cv2.error, onnx.Fail, onnx.RuntimeException) as error:
        raise MemoryError(str(error)) from None
