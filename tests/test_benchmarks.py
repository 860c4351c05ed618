"""The evaluation sets: a table reads alike from a mirror folder, a snapshot of the hub and a local file, and what is unfit is refused."""

import csv
import hashlib
import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fastparquet
import msgspec
import pandas
import pytest
import yaml

from distill.answers.answer_format import read_form
from distill.cli.layout import Paths, layout
from distill.core import study_file
from distill.core.errors import InputError
from distill.core.files import read_records, write_records, write_text
from distill.records.assignment import Assignment
from distill.records.problem import Problem
from stages import benchmarks
from tests.pipeline import ROOT

PATHS = layout("toy")
REVISION = "6" * 40
COLUMNS = {"number": "unique_id", "section": "subject", "statement": "problem", "gold": "answer", "marker": ""}
ROWS: list[dict[str, Any]] = [
    {"problem": statement, "solution": "so", "answer": gold, "subject": subject, "level": 2, "unique_id": name}
    for statement, gold, subject, name in (
        ("Find $x,$ if\n\\[x = 1.\\]", "1", "Algebra", "test/algebra/1.json"),
        ('A line\u2028separator, «quotes» and "commas"', "\\frac{1}{2}", "Geometry", "test/geometry/2.json"),
    )
]
AIME = [{"id": 60 + n, "problem": f"Find the sum {n}.", "solution": "so", "answer": f"{n:03}", "url": "of a page"} for n in (25, 204, 0)]
GSM8K = [{"question": f"How many {n}?", "answer": f"He has 2 * 3 = <<2*3=6>>6.\nSo #### of them.\n#### {n}"} for n in ("1,800", "18", "-3")]

Run = Callable[..., list[Problem]]


