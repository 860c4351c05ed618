"""Damaged copies of real PDFs through the readers: each must end in pages that were read, or in one line that names the file.

    python -m bench.corrupt_pdfs job [COPIES]        # a study's files by its own reader
    python -m bench.corrupt_pdfs FOLDER [COPIES]     # a folder's files by the general reader

Prints one line a kind of damage and the longest case. Pages whose pixels are unchanged come from .work/STUDY/extract.
"""

import random
import sys
import tempfile
import time
from collections import Counter
from functools import partial
from pathlib import Path

import pypdfium2 as pdfium
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.pdfgen.canvas import Canvas

from distill.cli.layout import layout
from distill.core import study_file
from distill.core.errors import InputError
from distill.extraction import exam_items, page_reader, scan_pages
from distill.extraction.general import booklets, sheets
from distill.extraction.page_jobs import Limits
from distill.extraction.page_reader import Settings
from stages import extract
from tools import exam_study

KINDS = ("truncated", "flipped", "zero-length", "image", "password", "bomb", "huge page", "garbage")


def damaged(kind: str, source: Path, target: Path, rng: random.Random) -> None:
    """Write a damaged copy."""
    data = bytearray(source.read_bytes())
    if kind == "truncated":
        target.write_bytes(data[: rng.randrange(1, len(data))])
    elif kind == "flipped":
        for _ in range(rng.choice([1, 10, 100, 1000])):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        target.write_bytes(data)
    elif kind == "zero-length":
        target.write_bytes(b"")
    elif kind == "image":
        pdfium.PdfDocument(source)[0].render().to_pil().save(target, rng.choice(["PNG", "JPEG", "GIF"]))
    elif kind == "garbage":
        target.write_bytes(b"%PDF-1.4\n" + rng.randbytes(5000))
    else:
        size = (14000, 14000) if kind == "huge page" else (612, 792)
        locked = StandardEncryption("secret", "owner") if kind == "password" else None
        canvas = Canvas(str(target), pagesize=size, encrypt=locked)
        for _ in range(10_000 if kind == "bomb" else 1):
            canvas.rect(0, 0, 10, 10)
            canvas.showPage()
        canvas.save()


def by_study(path: Path, settings: Settings, limits: Limits) -> int:
    """Return how many items a study's reader finds."""
    return len(exam_items.items(scan_pages.classify(page_reader.read_all([path], settings, limits)[path], "", 8), 8))


def by_general(path: Path) -> int:
    """Return how many items the general reader finds."""
    with tempfile.TemporaryDirectory() as kept:
        settings = Settings("lines", 150, 40, Path(kept))
        return len(booklets.read(sheets.read_files([path], settings, exam_study.LIMITS)[path], "exam").items)


def main(study: str, copies: str = "200") -> None:
    """Damage, read, count."""
    rng = random.Random(1)
    if Path(study).is_dir():
        sources, items = sorted(Path(study).rglob("*.pdf")), by_general
    else:
        paths = layout(study)
        params = study_file.section(paths.study_file, "extract", extract.Params)
        settings = Settings(params.ocr, params.ocr_dpi, params.min_text_chars, paths.work / "extract")
        sources, items = sorted(paths.raw.rglob("*.pdf")), partial(by_study, settings=settings, limits=params.limits)
    outcomes, longest, strange = Counter[tuple[str, str]](), (0.0, ""), list[str]()
    with tempfile.TemporaryDirectory() as folder:
        for number in range(int(copies)):
            kind = KINDS[number % 8] if number % 8 > 1 and number < 64 else KINDS[number % 2]  # most are truncated or flipped
            source = rng.choice(sources)
            target = Path(folder, source.name)
            damaged(kind, source, target, rng)
            begun = time.monotonic()
            try:
                end = "read in part or whole" if items(target) else "read, no item"
            except InputError as fault:
                end = "one line"
                if "\n" in str(fault) or target.name not in str(fault):
                    strange.append(str(fault))
            longest = max(longest, (time.monotonic() - begun, f"{kind} {source.name}"))
            outcomes[kind, end] += 1
            print(f"{number + 1} {kind} {source.name}: {end}, {time.monotonic() - begun:.1f} s", flush=True)
            target.unlink()
    for (kind, end), count in sorted(outcomes.items()):
        print(f"{kind}: {count} {end}")
    print(f"longest {longest[0]:.1f} s ({longest[1]})")
    print(f"strange: {strange}")


if __name__ == "__main__":
    main(*sys.argv[1:])
