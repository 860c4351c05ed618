"""A folder of exams, keys and solutions in any style as problems, each with its doubts; every file says its role, year and section."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import msgspec
from msgspec import Meta

from distill.core.errors import InputError
from distill.extraction import read_item
from distill.extraction.general import booklets, doubts, sheets
from distill.extraction.general.answers import Answers
from distill.extraction.general.booklets import Booklet, Item
from distill.extraction.general.sheets import Sheet
from distill.extraction.page_jobs import Limits
from distill.extraction.page_reader import Settings
from distill.records.extracted_item import ExtractedItem
from distill.records.problem import OWN, Problem

Extracted = tuple[list[Problem], list[ExtractedItem], dict[str, int]]
Where = tuple[str, str]  # section of a file, number


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a file is."""

    role: Literal["exam", "key", "solutions", "skip"]  # exam: its own key may follow the problems; skip: the file is not read
    year: Annotated[int, Meta(ge=0, le=9999)] = 0  # 0: none
    section: Annotated[str, Meta(pattern=r"^[\w-]*\Z", max_length=60)] = ""


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="exams"):
    """Section `extract`."""

    ocr_dpi: Annotated[int, Meta(ge=50, le=1200)]
    min_text_chars: Annotated[int, Meta(ge=0)]
    limits: Limits
    figure: str  # a statement that matches needs a figure
    files: Annotated[
        dict[str, Part], Meta(min_length=1)
    ]  # pattern of names in the raw folder -> what they are; the first that matches counts
    answers: dict[str, str] = {}  # by id: answers that no key states, or instead of a key's


class File(NamedTuple):
    """A file as read."""

    name: str
    part: Part
    pages: list[Sheet]
    booklet: Booklet


def read(raw: Path, names: Sequence[str], params: Params, kept: Path) -> Extracted:
    """Read the PDFs of a raw folder."""
    parts = {name: part_of(name, params.files) for name in names}
    paths = {raw / name: part for name, part in parts.items() if part.role != "skip"}
    if not paths:
        raise InputError(f"{raw}: no PDF to read; extract.files skips every file")
    settings = Settings("lines", params.ocr_dpi, params.min_text_chars, kept)
    pages = sheets.read_files(list(paths), settings, params.limits)
    files = []
    for path, part in paths.items():
        files.append(File(path.relative_to(raw).as_posix(), part, pages[path], booklets.read(pages[path], part.role)))
    problems, items, counts = joined(files, params)
    readers = Counter(sheet.reader for file in files for sheet in file.pages)
    counts |= {"files": len(files), "files_skipped": len(parts) - len(files), "pages": readers.total()}
    return problems, items, counts | {f"pages_{reader}": readers[reader] for reader in ("ocr", "text")}


def part_of(name: str, files: Mapping[str, Part]) -> Part:
    """Return what the study says of a file."""
    for pattern, part in files.items():
        if name == pattern or fnmatchcase(name, pattern):
            return part
    raise InputError(f"{name}: no entry of extract.files matches it; add `{name}: {{role: exam}}`, or key, solutions or skip")


def joined(files: Sequence[File], params: Params) -> Extracted:
    """Join the items of all exams with the answers of their keys."""
    exams = [file for file in files if file.part.role == "exam"]
    _check(exams, files)
    found: dict[str, tuple[File, Item, str, list[str]]] = {}
    unused = 0
    for file in exams:
        stated, repeated, other = _keys(file, files)
        odd = doubts.unusual(file.booklet.items)
        for item in file.booklet.items:
            section = "-".join(part for part in (file.part.section, slug(item.section)) if part)
            name = read_item.identity(file.part.year, section, item.number)
            if name in found:
                first = found[name]
                raise InputError(
                    f"{file.name}: page {item.page}: {name} is already on page {first[1].page} of {first[0].name};"
                    " give one of the files another year or section in extract.files"
                )
            where = (item.section, item.number)
            key = params.answers.get(name, stated.get(where, ""))
            flags = doubts.of_item(item, key, params.figure, file.pages)
            solved = where in other and name not in params.answers
            flags += [flag for flag, held in {
                "unusual_length": where in odd, "key_repeated": where in repeated, "key_from_solution": solved and bool(key),
                "key_of_other_size": bool(stated) and _differ(file.booklet.items, stated, item.section),
            }.items() if held]  # fmt: skip
            found[name] = (file, item, key, [doubt for doubt in read_item.DOUBTS if doubt in flags])
        unused += len(stated.keys() - {(item.section, item.number) for item in file.booklet.items})
    if strange := sorted(params.answers.keys() - found.keys()):
        raise InputError(f"extract.answers: {strange[0]}: no such item; ids are in extracted.jsonl")
    return (*_records(found), _counts(found, files, unused))


def slug(text: str) -> str:
    """Return a heading as a part of an id.

    >>> slug("Part II: Algebra")
    'part-ii-algebra'
    """
    return re.sub(r"[^\w]+", "-", text.casefold()).strip("-_")[:40]