def _csv(rows: list[dict[str, Any]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def _jsonl(rows: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def _parquet(rows: list[dict[str, Any]]) -> bytes:
    """Return a table as the hub has it: Snappy, strings in UTF-8, whole numbers of 64 bits."""
    fastparquet.write("table.parquet", pandas.DataFrame(rows), compression="SNAPPY")
    return Path("table.parquet").read_bytes()


def _make(sections: dict[str, Any]) -> None:
    """Run the stage in the current folder."""
    write_text(PATHS.study_file, yaml.safe_dump(sections))
    study_file.study.cache_clear()
    _own(PATHS)
    benchmarks.main(PATHS)


def _own(paths: Paths) -> None:
    """Write two problems of the study's own, of which one is asked."""
    own = [Problem(name, "competition", "", 0, "1", "What?", "1", "", 0, "text") for name in ("a", "b")]
    write_records(paths.problems, own)
    write_records(paths.split, [Assignment("a", "a", "heldout", True), Assignment("b", "b", "train", False)])


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a call that puts a file into a mirror folder, or beside the study, runs the stage on it and returns the benchmark."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JOB_MIRROR", str(tmp_path / "mirror"))

    def call(kind: str, name: str, body: bytes | list[dict[str, Any]], **keys: Any) -> list[Problem]:
        if isinstance(body, list):
            body = _parquet(body)
        folder = tmp_path / "mirror" / "owner" / "set" / REVISION if kind != "file" else tmp_path
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(body)
        every = {"kind": kind, "path": name, "rows": len(ROWS), "first": 0, "columns": COLUMNS, "form": "expression", "licence": "MIT"}
        pins = {"commit": REVISION, "url": "http://127.0.0.1:1", "retries": 0, "timeout": 1.0, "size": len(body)}
        rest = {"hub": {"revision": REVISION}, "file": {}}.get(kind, pins) | ({} if kind == "file" else {"repository": "owner/set"})
        section = every | rest | {"sha256": hashlib.sha256(body).hexdigest()} | keys
        _make({"benchmarks": {"toy": section}, "sample": {"benchmarks": ["toy"], "n": 1}})
        return read_records(PATHS.benchmarks / "toy.jsonl", Problem)

    return call


def test_a_table_reads_alike_from_every_source_and_in_every_format(run: Run) -> None:
    first = run("download", "test.csv", _csv(ROWS))
    assert [(p.id, p.benchmark, p.number, p.section, p.statement, p.gold) for p in first] == [
        (f"toy-000{n}", "toy", row["unique_id"], row["subject"], row["problem"], row["answer"]) for n, row in enumerate(ROWS, 1)
    ]
    for kind, name, body in (
        ("hub", "test.jsonl", _jsonl(ROWS)), ("hub", "data/test.parquet", _parquet(ROWS)), ("file", "test.parquet", _parquet(ROWS)),
        ("file", "test.csv", _csv(ROWS)), ("download", "test.parquet", _parquet(ROWS)),
    ):  # fmt: skip
        again = run(kind, name, body)
        assert [Problem(**{**_asdict(p), "source": "test.csv"}) for p in again] == first, (kind, name)


def _asdict(problem: Problem) -> dict[str, Any]:
    return {name: getattr(problem, name) for name in problem.__struct_fields__}


def _committed(name: str, **keys: Any) -> dict[str, Any]:
    """Return the columns and the form that studies/job.yaml states for a benchmark."""
    section = yaml.safe_load((ROOT / "studies" / "job.yaml").read_text(encoding="utf-8"))["benchmarks"][name]
    return {key: section[key] for key in ("columns", "form", "path")} | keys


def test_aime_in_the_hubs_layout(run: Run) -> None:
    keys = _committed("aime", rows=3)
    found = run("hub", keys["path"], AIME, **keys)
    assert [(p.number, p.section, p.gold) for p in found] == [("85", "", "025"), ("264", "", "204"), ("60", "", "000")]
    assert run("hub", keys["path"], AIME, **keys | {"first": 2}) == found[:2]


def test_gsm8k_in_the_hubs_layout(run: Run) -> None:
    keys = _committed("gsm8k", rows=3)
    found = run("hub", keys["path"], GSM8K, **keys)
    assert [(p.id, p.number, p.statement, p.gold) for p in found] == [
        ("toy-0001", "1", "How many 1,800?", "1,800"), ("toy-0002", "2", "How many 18?", "18"), ("toy-0003", "3", "How many -3?", "-3"),
    ]  # fmt: skip


def test_only_what_is_asked_is_made_and_its_licence_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any) -> None:
    monkeypatch.chdir(tmp_path)
    sections = yaml.safe_load((ROOT / "studies" / "mini.yaml").read_text(encoding="utf-8"))
    job = yaml.safe_load((ROOT / "studies" / "job.yaml").read_text(encoding="utf-8"))
    both = {"benchmarks": sections["benchmarks"] | job["benchmarks"], "sample": sections["sample"]}
    _make(both)
    assert sorted(path.name for path in PATHS.benchmarks.iterdir()) == ["competition.jsonl", "transfer.jsonl"]
    assert [problem.id for problem in read_records(PATHS.benchmarks / "competition.jsonl", Problem)] == ["a"]
    assert "transfer: 300 problems; answers: expression; licence: MIT" in capfd.readouterr().out


def test_every_benchmark_of_the_studies_is_on_the_page() -> None:
    page = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    for path in sorted((ROOT / "studies").glob("*.yaml")):
        for name, keys in (yaml.safe_load(path.read_text(encoding="utf-8")).get("benchmarks") or {}).items():
            read_form(keys["form"], name)
            for value in (
                f"`{name}`",
                str(keys.get("first") or keys.get("rows") or keys["n"]),
                keys["form"],
                keys.get("revision", "")[:12],
            ):
                assert value in page, (name, value)


UNFIT: dict[str, tuple[str, bytes | list[dict[str, Any]], dict[str, Any], str]] = {
    "a row short": ("hub", _jsonl(ROWS[:1]), {}, r"test\.jsonl: 1 rows, expected 2; take the pinned file"),
    "no such column": ("hub", _jsonl(ROWS), {"columns": COLUMNS | {"gold": "x"}}, r"row 1: no text in column 'x'; columns here: problem"),
    "an empty answer": ("hub", _jsonl([ROWS[0], ROWS[1] | {"answer": " "}]), {}, r"row 2: no text in column 'answer'"),
    "not JSON": ("hub", b"{\n", {}, r"test\.jsonl: not a table: "),
    "no object": ("hub", b"1\n2\n", {}, r"test\.jsonl: row 1: expected an object"),
    "no such file": ("hub", b"", {"path": "other.jsonl"}, r"other\.jsonl: no such file"),
    "no local file": ("file", b"", {"path": "other.csv"}, r"other\.csv: no such file"),
    "changed bytes": ("download", _jsonl(ROWS), {"sha256": "a" * 64}, r"test\.jsonl: expected sha256 a{64}"),
    "changed bytes on the hub": ("hub", _jsonl(ROWS), {"sha256": "a" * 64}, r"test\.jsonl: expected sha256 a{64}, got "),
    "a branch": ("hub", _jsonl(ROWS), {"revision": "main"}, r"revision of owner/set is 'main'"),
    "another kind": ("web", b"", {}, r"'benchmarks\.toy': kind is 'web'; allowed: competition, download, hub, file"),
    "another form": ("hub", _jsonl(ROWS), {"form": "letter"}, r"'benchmarks\.toy': form is 'letter'; allowed: expression, number"),
    "a gold of another form": ("hub", _jsonl(ROWS), {"form": "integer 0..999"}, r"row 2: gold answer '.frac.1..2.' is no integer 0\.\.999"),
    "no marker": ("hub", _jsonl(ROWS), {"columns": COLUMNS | {"marker": "####"}}, r"row 1: column 'answer' has no answer after '####'"),
    "more than there are": ("hub", _jsonl(ROWS), {"first": 3}, r"'benchmarks\.toy': first is 3; allowed: 0 \(all\) to 2"),
    "no licence": ("hub", _jsonl(ROWS), {"licence": None}, r"`licence`|\.licence"),
    "no network": ("hub", _jsonl(ROWS), {"repository": "owner/other"}, r"hub: .*cannot be reached .*connect and run it again, or set"),
}  # fmt: skip


@pytest.mark.parametrize(("kind", "body", "keys", "line"), UNFIT.values(), ids=UNFIT)
def test_what_is_unfit_is_one_line(kind: str, body: bytes, keys: dict[str, Any], line: str, run: Run, monkeypatch: Any) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(InputError, match=line) as fault:
        run(kind, "test.jsonl", body, **keys)
    assert "\n" not in str(fault.value)
    assert not PATHS.benchmarks.exists()


def test_a_cut_parquet_file_is_one_line(run: Run) -> None:
    with pytest.raises(InputError, match=r"test\.parquet: not a table: no Parquet file, or one cut off"):
        run("hub", "test.parquet", _parquet(ROWS)[:-9])


def test_a_problem_that_is_to_be_asked_and_is_not_there_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    _own(PATHS)
    write_records(PATHS.problems, [])
    with pytest.raises(InputError, match=r"split.jsonl: 1 problems are to be asked, 0 of them are in .*problems.jsonl"):
        benchmarks.evaluated(PATHS.problems, PATHS.split)


def test_a_benchmark_that_is_asked_and_not_known_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    known = {"toy": {"kind": "competition", "n": 1, "seed": 1, "form": "expression", "licence": "MIT"}}
    with pytest.raises(InputError, match=r"section 'sample' asks 'toi'; section 'benchmarks' has toy"):
        _make({"benchmarks": known, "sample": {"benchmarks": ["toi"]}})


@pytest.mark.skipif(not os.environ.get("JOB_MIRROR"), reason="JOB_MIRROR names no mirror folder of the authors' files")
def test_math_500_of_the_mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    _own(layout("job"))
    benchmarks.main(msgspec.structs.replace(layout("job"), study_file=ROOT / "studies" / "job.yaml"))
    found = read_records(layout("job").benchmarks / "math500.jsonl", Problem)
    assert (len(found), len({p.statement for p in found}), len({p.number for p in found})) == (500, 500, 500)
    assert found[0].number == "test/precalculus/807.json"
