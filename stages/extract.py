"""extract: read the exam PDFs of a raw folder into problems: text layer where there is one, OCR where there is none.

A study's text of record is either what its PDFs print or, where somebody transcribed them, the transcription, which the PDFs then audit;
or rows of a table, with no pages at all. Exams in any style (kind: exams) are read by the general reader, whose items carry their doubts.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from distill.cli import command
from distill.cli.layout import Paths
from distill.core import files, study_file
from distill.extraction import exam_files
from distill.extraction.general import exam_folder
from distill.core.errors import InputError
from distill.extraction import exam_files, reviewed
from distill.extraction.corrections import Row
from distill.extraction.page_jobs import Limits
from distill.extraction.page_reader import Settings
from distill.extraction.reconcile import Datafile
from distill.sources import local_problems, manifest, table_problems

Dpi = Annotated[int, Meta(ge=50, le=1200)]
Size = Annotated[int, Meta(ge=0)]


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Section `extract`: how pages are read, and what the text of record is."""

    ocr: Literal["lines", "boxes"]
    ocr_dpi: Dpi
    min_text_chars: Size
    limits: Limits
    names: dict[str, str]
    transcription: Datafile | UnsetType = UNSET  # absent: what is printed is the text of record


def main(paths: Paths) -> None:
    """Read every PDF that the manifest of the raw folder lists."""
    problems, items, counts = corrected(extract(paths), paths)
    files.write_records(paths.problems, problems)
    files.write_records(paths.extracted, items)
    files.write_json(paths.extract_metrics, dict(sorted(counts.items())))
    dropped = {key.removeprefix("dropped_"): count for key, count in counts.items() if key.startswith("dropped_")}
    read = len(problems) + dropped.get("no_answer", 0) + dropped.get("no_key_page", 0)
    command.closing("extract", read, len(problems), dropped)


def corrected(extracted: exam_files.Extracted, paths: Paths) -> exam_files.Extracted:
    """Return problems, items and counts after a review; of a transcribed study as they are, because its text of record is published."""
    rows = study_file.section(paths.study_file, "corrections", list[Row])
    if any(problem.reader == "transcription" for problem in extracted[0]):
        return extracted
    try:
        return reviewed.apply(extracted, rows)
    except ValueError as error:
        raise InputError(f"{paths.study_file}: {error}") from None


def extract(paths: Paths) -> exam_files.Extracted:
    """Return problems and items by id, and counts."""
    entries = manifest.read(paths.raw)
    kind = study_file.section(paths.study_file, "extract", dict[str, Any]).get("kind")
    if kind == "table":
        return table_problems.read(paths.raw, study_file.section(paths.study_file, "extract", table_problems.Params))
    if kind == "given":
        return local_problems.read(paths.raw / study_file.section(paths.study_file, "extract", local_problems.Params).file)
    kept = paths.work / "extract"
    if kind == "exams":
        kept.mkdir(parents=True, exist_ok=True)
        names = [entry.file for entry in entries if entry.file.lower().endswith(".pdf")]
        return exam_folder.read(paths.raw, names, study_file.section(paths.study_file, "extract", exam_folder.Params), kept)
    params = study_file.section(paths.study_file, "extract", Params)
    pdfs = {paths.raw / entry.file: entry for entry in entries if entry.file.endswith(".pdf")}
    exams = {path: exam_files.named(entry.file, params.names) for path, entry in pdfs.items()}
    kept.mkdir(parents=True, exist_ok=True)
    settings = Settings(params.ocr, params.ocr_dpi, params.min_text_chars, kept)
    if params.transcription is not UNSET:
        return exam_files.transcribed(exams, paths.raw, settings, params.limits, params.transcription)
    return exam_files.as_printed(exams, {path: entry.problems for path, entry in pdfs.items()}, settings, params.limits)


if __name__ == "__main__":
    command.run(main)