def _check(exams: Sequence[File], files: Sequence[File]) -> None:
    if not exams:
        raise InputError(f"{files[0].name}: no file is an exam; set role: exam in extract.files")
    for file in exams:
        if not file.booklet.items:
            where = f"{file.name}: page 1" if len(file.pages) == 1 else f"{file.name}: pages 1 to {len(file.pages)}"
            raise InputError(
                f"{where}: no numbered problem found; give the file another role in extract.files, or replace it by a readable copy"
            )
    for file in files:
        if file.part.role in ("key", "solutions"):
            if not file.booklet.keys.found:
                raise InputError(f"{file.name}: page 1: no numbered answer found; set its role in extract.files to skip, or replace it")
            if not any(_is_key_of(file, exam) for exam in exams):
                years = ", ".join(sorted({f"{exam.part.year} {exam.part.section}".strip() for exam in exams}))
                of = f"{file.part.year} {file.part.section}".strip()
                raise InputError(f"{file.name}: page 1: key of {of}, and no exam is of that; exams: {years}; fix extract.files")


def _is_key_of(key: File, exam: File) -> bool:
    same = key.part.year == exam.part.year or 0 in (key.part.year, exam.part.year)
    return key.part.role in ("key", "solutions") and same and (key.part.section in ("", exam.part.section))


def _keys(exam: File, files: Sequence[File]) -> tuple[dict[Where, str], set[Where], set[Where]]:
    """Return the answers to an exam's items, those stated twice, and those that only worked solutions state."""
    own = [exam.booklet.keys] + [file.booklet.keys for file in files if file.part.role == "key" and _is_key_of(file, exam)]
    solved = [file.booklet.keys for file in files if file.part.role == "solutions" and _is_key_of(file, exam)]
    names = list(dict.fromkeys(item.section for item in exam.booklet.items))
    found: dict[Where, str] = {}
    repeated: set[Where] = set()
    other: set[Where] = set()
    for keys in own + solved:
        sections = _matched(keys, names, exam.part.section)
        for (section, number), answer in keys.found.items():
            if (where := (sections.get(section, "?"), number)) and sections.get(section) is not None:
                if found.get(where, answer) != answer and keys in own:
                    repeated.add(where)
                if where not in found and keys in solved:
                    other.add(where)
                found.setdefault(where, answer)
        repeated |= {(sections[section], number) for section, number in keys.repeated if section in sections}
    return found, repeated, other


def _matched(keys: Answers, names: Sequence[str], own: str) -> dict[str, str]:
    """Return the exam's section of each section of a key: by its name, or by its place where the key has as many."""
    slugs = {slug(name): name for name in names}
    named = {section: slugs[slug(section)] for section in keys.sections if slug(section) in slugs}
    if len(names) == 1:
        mine = [section for section in keys.sections if own and own in slug(section)] or keys.sections
        return dict.fromkeys(mine, names[0])
    if len(named) < len(names) and len(keys.sections) == len(names):
        return dict(zip(keys.sections, names, strict=True))
    return named


def _differ(items: Sequence[Item], stated: Mapping[Where, str], section: str) -> bool:
    """Tell whether a key has answers to more than a tenth other numbers than a section has items."""
    ours, theirs = {item.number for item in items if item.section == section}, {number for name, number in stated if name == section}
    return len(theirs - ours) > max(1, len(ours) / 10)


def _records(found: Mapping[str, tuple[File, Item, str, list[str]]]) -> tuple[list[Problem], list[ExtractedItem]]:
    problems, items = [], []
    doubted = sorted((name for name in found if found[name][3]), key=lambda name: (read_item.confidence(found[name][3]), name))
    ranks = {name: rank for rank, name in enumerate(doubted, 1)}
    for name in sorted(found):
        file, item, key, flags = found[name]
        section = "-".join(part for part in (file.part.section, slug(item.section)) if part)
        if key:
            problems.append(Problem(name, OWN, section, file.part.year, item.number, item.text, key, file.name, item.page, item.reader))
        agrees = True if key else None
        items.append(
            ExtractedItem(name, file.name, item.page, item.region, item.text, key, 1.0, [], agrees, name, ranks.get(name, 0), flags)
        )
    return problems, items


def _counts(found: Mapping[str, tuple[File, Item, str, list[str]]], files: Sequence[File], unused: int) -> dict[str, int]:
    flags = Counter(flag for *_, own in found.values() for flag in own)
    kept = sum(bool(key) for _, _, key, _ in found.values())
    counts = {"problems": kept, "dropped_no_answer": len(found) - kept, "doubted": sum(bool(own) for *_, own in found.values())}
    counts |= {f"doubt_{flag}": flags[flag] for flag in sorted(flags)}
    counts |= {"answers_without_item": unused, "lines_heads_and_feet": sum(file.booklet.heads for file in files)}
    counts |= {
        "lines_headings": sum(file.booklet.headings for file in files),
        "blanks_to_fill_in": sum(file.booklet.blanks for file in files),
    }
    return counts | {"lines_before_the_first_item": sum(file.booklet.before for file in files)}
