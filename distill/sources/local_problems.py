"""Problems that somebody has as a file: no page to fetch, none to read."""

import shutil
from codecs import BOM_UTF8
from collections import Counter
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from distill.core.errors import InputError
from distill.records.extracted_item import ExtractedItem
from distill.records.problem import OWN, Problem
from distill.sources import manifest

Text = Annotated[str, Meta(pattern=r"\S")]


class Source(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="given"):
    """Section `fetch`."""

    path: str  # a .jsonl file with one Given a line
    sha256: str  # of that file, so that another version of it is seen


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="given"):
    """Section `extract`."""

    file: str  # its name in the raw folder


class Given(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One problem as it is given."""

    id: Annotated[str, Meta(pattern=r"^\w[\w.-]*\Z", max_length=100)]  # also a file's name
    statement: Text
    gold: str  # "" where no answer is known: such a problem is dropped
    section: str = ""
    year: int = 0


def copy(params: Source, folder: Path, _: Path) -> list[manifest.Entry]:
    """Copy the file into the raw folder, after its hash is checked."""
    path = Path(params.path)
    if not path.is_file():
        raise InputError(f"{path}: no such file, which fetch.path names; write one problem a line, with id, statement and gold")
    target = folder / path.name
    shutil.copyfile(path, target)
    found = manifest.entry(target, sum(1 for line in target.read_bytes().splitlines() if line.strip()))
    if found.sha256 != params.sha256:
        raise InputError(
            f"{path}: its sha256 is {found.sha256}, fetch.sha256 is {params.sha256}; write that one there if the file is right"
        )
    return [found]


def _rows(path: Path) -> list[Given]:
    """Read the lines of somebody's editor: a byte-order mark and blank lines are passed over, a bad line is named."""
    rows, decoder = [], msgspec.json.Decoder(Given)
    if not path.is_file():
        raise InputError(f"{path}: no such file; run `dvc repro fetch`, or fix extract.file")
    for number, line in enumerate(path.read_bytes().removeprefix(BOM_UTF8).splitlines(), 1):
        try:
            rows += [decoder.decode(line)] if line.strip() else []
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise InputError(f"{path}:{number}: not a Given record: {error}; each line needs id, statement and gold") from None
    return rows


def complete(path: Path) -> int:
    """Return how many problems with an answer the file holds."""
    return sum(bool(row.gold.strip()) for row in _rows(path))


def read(path: Path) -> tuple[list[Problem], list[ExtractedItem], dict[str, int]]:
    """Return problems and extracted items by id, and counts of what was kept and dropped; an InputError where an id occurs twice."""
    rows = _rows(path)
    if twice := [name for name, count in Counter(row.id for row in rows).items() if count > 1]:
        raise InputError(f"{path}: id {twice[0]} occurs {sum(row.id == twice[0] for row in rows)} times; give each problem one of its own")
    kept = sorted((row for row in rows if row.gold.strip()), key=lambda row: row.id)
    if not kept:
        raise InputError(f"{path}: no problem with an answer; each line needs id, statement and gold")
    problems = [
        Problem(row.id, OWN, row.section, row.year, str(number), row.statement, row.gold, path.name, 0, "given")
        for number, row in enumerate(kept, 1)
    ]
    nowhere = (0.0, 0.0, 0.0, 0.0)
    items = [ExtractedItem(row.id, path.name, 0, nowhere, row.statement, "", 1.0, [], None, row.id, 0, []) for row in kept]
    return problems, items, {"problems": len(kept), "dropped_no_answer": len(rows) - len(kept)}
