"""Tables of any size as rows: .jsonl, .csv and .parquet, a batch of rows in memory at a time."""

import csv
import json
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from distill.core.errors import InputError
from distill.sources import manifest

Row = dict[str, Any]
LONGEST = 1 << 24  # characters of a CSV cell
KINDS = (".jsonl", ".csv", ".parquet")


def of_folder(raw: Path, patterns: Sequence[str], columns: Sequence[str]) -> Iterator[tuple[str, int, Row]]:
    """Yield (file, row number from 1 over all files, row) of the raw folder's files that match a pattern, in the order of their names."""
    listed = sorted(entry.file for entry in manifest.read(raw))
    found = [name for name in listed if any(fnmatchcase(name, pattern) for pattern in patterns)]
    if unmatched := [pattern for pattern in patterns if not any(fnmatchcase(name, pattern) for name in listed)]:
        raise InputError(f"{raw}: no file matches '{unmatched[0]}'; files here: {', '.join(listed[:9])}; fix files in the study file")
    number = 0
    for name in found:
        for row in rows(raw / name, columns):
            number += 1
            yield name, number, row


def rows(path: Path, columns: Sequence[str]) -> Iterator[Row]:
    """Yield a table's rows, at least these columns of each; an InputError where the table is none, or lacks a column."""
    if path.suffix not in KINDS:
        raise InputError(f"{path}: expected a table: {', '.join(KINDS)}")
    yield from {".jsonl": _jsonl, ".csv": _csv, ".parquet": _parquet}[path.suffix](path, list(dict.fromkeys(columns)))


def _jsonl(path: Path, columns: list[str]) -> Iterator[Row]:
    with path.open(encoding="utf-8-sig") as file:
        number = 0
        try:
            for number, line in enumerate(file, 1):
                if line.strip():
                    row = json.loads(line)
                    if not isinstance(row, dict):
                        raise ValueError("expected an object with a key for each column")
                    _check(f"{path}:{number}", columns, row)
                    yield row
        except (ValueError, RecursionError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(f"{path}:{number}: no row of a table: {error}") from None


def _csv(path: Path, columns: list[str]) -> Iterator[Row]:
    csv.field_size_limit(LONGEST)
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, strict=True)
        try:
            _check(str(path), columns, reader.fieldnames or [])
            for row in reader:
                if None in row or None in row.values():
                    raise InputError(
                        f"{path}:{reader.line_num}: a row of another length than the header's {len(reader.fieldnames or [])} cells"
                    )
                yield row
        except (UnicodeDecodeError, csv.Error) as error:
            raise InputError(f"{path}:{reader.reader.line_num}: no row of a table: {error}") from None


def _parquet(path: Path, columns: list[str]) -> Iterator[Row]:
    with path.open("rb") as file:
        head = file.read(4)
        file.seek(-min(4, path.stat().st_size), 2)
        if not head == file.read() == b"PAR1":
            raise InputError(f"{path}: no Parquet file, or one cut off; run `dvc repro fetch`")
    import fastparquet  # here: it loads pandas

    table = fastparquet.ParquetFile(str(path))
    _check(str(path), columns, table.columns)
    for group in table.iter_row_groups(columns=columns):
        yield from group.to_dict("records")


def _check(where: str, columns: Sequence[str], here: Any) -> None:
    if missing := [name for name in columns if name not in here]:
        raise InputError(f"{where}: no column '{missing[0]}'; columns here: {', '.join(map(str, here))}; fix columns in the study file")
