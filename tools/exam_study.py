"""`make new-study NAME=x FROM=folder`: a study of a folder of exams, keys and solutions, which says of each file what it was recognised as.

Each file is read whole, as stage `extract` reads it; what OCR finds is kept in .work/NAME/extract, where the stage finds it again.
"""

import json
import os
import re
import sys
from collections import Counter
from pathlib import Path
from typing import Literal

from distill.cli.layout import layout
from distill.core.errors import InputError
from distill.extraction.general import booklets, exam_folder, sheets
from distill.extraction.general.exam_folder import File, Params, Part
from distill.extraction.general.sheets import Sheet
from distill.extraction.page_jobs import Limits
from distill.extraction.page_reader import Settings
from distill.records.problem import Problem
from distill.sources import folder as folders

TEMPLATE = Path("studies", "new.yaml")  # a teacher that is a model
PATTERNS = ["*.pdf"]
LEAST = 10  # problems, so that each side of the split has one
OCR_DPI, MIN_TEXT_CHARS = 225, 10
FIGURE = r"\b(diagram|figure|shown|graph below|picture|drawing)\b"
LIMITS = Limits(pages=100, page_seconds=60.0, file_seconds=600.0, memory_gb=1.8)
YEAR = re.compile(r"(?<!\d)((?:19|20)\d\d)(?!\d)")
KEY, SOLVED, EXAM = (
    re.compile(form, re.IGNORECASE)
    for form in (r"(?<![a-z])(answers?|ans|keys?)(?![a-z])", r"(?<![a-z])sol(ution)?s?(?![a-z])", r"exam|test|problem|question|paper")
)
PLAIN = re.compile(
    r"(?<![a-z])(the|and|with|final|answers?|ans|keys?|sol(ution)?s?|exams?|tests?|problems?|questions?|papers?)(?![a-z])", re.IGNORECASE
)
HEAD = 8  # lines of the first page that may say what a file is
FILES = """fetch:                  # your exams, copied and hashed
  kind: folder
  path: {path}
  files: {patterns}     # patterns of names; upper and lower case are one
  sha256: {sha256}   # of all of them; an edited folder has another
extract:                # the general reader: any numbering, one or two columns, keys as lists or tables (docs/your-exams.md)
  kind: exams
  ocr_dpi: {ocr_dpi}        # pixels per inch at which a page without a text layer is read
  min_text_chars: {min_text_chars}    # as few as a short key has; a page with fewer characters in its text layer is read by OCR
  limits: {{pages: 100, page_seconds: 60.0, file_seconds: 600.0, memory_gb: 1.8}}   # per file; CPU seconds; memory of one reader
  figure: '{figure}'   # a statement that matches needs a figure
  files:                # NAME or pattern: {{role: exam | key | solutions | skip, year, section}}; an exam's own key may follow its problems
{rows}
  answers: {{}}           # ID: answer, where no key states it or the key is wrong

"""


def from_folder(name: str, folder: Path) -> str:
    """Return a study file for a folder of PDFs, and say on stderr what was recognised."""
    found = folders.names(folder, PATTERNS)
    kept = layout(name).work / "extract"
    kept.mkdir(parents=True, exist_ok=True)
    settings = Settings("lines", OCR_DPI, MIN_TEXT_CHARS, kept)
    pages, faults = _pages(folder, found, settings)
    parts = recognised({each: pages.get(each) for each in found})
    files = [
        File(each, parts[each], pages[each], booklets.read(pages[each], parts[each].role)) for each in found if parts[each].role != "skip"
    ]
    if not files:
        raise InputError(f"{folder}: none of its {len(found)} PDFs can be read: {next(iter(faults.values()))}")
    params = Params(OCR_DPI, MIN_TEXT_CHARS, LIMITS, FIGURE, parts)
    problems: list[Problem] = []
    try:
        problems, items, counts = exam_folder.joined(files, params)
        print(f"new-study: {_summary(files, counts, len(items))}", file=sys.stderr)
    except InputError as fault:  # the study file is written all the same: it is where the reader's opinion is put right
        print(f"new-study: {fault}", file=sys.stderr)
    for reason in faults.values():
        print(f"new-study: skipped: {reason}", file=sys.stderr)
    rows = "\n".join(f"    {json.dumps(each, ensure_ascii=False)}: {_shown(part, faults.get(each))}" for each, part in parts.items())
    text = FILES.format(
        path=json.dumps(os.fspath(folder)),
        patterns=json.dumps(PATTERNS),
        sha256=folders.digest(folder, found),
        rows=rows,
        ocr_dpi=OCR_DPI,
        min_text_chars=MIN_TEXT_CHARS,
        figure=FIGURE,
    )
    return _sized(_with(TEMPLATE.read_text(encoding="utf-8"), text, name), len(problems))


