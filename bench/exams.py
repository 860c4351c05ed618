"""Invented exams in many styles through the general reader: `python -m bench.exams [seen|blind] [STYLE ...]`.

Writes section `exams_seen` or `exams_blind` of the record, where no style is named.

Each exam is read with its text layer and as a scan of 150 dpi, turned by up to 1.5 degrees, with noise. An item is found if its number is;
a text or a key is right if it equals the truth after `normalised`, a scan's text if it is at least 0.9 alike. An item is wrong if its text
or its key is.
Needs pdflatex, chromium and the package typst. ONLY=text or ONLY=scan reads one of the two; DIFFERENCES=1 prints each item that is wrong.
The record's section `exams_blind_first` is the one reading of the blind set before its faults were known; no command writes it again.
"""

import os
import random
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pypdfium2 as pdfium
from PIL import Image

from bench.exam_styles import BLIND, STYLES, Style, Truth, make
from bench.record import record
from distill.extraction import read_item, text_similarity
from distill.extraction.general import exam_folder
from distill.extraction.general.exam_folder import Params, Part
from tools import exam_study

SEED, YEAR, ALIKE = 1, 2019, 0.9
DPI, SKEW, NOISE = 150, 1.5, 12.0  # of a scan: pixels an inch, degrees at most, deviation in grey levels of 255
PACKAGES = ("pypdfium2", "rapidocr", "onnxruntime", "typst", "reportlab")


def normalised(text: str) -> str:
    """Leave spaces between letters and digits alone, and one spelling of each sign.

    >>> normalised("f ( x ) = x - 1 , 2 1/2")
    'f(x)=x-1,2 1/2'
    """
    text = text.replace("⋯", "...").replace("−", "-").replace("{", "(").replace("}", ")")
    return re.sub(r" *([^\w ]) *", r"\1", " ".join(text.split()))


def scan(source: Path, path: Path) -> None:
    """Write a PDF as grey page images, each turned and with noise, as a copier with a feeder makes them."""
    document, pages = pdfium.PdfDocument(source), []
    for number in range(len(document)):
        rng = random.Random(f"{source.stem}-{number}")
        image = document[number].render(scale=DPI / 72, grayscale=True).to_pil()
        turned = image.rotate(rng.uniform(-SKEW, SKEW), resample=Image.Resampling.BICUBIC, fillcolor=255)
        noise = np.random.default_rng(rng.randrange(2**32)).normal(0, NOISE, (turned.height, turned.width))
        pages.append(Image.fromarray(np.clip(np.asarray(turned) + noise, 0, 255).astype(np.uint8)))
    document.close()
    pages[0].save(path, "PDF", save_all=True, append_images=pages[1:], resolution=DPI)


def read(styles: Sequence[Style], folder: Path, scanned: bool) -> tuple[dict[str, Truth], dict[str, Any]]:
    """Make exams, read them, and return the truth and the items by id."""
    truths, files = {}, {}
    for style in styles:
        own = folder / "new"
        for item in make(style, own, SEED, YEAR):
            lettered = "{s}" in style.label
            section = "-".join(
                part for part in (style.name, exam_folder.slug(item.section)) if part and not (lettered and part != style.name)
            )
            truths[read_item.identity(YEAR, section, item.number)] = item
        for path in sorted(own.glob("*.pdf")):
            role = "exam" if "-key" not in path.stem else "solutions" if style.key == "solutions" else "key"
            files[path.name] = Part(role, YEAR, style.name)
            if scanned:
                scan(path, folder / path.name)
            else:
                path.rename(folder / path.name)
        for path in own.glob("*.pdf"):
            path.unlink()
    kept = folder / "kept"
    kept.mkdir()
    limits = msgspec.structs.replace(exam_study.LIMITS, page_seconds=120.0)
    params = Params(exam_study.OCR_DPI, exam_study.MIN_TEXT_CHARS, limits, exam_study.FIGURE, files)
    _, items, counts = exam_folder.read(folder, sorted(files), params, kept)
    print({name: count for name, count in counts.items() if count})
    return truths, {item.id: item for item in items}


def measure(truths: Mapping[str, Truth], items: Mapping[str, Any], scanned: bool) -> dict[str, Any]:
    """Return the shares that the reader is judged by."""
    counts = Counter[str]()
    for name, true in truths.items():
        item = items.get(name)
        if item is None:
            counts["lost"] += 1
            if os.environ.get("DIFFERENCES"):
                print(f"{name}: not found: {true.text[:80]}")
            continue
        alike = text_similarity.similarity(true.text, item.text)
        text = alike >= ALIKE if scanned else normalised(item.text) == normalised(true.text)
        key = normalised(item.key) == normalised(true.key)
        counts["found"] += 1
        counts["text"] += text
        counts["key"] += key
        counts["doubted"] += bool(item.flags)
        if text and key and item.flags and os.environ.get("DIFFERENCES") == "2":
            print(f"{name}: right, and doubted: {' '.join(item.flags)}: {item.text}")
        pair = ((true.text, true.key), (item.text, item.key))
        if not (text and key):
            counts["wrong"] += 1
            counts["wrong_doubted"] += bool(item.flags)
            if os.environ.get("DIFFERENCES"):
                print(
                    f"{name}: {' '.join(item.flags) or 'NO DOUBT'}", *(f"   {normalised(t)} | {normalised(k)}" for t, k in pair), sep="\n"
                )
    counts["extra"] = len(items.keys() - truths.keys())
    if os.environ.get("DIFFERENCES"):
        print("extra", sorted(items.keys() - truths.keys())[:20])
    found = max(counts["found"], 1)
    return {
        "items": len(truths), "found": counts["found"] / len(truths), "invented": counts["extra"], "keys": counts["key"] / found,
        "texts": counts["text"] / found, "wrong": counts["wrong"],
        "wrong_doubted": counts["wrong_doubted"] / counts["wrong"] if counts["wrong"] else 1.0, "doubted": counts["doubted"] / found,
    }  # fmt: skip


def main(which: str = "seen", *names: str) -> None:
    """Make, read, compare; record the shares of all styles of a set."""
    styles = [style for style in (BLIND if which == "blind" else STYLES) if not names or style.name in names]
    found: dict[str, Any] = {}
    for scanned in (False, True) if not os.environ.get("ONLY") else (os.environ["ONLY"] == "scan",):
        with tempfile.TemporaryDirectory() as folder:
            shares = measure(*read(styles, Path(folder), scanned), scanned)
        found["scan" if scanned else "text"] = shares
        print(which, "scan" if scanned else "text", shares)
    if not names:
        record(f"exams_{which}", {"styles": len(styles)} | found, packages=PACKAGES)


if __name__ == "__main__":
    main(*sys.argv[1:])
