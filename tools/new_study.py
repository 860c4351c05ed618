"""`make new-study NAME=x`: begin a study from the template; with FROM=table.csv, one of the questions, answers and solutions of a table;
with FROM=folder, one of a folder of exams."""

import glob
import json
import os
import sys
from pathlib import Path
from string import Template

from distill.cli import command
from distill.cli.layout import layout
from distill.core.errors import InputError
from distill.sources import manifest, tables
from distill.sources.table_problems import ID, text
from tools import exam_study

TEMPLATE = Path("studies", "template.yaml")
FROM_TABLE = Path(__file__).with_name("table_study.yaml")
COLUMNS = {  # what a column is called, in small letters
    "statement": ("question", "problem", "statement"),
    "gold": ("answer", "gold", "final_answer"),
    "solution": ("solution", "worked_solution", "reasoning", "rationale", "explanation"),
}
LEAST = 10  # questions, so that each side of the split has one


def main(name: str = "", table: str = "") -> None:
    """Write studies/NAME.yaml, which must not exist."""
    if not name:
        raise InputError("say its name: make new-study NAME=x, or make new-study NAME=x FROM=table.csv")
    path = layout(name).study_file
    if path.exists():
        raise InputError(f"{path}: exists already; take another name or delete it")
    if table and Path(table).is_dir():
        written = exam_study.from_folder(name, Path(table))
    else:
        written = from_table(name, Path(table)) if table else TEMPLATE.read_text(encoding="utf-8")
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(written)
    except FileExistsError:
        raise InputError(f"{path}: exists already; take another name or delete it") from None
    print(f"{path}: edit it, then `make check S={name}` and `make study S={name}`")


def from_table(name: str, path: Path) -> str:
    """Return a study file for a table with a question, an answer and a worked solution in each row."""
    if not path.is_file():
        raise InputError(f"{path}: no such file; FROM names a .csv, .jsonl or .parquet file, or a folder of exams")
    here = list(next(tables.rows(path, []), {}))
    columns = {part: _column(path, part, here) for part in COLUMNS}
    rows, count, ids = 0, 0, set[str]()
    for row in tables.rows(path, [*columns.values(), *(["id"] if "id" in here else [])]):
        rows += 1
        count += bool(text(row, columns["statement"]) and text(row, columns["gold"]))
        ids |= {text(row, "id")} if "id" in here else set()
    numbered = len(ids) < rows or not all(map(ID.fullmatch, ids))
    if count < LEAST:
        raise InputError(f"{path}: {count} rows have a question and an answer; a study needs {LEAST}")
    valid = count // 10
    train = count * 7 // 10
    mapping = {"statement": columns["statement"], "gold": columns["gold"]} | ({} if numbered else {"id": "id"})
    return Template(FROM_TABLE.read_text(encoding="utf-8")).substitute(
        name=name, path=json.dumps(os.fspath(path)), sha256=manifest.entry(path).sha256, file=json.dumps(glob.escape(path.name)),
        columns="{" + ", ".join(f"{part}: {json.dumps(column)}" for part, column in mapping.items()) + "}",
        id="" if numbered else "  id: id\n", solution=json.dumps(columns["solution"]),
        train=train, valid=valid, least=count - train - valid - count // 20, seen=min(train, 50),
    )  # fmt: skip


def _column(path: Path, part: str, here: list[str]) -> str:
    found = [column for column in here if column.strip().lower() in COLUMNS[part]]
    if len(found) != 1:
        which = f"columns {' and '.join(found)} may each be it" if found else f"columns here: {', '.join(here) or 'none'}"
        raise InputError(f"{path}: one column must be called {', '.join(COLUMNS[part])}; {which}; rename one")
    return found[0]


if __name__ == "__main__":
    command.guarded("new-study", lambda: main(*sys.argv[1:3]))
