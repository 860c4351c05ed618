"""Published tables of problems: rows of a .jsonl, .json (a list of objects), .csv or .parquet file, checked and made problems."""

import csv
import hashlib
import io
import json
from pathlib import Path
from typing import Any

import msgspec

from distill.answers.answer_format import Form
from distill.core.errors import InputError
from distill.records.problem import Problem


class Columns(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which column of a table holds what."""

    number: str  # "": the row's own number, from 1
    section: str  # "": none
    statement: str | list[str]  # of a list of columns the texts without blanks around, joined by one
    gold: str  # text or a number, or a list that holds one
    marker: str  # the gold answer is what follows the last marker in its column; "": all of it


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a file must be."""

    rows: int
    first: int  # so many rows from its top; 0: all
    columns: Columns


def problems(path: Path, table: Table, form: Form, name: str) -> list[Problem]:
    """Return a table's problems in its order; one that lacks a row, a column, a statement, or an answer in its form is an InputError."""
    found = read(path)
    if len(found) != table.rows:
        raise InputError(
            f"{path}: {len(found)} rows, expected {table.rows}; take the pinned file, or fix rows of section 'benchmarks.{name}'"
        )
    if not 0 <= table.first <= table.rows:
        raise InputError(f"section 'benchmarks.{name}': first is {table.first}; allowed: 0 (all) to {table.rows}")
    return [_problem(row, number, path, table.columns, form, name) for number, row in enumerate(found[: table.first or None], 1)]


def _problem(row: dict[str, Any], number: int, path: Path, columns: Columns, form: Form, name: str) -> Problem:
    named = {part: key for part, key in msgspec.structs.asdict(columns).items() if part != "marker"}
    cells = {
        part: _cell(row, key, path, number) if isinstance(key, str) else " ".join(_cell(row, each, path, number).strip() for each in key)
        for part, key in named.items()
    }
    gold = cells["gold"]
    if columns.marker:
        before, _, gold = gold.rpartition(columns.marker)
        if not before or not gold.strip():
            raise InputError(f"{path}: row {number}: column '{columns.gold}' has no answer after '{columns.marker}'")
        gold = gold.strip()
    if not form.fits(gold):
        raise InputError(f"{path}: row {number}: gold answer '{gold[:60]}' is no {form}; fix form in section 'benchmarks.{name}'")
    where = cells["number"] or str(number)
    return Problem(f"{name}-{number:04}", name, cells["section"], 0, where, cells["statement"], gold, path.name, 0, "table")


def _cell(row: dict[str, Any], key: str, path: Path, number: int) -> str:
    """Return a cell's text; "" for a column that the study file leaves out."""
    value = row.get(key) if key else ""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(int(value) if isinstance(value, float) and value.is_integer() else value)
    if not isinstance(value, str) or (key and not value.strip()):
        raise InputError(f"{path}: row {number}: no text in column '{key}'; columns here: {', '.join(map(str, row))}")
    return value


def check(path: Path, sha256: str) -> None:
    """A file that is not the pinned one is an InputError."""
    try:
        actual = hashlib.sha256(path.read_bytes()).hexdigest()
    except (FileNotFoundError, IsADirectoryError):
        raise InputError(f"{path}: no such file; take a folder that holds it, or fix path in section 'benchmarks'") from None
    if actual != sha256:
        raise InputError(f"{path}: expected sha256 {sha256}, got {actual}; remove the file and take the pinned one")


def read(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a .jsonl, .json, .csv or .parquet file, by column."""
    try:
        if path.suffix == ".parquet":
            return _parquet(path)
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".csv":
            return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
        rows = json.loads(text) if path.suffix == ".json" else [json.loads(line) for line in text.split("\n") if line]
        if not isinstance(rows, list):
            raise ValueError("expected a list of objects")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; take a folder that holds it, or fix path in section 'benchmarks'") from None
    except (ValueError, csv.Error) as error:
        raise InputError(f"{path}: not a table: {error}") from None
    if bad := [number for number, row in enumerate(rows, 1) if not isinstance(row, dict)]:
        raise InputError(f"{path}: row {bad[0]}: expected an object with a key for each column")
    return rows


def _parquet(path: Path) -> list[dict[str, Any]]:
    if not (path.read_bytes()[:4] == path.read_bytes()[-4:] == b"PAR1"):
        raise ValueError("no Parquet file, or one cut off")
    import fastparquet

    rows: list[dict[str, Any]] = fastparquet.ParquetFile(str(path)).to_pandas().to_dict("records")
    return rows
