"""The evaluation sets beside the competition, one file each: generated, or a published table from a repository or from the hub."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import msgspec

from stages.competition.problems import transfer
from stages.extraction.download import Download, File, download
from stages.shared import stage
from stages.shared.files import Fault, replacing, write_records
from stages.shared.hub import snapshot
from stages.shared.problem import Problem


class Competition(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="competition"):
    """Problems of the invented competition's families."""

    n: int
    seed: int


class Columns(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which column of a table holds what."""

    number: str
    section: str
    statement: str
    gold: str


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="download"):
    """A .csv or .jsonl file of a repository, at URL/REPOSITORY/COMMIT/PATH."""

    url: str
    repository: str
    commit: str
    retries: int
    timeout: float  # seconds without a byte
    path: str
    size: int
    sha256: str
    rows: int  # that it must have
    columns: Columns


class Hub(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="hub"):
    """A .csv or .jsonl file of a data set on the hub."""

    repository: str
    revision: str  # commit
    path: str
    rows: int
    columns: Columns


Source = Competition | Table | Hub


class Place(NamedTuple):
    """Where a benchmark is made: its name, and a folder that keeps what a cut-off download brought."""

    name: str
    work: Path


def main(study: str, out: str) -> None:
    """Read section `benchmarks`, write NAME.jsonl for each."""
    for name, keys in stage.section(study, "benchmarks", dict[str, dict[str, Any]]).items():
        if keys.get("kind") not in PROVIDERS:
            raise Fault(f"{study}: section 'benchmarks.{name}': kind is '{keys.get('kind')}'; allowed: {', '.join(PROVIDERS)}")
    sources = stage.section(study, "benchmarks", dict[str, Source])
    wrote = 0
    with replacing(Path(out)) as folder:
        folder.mkdir()
        for name, source in sources.items():
            place = Place(name, Path(".work", Path(study).stem, "benchmarks", name))
            wrote += write_records(folder / f"{name}.jsonl", PROVIDERS[str(source.__struct_config__.tag)](source, place))
    stage.closing("benchmarks", len(sources), wrote)


def generated(source: Competition, place: Place) -> list[Problem]:
    """Return the invented competition's transfer benchmark."""
    items = transfer(source.seed, source.n)
    name = place.name
    return [
        Problem(f"{name}-{int(item.number):04}", name, "", 0, item.number, item.statement, item.gold, "", 0, "generated") for item in items
    ]


def downloaded(source: Table, place: Place) -> list[Problem]:
    """Return the problems of a table that lies in a repository."""
    pinned = [File(source.path, source.size, source.sha256)]
    files = Download(source.url, source.repository, source.commit, source.retries, source.timeout, pinned)
    with TemporaryDirectory() as folder:
        download(files, Path(folder), place.work)
        return problems(Path(folder, source.path), source.rows, source.columns, place.name)


def from_hub(source: Hub, place: Place) -> list[Problem]:
    """Return the problems of a table that lies in a data set on the hub."""
    folder = snapshot(source.repository, source.revision, [source.path], "dataset")
    return problems(folder / source.path, source.rows, source.columns, place.name)


def problems(path: Path, rows: int, columns: Columns, name: str) -> list[Problem]:
    """Return a table's problems in its order; one that lacks a row, a column, a statement or an answer is a Fault."""
    found = read(path)
    if len(found) != rows:
        raise Fault(f"{path}: {len(found)} rows, expected {rows}; take the pinned file, or mend rows of section 'benchmarks.{name}'")
    made = []
    for number, row in enumerate(found, 1):
        keys = msgspec.structs.asdict(columns).values()
        if lacking := [key for key in keys if not (isinstance(row.get(key), str) and row[key].strip())]:
            raise Fault(f"{path}: row {number}: no text in column '{lacking[0]}'; columns here: {', '.join(map(str, row))}")
        where, section, statement, gold = (row[key] for key in keys)
        made.append(Problem(f"{name}-{number:04}", name, section, 0, where, statement, gold, path.name, 0, "table"))
    return made


def read(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a .csv or .jsonl file, by column."""
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".csv":
            return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
        return [json.loads(line) for line in text.split("\n") if line]
    except FileNotFoundError:
        raise Fault(f"{path}: no such file; take a folder that holds it, or mend path in section 'benchmarks'") from None
    except (ValueError, csv.Error) as error:
        raise Fault(f"{path}: not a table: {error}") from None


PROVIDERS: dict[str, Callable[[Any, Place], list[Problem]]] = {"competition": generated, "download": downloaded, "hub": from_hub}


if __name__ == "__main__":
    stage.run(main)
