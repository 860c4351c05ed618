"""A teacher's published work: a table with one row a problem and one column a level, and each level's corpus as chat records.

Each text is matched to its problem and to its position in the published corpus; none is invented.
"""

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta

from distill.core.errors import InputError
from distill.records.problem import Problem
from distill.records.recorded_trace import RecordedTrace

PARTS = ("train", "valid", "test")  # file names of a corpus, in the order in which they were cut from one list

Seed = Annotated[int, Meta(ge=0)]


class Chains(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="chains"):
    """Section `import_traces` of a study file: where table and corpora are, and how they name sections and levels."""

    table: str
    sections: dict[str, str]
    columns: dict[str, str]
    corpora: dict[str, str]
    seeds: dict[str, Seed]


class Row(NamedTuple):
    """One problem of the table."""

    id: str
    question: str
    chains: Mapping[str, str]  # level -> text


class Line(NamedTuple):
    """One record of a published corpus."""

    part: str
    position: int  # in that part, from 0
    question: str
    text: str


def read(raw: Path, params: Chains, problems: Sequence[Problem]) -> tuple[list[RecordedTrace], dict[str, int]]:
    """Return one record a recorded text, in the order of the table, the longest level first; and how many problems lack each level."""
    rows = table(raw / params.table, params, problems)
    order = {row.id: at for at, row in enumerate(rows)}
    found: list[RecordedTrace] = []
    lacking: dict[str, int] = {}
    for level, folder in params.corpora.items():
        lines = corpus(raw / folder)
        try:
            found += match(level, lines, rows, params.seeds.get(level))
        except ValueError as error:
            raise InputError(f"{raw / folder}: {error}") from None
        lacking[level] = len(rows) - len(lines)
    return sorted(found, key=lambda each: (order[each.id], each.level)), lacking


def table(path: Path, params: Chains, problems: Sequence[Problem]) -> list[Row]:
    """Read the table; every row is one problem, by section, year and text, and every problem has a row."""
    ids = {(problem.year, problem.section, problem.statement): problem.id for problem in problems}
    rows: list[Row] = []
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            for number, cells in enumerate(csv.DictReader(stream), 1):
                key = (int(cells["year"]), params.sections[cells["section"]], cells["question"])
                if key not in ids:
                    name = f"{cells['year']} {cells['section']} {cells['question_id']}"
                    raise InputError(f"{path}: row {number} ({name}) is none of the problems")
                rows.append(Row(ids.pop(key), cells["question"], {level: cells[column] for level, column in params.columns.items()}))
    except (KeyError, ValueError, TypeError, csv.Error) as error:
        if isinstance(error, InputError):
            raise
        remedy = "check import_traces.sections and import_traces.columns of the study file"
        raise InputError(f"{path}: row {len(rows) + 1}: {error!r}; {remedy}") from None
    if ids:
        raise InputError(f"{path}: no row for problem {min(ids.values())} and {len(ids) - 1} more")
    return rows


def corpus(folder: Path) -> list[Line]:
    """Read the chat records (system, user, assistant) of a published corpus."""
    lines: list[Line] = []
    for part in PARTS:
        path = folder / f"{part}.jsonl"
        try:
            records = path.read_text(encoding="utf-8").split("\n")
        except FileNotFoundError:
            raise InputError(f"{path}: no such file; check import_traces.corpora of the study file, or run `dvc repro fetch`") from None
        for position, record in enumerate(record for record in records if record):
            try:
                _, user, assistant = json.loads(record)["messages"]
                lines.append(Line(part, position, user["content"], assistant["content"]))
            except (ValueError, KeyError, TypeError) as error:
                raise InputError(f"{path}:{position + 1}: not a chat record of three turns: {error!r}") from None
    return lines


def match(level: str, lines: Sequence[Line], rows: Sequence[Row], seed: int | None) -> list[RecordedTrace]:
    """Give each line of a corpus its problem; ValueError where a line has none or may have two.

    A level of the table is matched by question and text. Another is matched by question alone; where one question was printed twice, by
    the order before the shuffle with `seed`, which is that of the table: a line is between its neighbours.
    """
    if seed is None:
        ids: dict[tuple[str, str], list[str]] = {}
        for row in rows:
            ids.setdefault((row.question, row.chains.get(level, "")), []).append(row.id)
        try:
            return [RecordedTrace(ids[line.question, line.text].pop(0), level, line.part, line.position, line.text) for line in lines]
        except (KeyError, IndexError):
            raise ValueError(f"a record of level {level} is no row of the table") from None
    order = list(range(len(lines)))
    Random(seed).shuffle(order)
    before = [line for _, line in sorted(zip(order, lines, strict=True))]
    first, last = _in_order(before, rows), _in_order(before[::-1], rows[::-1])[::-1]
    if first != [len(rows) - 1 - at for at in last]:
        raise ValueError(f"level {level}: some questions occur twice in the table and the shuffle with seed {seed} leaves open which")
    return [RecordedTrace(rows[at].id, level, line.part, line.position, line.text) for at, line in zip(first, before, strict=True)]


def _in_order(lines: Sequence[Line], rows: Sequence[Row]) -> list[int]:
    """Return each line's row, each the first one that fits after the row before."""
    found: list[int] = []
    at = 0
    for line in lines:
        while at < len(rows) and rows[at].question != line.question:
            at += 1
        if at == len(rows):
            raise ValueError(
                f"{line.part}.jsonl:{line.position + 1}: no row of the table has this question in the order before the shuffle"
            )
        found.append(at)
        at += 1
    return found
