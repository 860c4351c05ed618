"""`make new-study NAME=x FROM=table.csv`: a study of at most 60 lines that runs, down to the report with a student."""

import csv
import hashlib
import importlib
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from distill.cli import command
from distill.core import study_file
from distill.core.errors import InputError
from distill.core.files import read_json, read_records
from distill.records.example import Example
from distill.sampling import batch_decoder
from tests import tiny_model
from tests.pipeline import ROOT, Cell, cells
from tools import check_study, new_study

HEAD = ["Question", "answer", "solution"]
REVISION = "1" * 40


def rows(count: int) -> list[list[str]]:
    return [
        [f"Find the sum of {n} and {n * 7}.", str(n * 8), f"Seven times and once,\nthat is eight times: {n * 8}."] for n in range(count)
    ]


def write(path: Path, head: Sequence[str], body: Sequence[Sequence[str]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([head, *body])
    return path


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("dvc.yaml", "stages", "plots/templates"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "studies").mkdir()
    (tmp_path / "studies" / "template.yaml").write_text("{}")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(batch_decoder, "workers", lambda: 1)
    study_file.study.cache_clear()
    return tmp_path


def run(cell: Cell) -> None:
    words = shlex.split(cell.cmd)
    main = importlib.import_module(cell.module).main
    main(*command.arguments(main, cell.stage, words[words.index("-m") + 2 :]))


def small(root: Path, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
    """Give studies/mine.yaml a tiny student and short runs, change some keys of sections, and run every cell."""
    path = root / "studies" / "mine.yaml"
    sections: dict[str, Any] = yaml.safe_load(path.read_text())
    tiny_model.make(root / "mirror" / "tiny" / "student" / REVISION)
    sections["student"] = {"kind": "hub", "repository": "tiny/student", "revision": REVISION}
    sections["train"] |= {"iterations": 2, "eval_every": 1}
    sections["sample"] |= {"max_tokens": 6}
    sections["summarise"] |= {"resamples": 100}
    sections["claims"] |= {"resamples": 100}
    for name, keys in changes.items():
        sections[name] |= keys
    path.write_text(yaml.safe_dump(sections))
    study_file.study.cache_clear()
    monkeypatch.setenv("JOB_MIRROR", str(root / "mirror"))
    params = {"papers": [], "corpora": ["mine"], "students": ["mine"], "arms": ["solution", "answer"], "seeds": [1], "long_run": "solution"}
    (root / "params.yaml").write_text(yaml.safe_dump(params))
    for cell in cells(root):
        run(cell)


def test_the_study_runs_from_the_table_to_the_report(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = rows(60)
    table[5][1] = ""  # no answer
    table[6][2] = "That is 7."  # another answer
    write(root / "my table [1].csv", HEAD, table)
    new_study.main("mine", "my table [1].csv")
    assert len((root / "studies" / "mine.yaml").read_text().splitlines()) <= 60
    check_study.main("mine")
    small(root, monkeypatch)
    assert read_json(root / "metrics/mine/extract.json") == {"problems": 59, "dropped_no_answer": 1, "dropped_no_statement": 0}
    levels = read_json(root / "metrics/mine/levels.json")
    assert (levels["solution"]["texts"], levels["solution"]["states_answer"], levels["answer"]["texts"]) == (59, 58, 59)
    counts = {arm: read_json(root / f"data/mine/corpus/{arm}/counts.json") for arm in ("solution", "answer")}
    assert counts["solution"] == counts["answer"]
    assert counts["solution"]["dropped"] == {"a level that does not state the answer": 1}
    first = read_records(root / "data/mine/corpus/solution/train.jsonl", Example)[0].messages
    number = int(first[0].content.split()[4])
    assert first[-1].content == f"{rows(60)[number][2]}\nAnswer: {number * 8}"
    claims = read_json(root / "metrics/mine/claims.json")
    assert all(claim["n"] for claim in claims.values())
    assert read_json(root / "metrics/mine/overfit.json") == {}
    drawn = {path.stem for path in (root / "plots/mine/svg").glob("*.svg")}
    assert {"accuracy", "curves"} <= drawn
    assert drawn.isdisjoint({"sections", "years", "overfit"})


def test_a_study_that_asks_a_benchmark_alone(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(root / "t.csv", HEAD, rows(40))
    bench = write(root / "bench.csv", ["q", "a"], [[f"What is {n} + 1?", str(n + 1)] for n in range(8)])
    new_study.main("mine", "t.csv")
    columns = {"number": "", "section": "", "statement": "q", "gold": "a", "marker": ""}
    digest = hashlib.sha256(bench.read_bytes()).hexdigest()
    source = {
        "kind": "file",
        "path": str(bench),
        "sha256": digest,
        "rows": 8,
        "first": 0,
        "columns": columns,
        "form": "number",
        "licence": "-",
    }
    rule = {"kind": "above", "benchmark": "sums", "split": "all", "arm": "solution", "comparator": "base"}
    claim = {"says": "", "source": "", "published": None, "tolerance": None, "rule": rule, "by_construction": "", "note": ""}
    source |= {"form": "number", "licence": "-"}
    small(
        root, monkeypatch, split={"asked": "none", "heldout_least": 0, "seen": 0}, benchmarks={"sums": source},
        sample={"benchmarks": ["sums"]}, claims={"ledger": {"gain": claim}},
    )  # fmt: skip
    assert set(read_json(root / "metrics/mine/summary.json")["arms"]["solution"]) >= {"sums", "words", "tokens"}
    headline = read_json(root / "metrics/mine/headline.json")
    assert set(headline["accuracy"]) == {"base", "solution", "answer"}
    assert set(headline["gain"]) == {"solution"}
    assert not (root / "data/mine/benchmarks/competition.jsonl").exists()
    assert "sums" in (root / "report/mine/report.md").read_text()


@pytest.mark.parametrize(
    ("head", "body", "message"),
    [
        (["question", "answer", "text"], rows(20), r"one column must be called solution, .*; columns here: question, answer, text; rename"),
        (["question", "problem", "answer", "solution"], [["q", "p", "a", "s"]], r"columns question and problem may each be it; rename one"),
        (HEAD, rows(9), r"9 rows have a question and an answer; a study needs 10"),
        (HEAD, [["only one cell"]], r"t.csv:2: a row of another length than the header's 3 cells"),
        (HEAD, [], r"one column must be called question, problem, statement; columns here: none"),
    ],
)
def test_a_table_that_is_no_study(head: list[str], body: list[list[str]], message: str, root: Path) -> None:
    write(root / "t.csv", head, body)
    with pytest.raises(InputError, match=message):
        new_study.main("mine", "t.csv")
    assert not (root / "studies" / "mine.yaml").exists()


def test_ids_of_the_table_are_taken_where_they_are_ids(root: Path) -> None:
    write(root / "t.csv", ["id", *HEAD], [[f"q{n}", *row] for n, row in enumerate(rows(12))])
    new_study.main("named", "t.csv")
    assert yaml.safe_load((root / "studies" / "named.yaml").read_text())["extract"]["columns"]["id"] == "id"
    write(root / "u.csv", ["id", *HEAD], [["same", *row] for row in rows(12)])
    new_study.main("numbered", "u.csv")
    assert "id" not in yaml.safe_load((root / "studies" / "numbered.yaml").read_text())["extract"]["columns"]
