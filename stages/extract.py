"""Read the exam PDFs of a raw folder into problems: text layer where there is one, OCR where there is none."""

import multiprocessing
import os
import re
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import msgspec
import pypdfium2 as pdfium
from tqdm import tqdm

from stages.extraction import layout, manifest, ocr
from stages.extraction.segment import Booklet, Page, segment
from stages.shared import files, stage
from stages.shared.files import Fault
from stages.shared.problem import CODES, Problem

NAME = re.compile(r"(\d{4})-([a-z-]+)\.pdf")
REASONS = ("answer_repeated", "no_answer", "no_key_page", "no_problem", "no_statement")


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How pages are read."""

    ocr_dpi: int
    min_text_chars: int
    page_seconds: float


class Sheet(msgspec.Struct, frozen=True):
    """A page before it is read; `lines` is None where it needs OCR."""

    path: Path
    index: int  # from 0
    height: float  # points
    lines: list[layout.Line] | None


def main(study: str, raw: str, problems: str, audit: str) -> None:
    """Read every PDF that the folder's manifest lists."""
    params = stage.section(study, "extract", Params)
    entries = manifest.read(Path(raw))
    paths = [Path(raw) / entry.file for entry in entries if entry.file.endswith(".pdf")]
    sheets = [sheet for path in paths for sheet in open_pages(path, params.min_text_chars)]
    kept = Path(".work", Path(study).stem, "extract")
    found = recognised([sheet for sheet in sheets if sheet.lines is None], params, kept)
    tests = {path: segment([_page(sheet, found) for sheet in sheets if sheet.path == path]) for path in paths}
    records, counts = reconciled(tests)
    counts |= {"files": len(paths), "pages": len(sheets), "pages_ocr": len(found), "pages_text": len(sheets) - len(found)}
    counts["expected"] = sum(entry.problems for entry in entries)
    counts["missing"] = sum(max(entry.problems - len(tests[Path(raw) / entry.file].problems), 0) for entry in entries)
    files.write_records(Path(problems), records)
    files.write_json(Path(audit), dict(sorted(counts.items())))
    dropped = {reason: counts[f"dropped_{reason}"] for reason in REASONS}
    stage.closing("extract", sum(len(test.problems) for test in tests.values()), len(records), dropped)


def reconciled(tests: dict[Path, Booklet]) -> tuple[list[Problem], dict[str, int]]:
    """Join the problems of each file with its key's answers; return them by id, and the counts of what was kept and dropped."""
    records: list[Problem] = []
    dropped: Counter[str] = Counter(dict.fromkeys(REASONS, 0))
    for path, test in tests.items():
        year, section = _placed(path)
        if not test.problems:
            raise Fault(f"{path}: no numbered problem found; check the file, or remove it from the sources")
        dropped.update(test.dropped)
        dropped["no_problem"] += len(test.answers.keys() - {problem.number for problem in test.problems})
        for problem in test.problems:
            gold = test.answers.get(problem.number, "")
            if not gold:
                dropped["no_answer" if test.key_pages else "no_key_page"] += 1
                continue
            records.append(
                Problem(
                    id=f"{year}-{CODES[section]}-{problem.number.zfill(2)}",
                    benchmark="competition",
                    section=section,
                    year=year,
                    number=problem.number,
                    statement=problem.text,
                    gold=gold,
                    source=path.name,
                    page=problem.page,
                    reader=problem.reader,
                )
            )
    readers = Counter(record.reader for record in records)
    counts = {f"dropped_{reason}": count for reason, count in dropped.items()}
    counts |= {"problems": len(records), "problems_ocr": readers["ocr"], "problems_text": readers["text"]}
    return sorted(records, key=lambda record: record.id), counts


def _placed(path: Path) -> tuple[int, str]:
    """Return year and section from a file's name: a printed year may be wrong."""
    found = NAME.fullmatch(path.name)
    if not found or found[2] not in CODES:
        raise Fault(f"{path}: expected a name YEAR-SECTION.pdf with section {', '.join(CODES)}; rename it")
    return int(found[1]), found[2]


def open_pages(path: Path, min_text_chars: int) -> list[Sheet]:
    """Open a PDF and read the text layer of each page that has one."""
    _placed(path)
    try:
        document = pdfium.PdfDocument(path)
    except pdfium.PdfiumError as error:
        what = "encrypted" if "password" in str(error).lower() else "empty" if not path.stat().st_size else "damaged"
        raise Fault(f"{path}: {what} PDF ({error}); replace it by a readable copy, or remove it from the sources") from None
    if not len(document):
        raise Fault(f"{path}: PDF without pages; replace it by a readable copy, or remove it from the sources")
    sheets = []
    for index in range(len(document)):
        page = document[index]
        lines = layout.read(page) if layout.characters(page) >= min_text_chars else None
        sheets.append(Sheet(path, index, page.get_height(), lines))
    document.close()
    return sheets


def _page(sheet: Sheet, found: dict[tuple[Path, int], list[layout.Line]]) -> Page:
    if sheet.lines is not None:
        return Page(sheet.index + 1, sheet.height, "text", tuple(sheet.lines))
    return Page(sheet.index + 1, sheet.height, "ocr", tuple(found[sheet.path, sheet.index]))


def recognised(sheets: list[Sheet], params: Params, kept: Path) -> dict[tuple[Path, int], list[layout.Line]]:
    """Read pages by OCR, one process a core; each page's result is kept under its hash as soon as it is there."""
    if not sheets:
        return {}
    kept.mkdir(parents=True, exist_ok=True)
    pool = ProcessPoolExecutor(min(len(sheets), _cores()), multiprocessing.get_context("spawn"), initializer=ocr.serve)
    found = {}
    try:
        pending = {pool.submit(ocr.read, sheet.path, sheet.index, params.ocr_dpi, kept): sheet for sheet in sheets}
        with tqdm(total=len(sheets), desc="extract", unit="page", file=sys.stderr) as bar:
            for sheet, lines in _completed(pending, params.page_seconds):
                found[sheet.path, sheet.index] = lines
                bar.update()
    finally:
        pool.shutdown(cancel_futures=True)
    return found


def _completed(pending: dict[Future[list[layout.Line]], Sheet], limit: float) -> Iterator[tuple[Sheet, list[layout.Line]]]:
    """Yield pages as they are done; where none is done for `limit` seconds, kill the readers and name their pages."""
    while pending:
        done, _ = wait(pending, timeout=limit, return_when=FIRST_COMPLETED)
        stuck = [f"{sheet.path} page {sheet.index + 1}" for future, sheet in pending.items() if future.running()]
        if not done:
            for child in multiprocessing.active_children():
                child.kill()
            raise Fault(f"{' or '.join(stuck)}: OCR took longer than {limit:g} s; raise extract.page_seconds or lower extract.ocr_dpi")
        for future in done:
            sheet = pending.pop(future)
            try:
                yield sheet, future.result()
            except BrokenProcessPool:
                where = f"{sheet.path} page {sheet.index + 1}"
                raise Fault(f"{where}: an OCR process died, probably for lack of memory; run again with fewer cores (taskset)") from None


def _cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


if __name__ == "__main__":
    stage.run(main)
