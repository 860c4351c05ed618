"""Problems and recorded work out of tables: a data set's Parquet file in the schema of OpenR1-Math, JSON Lines, CSV."""

import csv
import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from distill.cli.layout import Paths
from distill.core import study_file
from distill.core.errors import InputError
from distill.core.files import read_json, read_records, write_text
from distill.records.level import Level
from distill.records.problem import Problem
from distill.records.recorded_trace import RecordedTrace
from distill.records.verified import Verified
from distill.sources import tables
from stages import condense, extract, fetch, import_traces, solve, verify
from tests import trees
from tests.pipeline import ROOT

PARQUET = ROOT / "tests" / "golden" / "generations.parquet"  # five problems of our own: generations wrong, right, open, without flags, none
COMMIT = "a" * 40
COLUMNS = {"id": "uuid", "statement": "problem", "gold": "answer", "section": "source"}
R1 = {
    "kind": "generations", "column": "generations", "complete": "is_reasoning_complete", "verified": "correctness_math_verify",
    "take": "verified",
}  # fmt: skip
SOLUTION = {"kind": "solution", "column": "solution"}


def study(root: Path, monkeypatch: pytest.MonkeyPatch, **changes: dict[str, Any]) -> Paths:
    """Write a study of the Parquet file as a data set on a mirror, some keys of some sections changed."""
    target = root / "mirror" / "open" / "math" / COMMIT / "data" / "train-0.parquet"
    target.parent.mkdir(parents=True)
    shutil.copy(PARQUET, target)
    monkeypatch.setenv("JOB_MIRROR", str(root / "mirror"))
    files = ["data/train-*.parquet"]
    sections: dict[str, Any] = {
        "levels": ["r1", "solution"],
        "fetch": {"kind": "dataset", "repository": "open/math", "revision": COMMIT, "files": files},
        "extract": {"kind": "table", "files": files, "columns": COLUMNS},
        "corrections": [],
        "import_traces": {"kind": "table", "files": files, "id": "uuid", "levels": {"r1": R1, "solution": SOLUTION}},
        "solve": {"teacher": "recorded"}, "verify": {"teacher": "recorded"}, "condense": {"teacher": "recorded", "answer": "gold"},
    }  # fmt: skip
    paths = trees.below(root)
    write_text(
        paths.study_file,
        yaml.safe_dump({name: keys | changes.get(name, {}) if isinstance(keys, dict) else keys for name, keys in sections.items()}),
    )
    study_file.study.cache_clear()
    return paths


def traces(paths: Paths) -> list[tuple[str, str, str]]:
    """Fetch, extract and import; return id, level and the text's last line."""
    for stage in (fetch, extract, import_traces):
        stage.main(paths)
    return [(each.id, each.level, each.text.split("\n")[-1]) for each in read_records(paths.recorded_traces, RecordedTrace)]


