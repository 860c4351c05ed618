"""recall: the teacher's published work, each text matched to its problem and to its place in the published corpus; none is invented.

The file is empty for a study whose teacher works here. So later stages hang on what was recorded, not on the raw folder.
"""

import csv
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

import msgspec

from distill.cli import command
from distill.core import study_file
from distill.core.errors import InputError
from distill.core.files import read_records, write_records
from distill.records.problem import Problem
from distill.records.recorded_trace import RecordedTrace

PARTS = ("train", "valid", "test")  # file names of a corpus, in the order in which they were cut from one list
Line = tuple[str, int, str, str]  # part, place, question, text


class Chains(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="chains"):
    """A table with a row a transcribed problem and a column a level, and each level's corpus as chat records."""

    table: str
    sections: dict[str, str]
    columns: dict[str, str]
    corpora: dict[str, str]
    seeds: dict[str, int]


class Row(msgspec.Struct, frozen=True):
    """One problem of the table."""

    id: str
    question: str
    chains: Mapping[str, str]  # level -> text


def main(study: str, raw: str, problems: str, out: str) -> None:
    """Write one record a recorded text, in the order of the table, the longest level first."""
    kind = study_file.section(study, "import_traces", dict[str, Any]).get("kind")
    if kind not in ("none", "chains"):
        raise InputError(f"{study}: section 'recall': kind is {kind!r}; allowed: none, chains")
    if kind == "none":
        write_records(Path(out), [])
        return
    params = study_file.section(study, "import_traces", Chains)
    rows = table(Path(raw) / params.table, params, read_records(Path(problems), Problem))
    order = {row.id: place for place, row in enumerate(rows)}
    found: list[RecordedTrace] = []
    for level, folder in params.corpora.items():
        lines = corpus(Path(raw) / folder)
        try:
            found += match(level, lines, rows, params.seeds.get(level))
        except ValueError as error:
            raise InputError(f"{Path(raw) / folder}: {error}") from None
    found.sort(key=lambda each: (order[each.id], each.level))
    write_records(Path(out), found)
    levels = Counter(each.level for each in found)
    unrecorded = {f"no {level} recorded": len(rows) - count for level, count in levels.items()}
    command.closing("import_traces", len(rows) * len(levels), len(found), unrecorded)


def table(path: Path, params: Chains, problems: Sequence[Problem]) -> list[Row]:
    """Read the table; every row is one problem, by section, year and text, and every problem has a row."""
    ids = {(problem.year, problem.section, problem.statement): problem.id for problem in problems}
    rows: list[Row] = []
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            for number, cells in enumerate(csv.DictReader(stream), 1):
                key = (int(cells["year"]), params.sections[cells["section"]], cells["question"])
                if key not in ids:
                    raise InputError(
                        f"{path}: row {number} ({cells['year']} {cells['section']} {cells['question_id']}) is none of the problems"
                    )
                chains = {level: cells[column] for level, column in params.columns.items()}
                rows.append(Row(ids.pop(key), cells["question"], chains))
    except (KeyError, ValueError, TypeError, csv.Error) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: row {len(rows) + 1}: {error!r}; look at recall.sections and recall.columns of the study file") from None
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
            raise InputError(f"{path}: no such file; look at recall.corpora of the study file, or run `dvc repro fetch`") from None
        for place, record in enumerate(record for record in records if record):
            try:
                _, user, assistant = json.loads(record)["messages"]
                lines.append((part, place, user["content"], assistant["content"]))
            except (ValueError, KeyError, TypeError) as error:
                raise InputError(f"{path}:{place + 1}: not a chat record of three turns: {error!r}") from None
    return lines


def match(level: str, lines: Sequence[Line], rows: Sequence[Row], seed: int | None) -> list[RecordedTrace]:
    """Give each line of a corpus its problem; ValueError where a line has none or may have two.

    A level of the table is told by question and text. Another is told by question alone; where one question was printed twice, by the
    order before the shuffle with `seed`, which is that of the table: a line stands between its neighbours.
    """
    if seed is None:
        ids: dict[tuple[str, str], list[str]] = {}
        for row in rows:
            ids.setdefault((row.question, row.chains.get(level, "")), []).append(row.id)
        try:
            return [RecordedTrace(ids[question, text].pop(0), level, part, place, text) for part, place, question, text in lines]
        except (KeyError, IndexError):
            raise ValueError(f"a record of level {level} is no row of the table") from None
    order = list(range(len(lines)))
    Random(seed).shuffle(order)
    before = [line for _, line in sorted(zip(order, lines, strict=True))]
    first, last = _places(before, rows), _places(before[::-1], rows[::-1])[::-1]
    if first != [len(rows) - 1 - place for place in last]:
        raise ValueError(f"level {level}: some questions stand twice in the table and the shuffle with seed {seed} leaves open which")
    return [RecordedTrace(rows[place].id, level, part, spot, text) for place, (part, spot, _, text) in zip(first, before, strict=True)]


def _places(lines: Sequence[Line], rows: Sequence[Row]) -> list[int]:
    """Return each line's row, each the first one that fits after the row before."""
    places: list[int] = []
    place = 0
    for part, spot, question, _ in lines:
        while place < len(rows) and rows[place].question != question:
            place += 1
        if place == len(rows):
            raise ValueError(f"{part}.jsonl:{spot + 1}: no row of the table has this question in the order before the shuffle")
        places.append(place)
        place += 1
    return places


if __name__ == "__main__":
    command.run(main)
