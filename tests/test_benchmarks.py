"""The evaluation sets: a table from a mirror folder and from a snapshot of the hub give the same problems, and what is unfit is refused."""

import csv
import hashlib
import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from stages import benchmarks
from stages.shared import stage
from stages.shared.files import Fault, read_records
from stages.shared.problem import Problem
from tests.pipeline import ROOT

REVISION = "6" * 40
COLUMNS = {"number": "unique_id", "section": "subject", "statement": "problem", "gold": "answer"}
ROWS: list[dict[str, Any]] = [
    {"problem": statement, "solution": "so", "answer": gold, "subject": subject, "level": 2, "unique_id": name}
    for statement, gold, subject, name in (
        ("Find $x,$ if\n\\[x = 1.\\]", "1", "Algebra", "test/algebra/1.json"),
        ('A line\u2028separator, «quotes» and "commas"', "\\frac{1}{2}", "Geometry", "test/geometry/2.json"),
    )
]

Run = Callable[..., list[Problem]]


def _csv(rows: list[dict[str, Any]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def _jsonl(rows: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a call that puts a file into a mirror folder, runs the stage on it and returns the benchmark."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JOB_MIRROR", str(tmp_path / "mirror"))

    def call(kind: str, name: str, body: bytes, **keys: Any) -> list[Problem]:
        folder = tmp_path / "mirror" / "owner" / "set" / REVISION
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(body)
        base = {"kind": kind, "repository": "owner/set", "path": name, "rows": len(ROWS), "columns": COLUMNS}
        pins = {"commit": REVISION, "url": "http://127.0.0.1:1", "retries": 0, "timeout": 1.0, "size": len(body)}
        rest = {"revision": REVISION} if kind == "hub" else pins | {"sha256": hashlib.sha256(body).hexdigest()}
        (tmp_path / "toy.yaml").write_text(yaml.safe_dump({"benchmarks": {"math500": base | rest | keys}}))
        stage.study.cache_clear()
        benchmarks.main("toy.yaml", "out")
        return read_records(tmp_path / "out" / "math500.jsonl", Problem)

    return call


def test_a_table_reads_alike_as_csv_and_from_the_hub(run: Run) -> None:
    first = run("download", "test.csv", _csv(ROWS))
    assert [(p.id, p.benchmark, p.number, p.section, p.statement, p.gold) for p in first] == [
        (f"math500-000{n}", "math500", row["unique_id"], row["subject"], row["problem"], row["answer"]) for n, row in enumerate(ROWS, 1)
    ]
    second = run("hub", "test.jsonl", _jsonl(ROWS))
    assert [Problem(**{**_asdict(p), "source": "test.csv"}) for p in second] == first


def _asdict(problem: Problem) -> dict[str, Any]:
    return {name: getattr(problem, name) for name in problem.__struct_fields__}


UNFIT: dict[str, tuple[str, bytes, dict[str, Any], str]] = {
    "a row short": ("hub", _jsonl(ROWS[:1]), {}, r"test\.jsonl: 1 rows, expected 2; take the pinned file"),
    "no such column": ("hub", _jsonl(ROWS), {"columns": COLUMNS | {"gold": "x"}}, r"row 1: no text in column 'x'; columns here: problem"),
    "an empty answer": ("hub", _jsonl([ROWS[0], ROWS[1] | {"answer": " "}]), {}, r"row 2: no text in column 'answer'"),
    "not JSON": ("hub", b"{\n", {}, r"test\.jsonl: not a table: "),
    "no such file": ("hub", b"", {"path": "other.jsonl"}, r"other\.jsonl: no such file"),
    "changed bytes": ("download", _jsonl(ROWS), {"sha256": "a" * 64}, r"test\.jsonl: expected sha256 a{64}"),
    "a branch": ("hub", _jsonl(ROWS), {"revision": "main"}, r"revision of owner/set is 'main'"),
    "another kind": ("web", b"", {}, r"'benchmarks\.math500': kind is 'web'; allowed: competition, download, hub"),
}  # fmt: skip


@pytest.mark.parametrize(("kind", "body", "keys", "line"), UNFIT.values(), ids=UNFIT)
def test_what_is_unfit_is_one_line(kind: str, body: bytes, keys: dict[str, Any], line: str, run: Run) -> None:
    with pytest.raises(Fault, match=line) as fault:
        run(kind, "test.jsonl", body, **keys)
    assert "\n" not in str(fault.value)
    assert not Path("out").exists()


@pytest.mark.skipif(not os.environ.get("JOB_MIRROR"), reason="JOB_MIRROR names no mirror folder of the authors' files")
def test_math_500_of_the_mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    benchmarks.main(str(ROOT / "studies" / "job.yaml"), "out")
    found = read_records(Path("out", "math500.jsonl"), Problem)
    assert (len(found), len({p.statement for p in found}), len({p.number for p in found})) == (500, 500, 500)
    assert found[0].number == "test/precalculus/807.json"
