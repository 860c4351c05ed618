"""Read the exam PDFs of a raw folder into problems: text layer where there is one, OCR where there is none.

A study's text of record is either what its PDFs print or, where somebody transcribed them, the transcription, which the PDFs then audit;
or a file of problems, with no pages at all.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec

from distill.cli import command
from distill.core import files, study_file
from distill.core.errors import InputError
from distill.extraction import exam_items, join_keys, key_pages, page_reader, reconcile, scan_pages, transcription, worker_pool
from distill.extraction.boxes import Scan
from distill.extraction.page_reader import How
from distill.extraction.reconcile import Datafile, Printed
from distill.extraction.segment import Page, segment
from distill.extraction.worker_pool import Job, Limits
from distill.records.extracted_item import ExtractedItem
from distill.records.problem import Problem
from distill.sources import local_problems, manifest

T = TypeVar("T", Page, Scan)
Placed = dict[Path, tuple[int, str]]  # each PDF's year and section; "" where it holds several


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How pages are read, and what the text of record is."""

    ocr: Literal["lines", "boxes"]
    ocr_dpi: int
    min_text_chars: int
    limits: Limits
    names: dict[str, str]
    transcription: Datafile | None


def main(study: str, raw: str, problems: str, reading: str, audit: str) -> None:
    """Read every PDF that the folder's manifest lists."""
    entries = manifest.read(Path(raw))
    if study_file.section(study, "extract", dict[str, Any]).get("kind") == "given":
        own = study_file.section(study, "extract", local_problems.Params)
        records, readings, counts = local_problems.read(Path(raw) / own.file)
        leave(records, readings, counts, (problems, reading, audit))
        command.closing("extract", len(records) + counts["dropped_no_answer"], len(records), {"no_answer": counts["dropped_no_answer"]})
        return
    params = study_file.section(study, "extract", Params)
    placed = {Path(raw) / entry.file: _placed(entry.file, params.names) for entry in entries if entry.file.endswith(".pdf")}
    kept = Path(".work", Path(study).stem, "extract")
    kept.mkdir(parents=True, exist_ok=True)
    how = How(params.ocr_dpi, params.min_text_chars, kept)
    if params.transcription:
        records, readings, counts = transcribed(placed, Path(raw), how, params.limits, params.transcription)
        read, dropped = len(records), dict[str, int]()
    else:
        expected = {Path(raw) / entry.file: entry.problems for entry in entries}
        records, readings, counts, read = as_printed(placed, expected, how, params.limits)
        dropped = {reason: counts[f"dropped_{reason}"] for reason in join_keys.REASONS}
    leave(records, readings, counts, (problems, reading, audit))
    command.closing("extract", read, len(records), dropped)


def leave(records: Sequence[Problem], readings: Sequence[ExtractedItem], counts: dict[str, int], outs: tuple[str, str, str]) -> None:
    """Write problems, readings and counts."""
    files.write_records(Path(outs[0]), records)
    files.write_records(Path(outs[1]), readings)
    files.write_json(Path(outs[2]), dict(sorted(counts.items())))


def as_printed(
    placed: Placed, expected: dict[Path, int], how: How, limits: Limits
) -> tuple[list[Problem], list[ExtractedItem], dict[str, int], int]:
    """Take the PDFs' own text for the text of record; return also how many problems were read."""
    read: dict[Path, list[Page]] = _pages(list(placed), how, limits, page_reader.page)
    tests = {path: join_keys.Test(*placed[path], segment(read[path])) for path in placed}
    records, readings, counts = join_keys.joined(tests)
    counts |= _sizes(placed, Counter(page.reader for pages_ in read.values() for page in pages_))
    counts |= {"expected": sum(expected.values())}
    counts |= {"missing": sum(max(expected[path] - len(test.booklet.problems), 0) for path, test in tests.items())}
    return records, readings, counts, sum(len(test.booklet.problems) for test in tests.values())


