"""Exam PDFs as problems: what they print is the text of record, or what audits a transcription of them."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import msgspec

from distill.core.errors import InputError
from distill.extraction import exam_items, join_keys, key_pages, page_jobs, page_reader, reconcile, scan_pages, transcription
from distill.extraction.page import Page
from distill.extraction.page_jobs import Job, Limits
from distill.extraction.page_reader import Settings
from distill.extraction.reconcile import Datafile, Printed
from distill.extraction.segment import segment
from distill.records.extracted_item import ExtractedItem
from distill.records.problem import Problem

Extracted = tuple[list[Problem], list[ExtractedItem], dict[str, int]]  # problems and items by id, and counts


class Exam(NamedTuple):
    """What a file's name says of it."""

    year: int
    section: str  # "" where the file holds several


def named(file: str, names: Mapping[str, str]) -> Exam:
    """Return year and section from a file's name, since a printed year may be wrong."""
    for section, form in names.items():
        if match := re.fullmatch(form, Path(file).name):
            return Exam(int(match[match.lastindex or 0]), "" if section == "several" else section)
    raise InputError(f"{file}: its name says no year and section; rename it, or add its form to extract.names ({', '.join(names)})")


def as_printed(exams: Mapping[Path, Exam], expected: Mapping[Path, int], settings: Settings, limits: Limits) -> Extracted:
    """Take the PDFs' own text for the text of record; `expected` says how many problems each file should print."""
    pages = page_reader.read_all(list(exams), settings, limits)
    booklets = {path: segment(pages[path]) for path in exams}
    problems, items, counts = join_keys.join({path: join_keys.Test(*exams[path], booklet) for path, booklet in booklets.items()})
    missing = sum(max(expected[path] - len(booklet.problems), 0) for path, booklet in booklets.items())
    return problems, items, counts | _sizes(pages) | {"expected": sum(expected.values()), "missing": missing}


def transcribed(exams: Mapping[Path, Exam], raw: Path, settings: Settings, limits: Limits, params: Datafile) -> Extracted:
    """Take the transcription for the text of record, and compare it with the PDFs."""
    entries = transcription.read(raw / params.folder, params.sections, params.rounds)
    pages = page_reader.read_all(list(exams), settings, limits)
    printed, kinds = _printed(exams, pages, params.rounds)
    _check_all_found(entries, printed, exams, params.placeholder)
    closer = partial(page_reader.read, settings=msgspec.structs.replace(settings, dpi=params.second_dpi))
    paths = {path.name: path for path in exams}

    def again(items: Sequence[tuple[str, exam_items.Item]]) -> list[str]:
        jobs = [Job(paths[source], item.page - 1, item.region) for source, item in items]
        found = page_jobs.run(closer, jobs, limits, "read again")
        return [exam_items.unlabelled(found[job].boxes) for job in jobs]

    problems, items = reconcile.reconcile(entries, printed, params, again)
    counts = reconcile.counted(problems, items) | {f"pages_{kind}": kinds[kind] for kind in scan_pages.KINDS}
    return problems, items, counts | _sizes(pages)


def _sizes(pages: Mapping[Path, Sequence[Page]]) -> dict[str, int]:
    readers = Counter(page.reader for each in pages.values() for page in each)
    return {"files": len(pages), "pages": readers.total(), "pages_ocr": readers["ocr"], "pages_text": readers["text"]}


def _printed(exams: Mapping[Path, Exam], pages: Mapping[Path, list[Page]], rounds: int) -> tuple[Printed, Counter[str]]:
    """Classify each file's pages and take their items and answers; where two files print one item, the first by name counts."""
    found, kinds = Printed({}, {}), Counter[str]()
    for path, (year, section) in sorted(exams.items()):
        classified = scan_pages.classify(pages[path], section, rounds)
        kinds.update(each.kind for each in classified)
        for item in exam_items.items(classified, rounds):
            found.items.setdefault((year, item.section, item.number), (path.name, item))
        for each in classified:
            if each.kind == "key":
                for number, answer in key_pages.answers(each.page, rounds if each.section == "two-person" else scan_pages.MOST).items():
                    found.keys.setdefault((year, each.section, number), answer)
    return found, kinds


def _check_all_found(entries: Sequence[transcription.Entry], printed: Printed, exams: Mapping[Path, Exam], placeholder: str) -> None:
    """Raise an InputError for a test that was transcribed, and of which no file prints an item."""
    wanted = {(entry.year, entry.section) for entry in entries if not re.search(placeholder, entry.question)}
    for year, section in sorted(wanted - {where[:2] for where in printed.items}):
        files = [str(path) for path, exam in exams.items() if exam.year == year and exam.section in ("", section)]
        where = " or ".join(files) or f"{year}"
        raise InputError(f"{where}: no numbered item of {year} {section} found, which is transcribed; replace the file by a readable copy")