def test_a_data_set_becomes_problems(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = study(tmp_path, monkeypatch)
    fetch.main(paths)
    extract.main(paths)
    problems = read_records(paths.problems, Problem)
    assert [(each.id, each.statement, each.gold, each.section, each.number) for each in problems] == [
        ("u-1", "Find 1 + 1.", "2", "a", "1"), ("u-2", "Find 2 + 2.", "4", "b", "2"), ("u-3", "Find 3 + 3.", "6", "a", "3"),
        ("u-5", "Find 5 + 5.", "10", "a", "5"),
    ]  # fmt: skip
    assert {each.benchmark for each in problems} == {"competition"}
    assert read_json(paths.extract_metrics) == {"problems": 4, "dropped_no_answer": 1, "dropped_no_statement": 0}


TAKEN = {  # take: what is taken of u-1, u-2, u-3
    "verified": ["It is \\boxed{2}.", "It is \\boxed{5}.", None],  # u-2's first, flagged right, never closes its thinking; u-3 has no flags
    "complete": ["It is \\boxed{3}.", "It is \\boxed{5}.", "It is \\boxed{6}."],
    "first": ["It is \\boxed{3}.", "2 and 2 is \\boxed{4}, or", "It is \\boxed{6}."],
}


@pytest.mark.parametrize(("take", "expected"), TAKEN.items(), ids=TAKEN)
def test_which_generation_is_taken(take: str, expected: list[str | None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = study(tmp_path, monkeypatch, import_traces={"levels": {"r1": R1 | {"take": take}}})
    found = {name: text for name, _, text in traces(paths)}
    assert found == {f"u-{at}": text for at, text in enumerate(expected, 1) if text}


def test_every_generation_and_missing_text_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    traces(study(tmp_path, monkeypatch))
    said = {line.removeprefix("import_traces: ") for line in capsys.readouterr().err.splitlines() if line.startswith("import_traces: ")}
    assert said >= {
        "r1: generations: 6", "r1: generations that never close their thinking: 1", "r1: generations flagged incomplete: 1",
        "r1: generations flagged wrong: 1", "r1: texts: 2", "r1: no generation that is verified: 1", "r1: no generation: 1",
        "solution: texts: 3", "solution: no text: 1", "rows of no problem: 1",
    }  # fmt: skip


def test_what_is_taken_is_judged_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = study(tmp_path, monkeypatch, import_traces={"levels": {"r1": R1 | {"take": "first"}, "solution": SOLUTION}})
    traces(paths)
    for stage in (solve, verify, condense):
        stage.main(paths)
    assert {each.id: each.verdict for each in read_records(paths.verified, Verified)} == {
        "u-1": "incorrect", "u-2": "truncated", "u-3": "correct", "u-5": "blank",
    }  # fmt: skip
    levels = {(each.id, each.level): (each.states_answer, each.finish) for each in read_records(paths.levels, Level)}
    assert levels["u-2", "r1"] == (False, "length")
    assert levels["u-3", "r1"] == (True, "stop")
    assert levels["u-1", "solution"][0]
    assert levels["u-5", "answer"][0]  # the gold answer, where any text is there
    assert ("u-5", "r1") not in levels
    assert read_json(paths.levels_metrics)["r1"] == {
        "texts": 3, "words": pytest.approx(8, abs=2), "states_answer": 1, "incorrect": 1, "truncated": 1, "undecided": 0, "breaks_off": 1,
        "never_mentions": 0,
    }  # fmt: skip


LIMITS: dict[str, tuple[dict[str, Any], list[str], dict[str, int]]] = {
    "a filter": ({"filters": {"source": ["b"]}}, ["u-2"], {"problems": 1, "dropped_filtered_by_source": 4}),
    "the first": ({"first": 2}, ["u-1", "u-2"], {"problems": 2, "dropped_no_answer": 1, "dropped_beyond_the_first": 2}),
    "numbers for ids": (
        {"columns": {"statement": "problem", "gold": "answer"}}, ["row-000001", "row-000002", "row-000003", "row-000005"],
        {"problems": 4, "dropped_no_answer": 1},
    ),
    "a marker": (
        {"marker": "boxed{", "columns": COLUMNS | {"gold": "solution"}}, ["u-1", "u-2", "u-4", "u-5"],
        {"problems": 4, "dropped_no_answer": 1},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("changes", "ids", "counts"), LIMITS.values(), ids=LIMITS)
def test_which_rows_are_problems(
    changes: dict[str, Any], ids: list[str], counts: dict[str, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = study(tmp_path, monkeypatch, extract=changes)
    fetch.main(paths)
    extract.main(paths)
    assert [each.id for each in read_records(paths.problems, Problem)] == ids
    assert {key: count for key, count in read_json(paths.extract_metrics).items() if count} == counts


FAULTS: dict[str, tuple[dict[str, dict[str, Any]], str]] = {
    "no such column": (
        {"extract": {"columns": COLUMNS | {"gold": "final"}}},
        r"train-0.parquet: no column 'final'; columns here: problem, solution, answer, source, uuid, generations, .*; fix columns",
    ),
    "no such file": ({"fetch": {"files": ["test-*"]}}, r"no file of open/math matches 'test-\*'; files here: data/train-0.parquet;"),
    "no such file fetched": ({"extract": {"files": ["x.csv"]}}, r"no file matches 'x.csv'; files here: data/train-0.parquet; fix files"),
    "a branch": ({"fetch": {"revision": "main"}}, r"revision of open/math is 'main'; pin a commit"),
    "ids twice": ({"extract": {"columns": COLUMNS | {"id": "source"}}}, r"row 3: id a is there twice; without columns.id the rows are"),
    "ids with blanks": ({"extract": {"columns": COLUMNS | {"id": "problem"}}}, r"row 1: id 'Find 1 \+ 1.': allowed are letters, digits"),
    "no year": ({"extract": {"columns": COLUMNS | {"year": "source"}}}, r"row 1: year is 'a'; expected a number"),
    "nothing kept": ({"extract": {"filters": {"source": ["c"]}}}, r"no row with statement and answer is kept: .*'filtered_by_source': 5"),
    "text for a list": ({"import_traces": {"levels": {"r1": R1 | {"column": "problem"}}}}, r"row 1: column 'problem' holds str; expected"),
    "flags of another list": (
        {"import_traces": {"levels": {"r1": R1 | {"column": "correctness_math_verify", "complete": "generations"}}}},
        r"row 3: column 'generations' has 1 flags, and there are 0 generations",
    ),
    "verified by nobody": (
        {"import_traces": {"levels": {"r1": {key: value for key, value in R1.items() if key != "verified"}}}},
        r"levels.r1: take is verified, and no column `verified` is named",
    ),
    "another level": ({"import_traces": {"levels": {"r2": R1}}}, r"import_traces.levels: no level 'r2'; levels here: r1, solution"),
    "another kind": ({"import_traces": {"kind": "none"}}, r"kind is 'none'; allowed: chains, table, or \{\} for none"),
}  # fmt: skip


@pytest.mark.parametrize(("changes", "message"), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_one_line(changes: dict[str, dict[str, Any]], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = study(tmp_path, monkeypatch, **changes)
    with pytest.raises(InputError, match=message) as fault:
        traces(paths)
    assert "\n" not in str(fault.value)


ROWS = [{"q": 'a, "b"\nand c', "n": "1"}, {"q": "é", "n": "2"}]


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_a_table_is_read_as_it_was_written(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"t.{suffix}"
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        if suffix == "csv":
            csv.DictWriter(file, ["q", "n"]).writerows([{"q": "q", "n": "n"}, *ROWS])
        else:
            file.write("\n\n".join(json.dumps(row) for row in ROWS))
    assert list(tables.rows(path, ["n", "q"])) == ROWS


BROKEN = {
    "t.csv": ("q,n\n1\n", r"t.csv:2: a row of another length than the header's 2 cells"),
    "u.csv": ('q,n\n"1,2\n', r"u.csv:2: no row of a table: unexpected end of data"),
    "v.csv": ("", r"v.csv: no column 'q'; columns here: ; fix"),
    "t.jsonl": ('{"q": 1}\n[1]\n', r"t.jsonl:2: no row of a table: expected an object"),
    "u.jsonl": ('{"q": 1}\n{"r": 2}\n', r"u.jsonl:2: no column 'q'; columns here: r; fix"),
    "v.jsonl": ("[" * 100_000, r"v.jsonl:1: no row of a table"),
    "t.parquet": ("PAR1 and nothing more", r"t.parquet: no Parquet file, or one cut off"),
    "t.txt": ("", r"t.txt: expected a table: .jsonl, .csv, .parquet"),
}


@pytest.mark.parametrize(("name", "text", "message"), [(name, *rest) for name, rest in BROKEN.items()], ids=BROKEN)
def test_a_broken_table_is_one_line(name: str, text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=message) as fault:
        list(tables.rows(tmp_path / name, ["q"]))
    assert "\n" not in str(fault.value)


def test_a_file_of_ones_own_is_checked_by_its_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "own.parquet"
    shutil.copy(PARQUET, own)
    paths = study(tmp_path, monkeypatch, extract={"files": ["own.parquet"]})
    sections = yaml.safe_load(paths.study_file.read_text()) | {
        "fetch": {"kind": "given", "path": str(own), "sha256": hashlib.sha256(own.read_bytes()).hexdigest()}
    }
    write_text(paths.study_file, yaml.safe_dump(sections))
    study_file.study.cache_clear()
    fetch.main(paths)
    extract.main(paths)
    assert len(read_records(paths.problems, Problem)) == 4