def transcribed(
    placed: Placed, raw: Path, how: How, limits: Limits, params: Datafile
) -> tuple[list[Problem], list[ExtractedItem], dict[str, int]]:
    """Take the transcription for the text of record, and the PDFs for what it is held against."""
    entries = transcription.read(raw / params.folder, params.sections, params.rounds)
    read: dict[Path, list[Scan]] = _pages(list(placed), how, limits, page_reader.scan)
    found, kinds = _printed(placed, read, params.rounds)
    _expect(entries, found, placed, params.placeholder)
    closer = msgspec.structs.replace(how, dpi=params.second_dpi)
    paths = {path.name: path for path in placed}

    def again(items_: Sequence[tuple[str, exam_items.Item]]) -> list[str]:
        jobs = [Job(paths[source], item.page - 1, item.region) for source, item in items_]
        seen = {job: scan for job, scan in worker_pool.each(page_reader.scan, jobs, (closer,), limits, "look again")}
        return [exam_items.unlabelled(seen[job].boxes) for job in jobs]

    records, readings = reconcile.reconcile(entries, found, params, again)
    counts = reconcile.counted(records, readings)
    counts |= {f"pages_{kind}": kinds[kind] for kind in scan_pages.KINDS}
    return records, readings, counts | _sizes(placed, Counter(scan.reader for scans in read.values() for scan in scans))


def _sizes(placed: Placed, readers_: Counter[str]) -> dict[str, int]:
    return {"files": len(placed), "pages": readers_.total(), "pages_ocr": readers_["ocr"], "pages_text": readers_["text"]}


def _pages(paths: list[Path], how: How, limits: Limits, function: Callable[[Job, How], T]) -> dict[Path, list[T]]:
    """Read every page of every file, each file's pages in order."""
    whole = [Job(path, -1) for path in paths]
    sizes = {job.path: size for job, size in worker_pool.each(page_reader.count, whole, (limits.pages,), limits)}
    jobs = [Job(path, index) for path in paths for index in range(sizes[path])]
    found = {job: page for job, page in worker_pool.each(function, jobs, (how,), limits, "extract")}
    return {path: [found[Job(path, index)] for index in range(sizes[path])] for path in paths}


def _printed(placed: Placed, read: dict[Path, list[Scan]], rounds: int) -> tuple[Printed, Counter[str]]:
    """Class each file's pages and take their items and answers; where two files print one item, the first by name counts."""
    found, kinds = Printed({}, {}), Counter[str]()
    for path in sorted(placed):
        year, section = placed[path]
        leaves = scan_pages.classed(read[path], section, rounds)
        kinds.update(leaf.kind for leaf in leaves)
        for item in exam_items.items(leaves, rounds):
            found.items.setdefault((year, item.section, item.number), (path.name, item))
        for leaf in leaves:
            if leaf.kind == "key":
                for number, answer in key_pages.answers(leaf.scan, rounds if leaf.section == "two-person" else scan_pages.MOST).items():
                    found.keys.setdefault((year, leaf.section, number), answer)
    return found, kinds


def _expect(entries: list[transcription.Entry], found: Printed, placed: Placed, placeholder: str) -> None:
    """Refuse files that print nothing of a test that was transcribed from them."""
    wanted = {(entry.year, entry.section) for entry in entries if not re.search(placeholder, entry.question)}
    for year, section in sorted(wanted - {where[:2] for where in found.items}):
        files_ = [str(path) for path, (its, part) in placed.items() if its == year and part in ("", section)]
        where = " or ".join(files_) or f"{year}"
        raise InputError(f"{where}: no numbered item of {year} {section} found, which is transcribed; replace the file by a readable copy")


def _placed(name: str, names: dict[str, str]) -> tuple[int, str]:
    """Return year and section from a file's name: a printed year may be wrong."""
    for section, form in names.items():
        if match := re.fullmatch(form, Path(name).name):
            return int(match[match.lastindex or 0]), "" if section == "several" else section
    raise InputError(f"{name}: its name says no year and section; rename it, or add its form to extract.names ({', '.join(names)})")


if __name__ == "__main__":
    command.run(main)