def _pages(folder: Path, found: list[str], settings: Settings) -> tuple[dict[str, list[Sheet]], dict[str, str]]:
    """Return each file's pages, and why a file cannot be read."""
    pages: dict[str, list[Sheet]] = {}
    faults: dict[str, str] = {}
    for name in found:
        path = folder / name
        try:
            pages[name] = sheets.read_files([path], settings, LIMITS)[path]
        except InputError as fault:
            faults[name] = str(fault)
    return pages, faults


def recognised(pages: dict[str, list[Sheet] | None]) -> dict[str, Part]:
    """Return each file's role, year and section by its name, its folder's and the head of its first page; None is a file to skip."""
    words = {name: _words(name) for name in pages}
    common = set.intersection(*(set(each) for each in words.values())) if len(words) > 1 else set(next(iter(words.values())))
    parts = {}
    for name, read in pages.items():
        if read is None:
            parts[name] = Part("skip")
            continue
        head = [line.text for line in read[0].lines[:HEAD]] if read else []
        section = exam_folder.slug(" ".join(word for word in words[name] if word not in common))
        parts[name] = Part(_role(name, head, read), _year(name, head), section)
    exams = [part for part in parts.values() if part.role == "exam"]
    for name, part in parts.items():  # a key whose name says less or more than its exam's
        same = [exam for exam in exams if exam.year == part.year or 0 in (exam.year, part.year)]
        if part.role in ("key", "solutions") and len({exam.section for exam in same}) == 1 and part.section:
            parts[name] = Part(part.role, part.year, same[0].section)
    return parts


def _words(name: str) -> list[str]:
    bare = PLAIN.sub(" ", YEAR.sub(" ", re.sub(r"\.pdf$|[_\W]+", " ", name.casefold())))
    return bare.split()


def _role(name: str, head: list[str], pages: list[Sheet]) -> Literal["exam", "key", "solutions"]:
    stem = Path(name).stem
    if not EXAM.search(stem) and (SOLVED.search(stem) or KEY.search(stem)):
        return "solutions" if SOLVED.search(stem) else "key"
    titled = [line for line in head if booklets.KEY.fullmatch(line.strip()) or re.search(r"\banswer key\b", line, re.IGNORECASE)]
    if titled and not booklets.read(pages, "exam").items:
        return "solutions" if SOLVED.search(titled[0]) else "key"
    return "key" if titled and re.search(r"answer", titled[0], re.IGNORECASE) and booklets.read(pages, "key").keys.found else "exam"


def _year(name: str, head: list[str]) -> int:
    for text in (Path(name).name, *(part for part in Path(name).parts[::-1][1:]), *head):
        if years := set(YEAR.findall(text)):
            return int(sorted(years)[-1])
    return 0


def _shown(part: Part, fault: str | None) -> str:
    said = {"role": part.role, "year": part.year, "section": part.section}
    return f"{{{', '.join(f'{name}: {value}' for name, value in said.items() if value)}}}" + (
        f"   # {' '.join(fault.split())}" if fault else ""
    )


def _summary(files: list[File], counts: dict[str, int], items: int) -> str:
    roles = Counter(file.part.role for file in files)
    doubts = {name.removeprefix("doubt_"): count for name, count in counts.items() if name.startswith("doubt_")}
    named = ", ".join(f"{name} {count}" for name, count in sorted(doubts.items(), key=lambda pair: -pair[1])) or "none"
    return (
        f"{roles['exam']} exams, {roles['key']} keys, {roles['solutions']} files of solutions; {items} items, {counts['problems']} with an"
        f" answer, {counts['doubted']} with a doubt ({named})"
    )


def _with(template: str, files: str, name: str) -> str:
    head, rest = template.split("\nfetch:", 1)
    _, rest = rest.split("\nbenchmarks:", 1)
    first = f"# Study {name}: a folder of exams. docs/your-exams.md says what to do with it; `make check S={name}` names every fault.\n"
    return first + head + "\n" + files + "benchmarks:" + rest


def _sized(text: str, count: int) -> str:
    """Set the split's sizes: seven tenths to train on, one to choose by, the rest held out."""
    train, valid = count * 7 // 10, count // 10
    sizes = {"train": train, "valid": valid, "heldout_least": max(count - train - valid - count // 20, 0), "seen": min(train, 50)}
    for key, value in sizes.items() if count >= LEAST else ():
        text = re.sub(rf"(?m)^  {key}: \d+", f"  {key}: {value}", text, count=1)
    return text
