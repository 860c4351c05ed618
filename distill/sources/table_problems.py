"""Problems out of a table: which column holds what, which rows are kept, and what becomes of the rest."""

import hashlib
import re
from collections import Counter
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from distill.core.errors import InputError
from distill.records.extracted_item import ExtractedItem
from distill.records.problem import OWN, Problem
from distill.sources import tables

ID = re.compile(r"\w[\w.-]*")
NOWHERE = (0.0, 0.0, 0.0, 0.0)


class Columns(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which column holds what."""

    statement: str
    gold: str
    id: str | UnsetType = UNSET  # absent: the row's number
    section: str | UnsetType = UNSET
    year: str | UnsetType = UNSET


class Sample(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A declared sample of the rows that are kept: of each file those that a hash of (seed, id) draws, of other files none."""

    seed: Annotated[int, Meta(ge=0)]
    rows: Annotated[dict[str, Annotated[int, Meta(ge=1)]], Meta(min_length=1)]  # pattern of file names: how many rows of those files


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="table"):
    """Section `extract` of a study whose problems are rows of a table."""

    files: Annotated[list[str], Meta(min_length=1)]  # patterns of names in the raw folder
    columns: Columns
    marker: str | UnsetType = UNSET  # the gold answer follows the last one in its column; absent: all of it
    filters: dict[str, list[str | int | bool]] | UnsetType = UNSET  # column: the values that are kept; absent: all rows
    first: Annotated[int, Meta(ge=1)] | UnsetType = UNSET  # of the rows that are kept; absent: all
    sample: Sample | UnsetType = UNSET  # instead of `first`


def row_id(row: tables.Row, column: str | UnsetType, number: int, where: str) -> str:
    """Return a row's id: of its column, else by its number; an InputError where it cannot be a file's name."""
    if column is UNSET:
        return f"row-{number:06}"
    name = text(row, column)
    if not ID.fullmatch(name):
        raise InputError(f"{where}: id {name[:60]!r}: allowed are letters, digits, _, . and -; without columns.id the rows are numbered")
    return name


def text(row: tables.Row, column: str | UnsetType) -> str:
    """Return a cell as text, "" where it is empty, null, or there is no such column."""
    value: Any = "" if column is UNSET else row[column]
    return "" if value is None or value != value else str(value).strip()


def read(raw: Path, params: Params) -> tuple[list[Problem], list[ExtractedItem], dict[str, int]]:
    """Return problems and items by id, and counts of what was kept and dropped, by reason."""
    columns, filters = params.columns, {} if params.filters is UNSET else params.filters
    named = [column for column in msgspec.structs.astuple(columns) if column is not UNSET]
    found: dict[str, Problem] = {}
    dropped = Counter[str](no_answer=0, no_statement=0)
    for file, number, row in tables.of_folder(raw, params.files, [*named, *filters]):
        where = f"{raw / file}: row {number}"
        if reason := next((f"filtered_by_{column}" for column, values in filters.items() if row[column] not in values), ""):
            dropped[reason] += 1
            continue
        statement, gold = text(row, columns.statement), text(row, columns.gold)
        if params.marker is not UNSET:
            gold = gold.rpartition(params.marker)[2].strip() if params.marker in gold else ""
        if not statement or not gold:
            dropped["no_answer" if statement else "no_statement"] += 1
            continue
        if len(found) == params.first:
            dropped["beyond_the_first"] += 1
            continue
        name = row_id(row, columns.id, number, where)
        if name in found:
            raise InputError(f"{where}: id {name} is there twice; without columns.id the rows are numbered")
        year = text(row, columns.year) or "0"
        if not year.isdecimal():
            raise InputError(f"{where}: year is {year[:60]!r}; expected a number")
        found[name] = Problem(name, OWN, text(row, columns.section), int(year), str(number), statement, gold, file, 0, "table")
    if params.sample is not UNSET:
        dropped["not_sampled"] = len(found)
        found = _sampled(found, params.sample, raw)
        dropped["not_sampled"] -= len(found)
    if not found:
        raise InputError(f"{raw}: no row with statement and answer is kept: {dict(dropped)}; fix section 'extract' of the study file")
    problems = [found[name] for name in sorted(found)]
    items = [ExtractedItem(p.id, p.source, 0, NOWHERE, p.statement, "", 1.0, [], None, p.id, 0, []) for p in problems]
    return problems, items, {"problems": len(problems)} | {f"dropped_{reason}": count for reason, count in dropped.items()}


def _sampled(found: dict[str, Problem], sample: Sample, raw: Path) -> dict[str, Problem]:
    """Return the problems that the sample draws; an InputError where a pattern's files have too few."""
    kept: dict[str, Problem] = {}
    for pattern, count in sample.rows.items():
        names = [name for name, problem in found.items() if fnmatchcase(problem.source, pattern)]
        if len(names) < count:
            raise InputError(
                f"{raw}: extract.sample: {len(names)} rows with statement and answer are in files '{pattern}', wanted are {count}"
            )
        drawn = sorted(names, key=lambda name: hashlib.blake2b(f"{sample.seed} {name}".encode()).digest())[:count]
        kept |= {name: found[name] for name in drawn}
    return kept
