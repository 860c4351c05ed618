"""Re-grading: what a grader as it stands moves against stored verdicts, item by item."""

from pathlib import Path

import pytest

from distill.core import files
from distill.core.cells import Cell
from distill.core.errors import InputError
from distill.records.completion import Completion
from distill.records.problem import Problem
from distill.records.verdict import Verdict
from tests import dvc_sandbox
from tools import regrade

STUDY = """
student: {kind: scratch}
grade: {profiles: [strict], answer_line: "Answer:", time_limit: 5.0, memory_limit: 1024, workers: 1, max_chars: 40}
benchmarks: {}
"""
GOLDS = {("competition", "p1"): "4", ("competition", "p2"): "1/2"}
TEXTS = {"p1": "2 + 2\nAnswer: 4", "p2": "so\nAnswer: 0.5"}


def before(name: str, outcome: str, extracted: str, arm: str = "base", words: int = 4) -> regrade.Before:
    return regrade.Before(arm, 0, "competition", name, 0, outcome, extracted, words, 9)


def after(name: str, outcome: str, extracted: str, arm: str = "base") -> Verdict:
    return Verdict(arm, 0, "competition", name, 0, outcome, extracted, 4, 9)


COMPARED = {
    "nothing moved": ([before("p1", "correct", "4")], [after("p1", "correct", "4")], []),
    "the outcome": ([before("p1", "wrong", "4")], [after("p1", "correct", "4")], [("4", "4", "wrong", "correct")]),
    "the answer only": ([before("p1", "wrong", "5")], [after("p1", "wrong", "6")], [("5", "6", "wrong", "wrong")]),
    "the item of another arm": (
        [before("p1", "wrong", "4"), before("p1", "wrong", "4", "r1")],
        [after("p1", "wrong", "4"), after("p1", "correct", "4", "r1")],
        [("4", "4", "wrong", "correct")],
    ),
    "another completion is not the grader's doing": ([before("p1", "wrong", "5", words=5)], [after("p1", "correct", "4")], []),
}


@pytest.mark.parametrize(("then", "now", "expected"), COMPARED.values(), ids=COMPARED)
def test_gradings_are_compared(then: list[regrade.Before], now: list[Verdict], expected: list[tuple[str, ...]]) -> None:
    moved = regrade.compare(then, now, GOLDS).moved
    assert [(m.extracted_before, m.extracted_after, m.outcome_before, m.outcome_after) for m in moved] == expected


def test_what_is_not_compared_is_counted() -> None:
    then = [before("p1", "wrong", "4", words=5), before("p2", "wrong", "4", "r1")]
    found = regrade.compare(then, [after("p1", "wrong", "4"), after("p2", "wrong", "4")], GOLDS)
    assert (len(found.compared), found.other, found.gone, found.new) == (0, 1, 1, 1)
    (line,) = regrade.page(found, "as stored", None)
    assert line.endswith("other completions than those graded before: 1; no longer stored: 1; not graded before: 1")


def test_the_page_shows_items_steps_and_accuracies() -> None:
    then = [before("p1", "wrong", "4"), before("p2", "wrong", "\x1b[2J")]
    found = regrade.compare(then, [after("p1", "correct", "4"), after("p2", "wrong", "x" * 50)], GOLDS)
    items, steps, accuracies, line = regrade.page(found, "of v1", 1)
    assert items.splitlines()[2].split() == ["base", "0", "competition", "p1", "4", "4", "4", "wrong", "correct"]
    assert items.splitlines()[-1].startswith("and 1 more")
    assert [" ".join(row.split()) for row in steps.splitlines()[2:]] == ["wrong correct 1", "wrong wrong (another answer found) 1"]
    assert accuracies.splitlines()[2].split() == ["base", "competition", "2", "2", "0.00", "50.00", "+50.00"]
    assert line == "regrade: 2 completions graded again, 2 moved against the verdicts of v1"
    assert "\x1b" not in regrade.page(found, "of v1", None)[0]


CELLS = {
    "base": (["base.jsonl.gz"], [("base", 0)]),
    "an arm with a dash": (["r1-n100-3.jsonl.gz", ".gitignore"], [("r1-n100", 3)]),
    "no seed": (["r1.jsonl.gz"], None),
    "no number": (["r1-n.jsonl.gz"], None),
    "none": ([], None),
}


@pytest.mark.parametrize(("names", "expected"), CELLS.values(), ids=CELLS)
def test_cells_are_known_by_their_files(names: list[str], expected: list[Cell] | None, tmp_path: Path) -> None:
    for name in names:
        (tmp_path / name).touch()
    if expected is not None:
        assert list(regrade.stored_cells(tmp_path)) == expected
        return
    with pytest.raises(InputError):
        regrade.stored_cells(tmp_path)


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A study `s` of two problems that an earlier grader graded, the current folder of the test."""
    data = tmp_path / "data" / "s"
    (tmp_path / "studies").mkdir()
    (tmp_path / "studies" / "s.yaml").write_text(STUDY)
    problems = [
        Problem(name, "competition", "two-person", 2015, "1", "What?", GOLDS["competition", name], "a.pdf", 1, "text") for name in TEXTS
    ]
    files.write_records(data / "benchmarks" / "competition.jsonl", problems)
    completions = [Completion("competition", name, 0, text, 9, "stop") for name, text in TEXTS.items()]
    files.write_records(data / "completions" / "base.jsonl.gz", completions)
    files.write_records(data / "extracted.jsonl", [])
    grade(data / "verdicts.jsonl.gz", p1="correct", p2="wrong")
    monkeypatch.chdir(tmp_path)
    return data


def grade(path: Path, **outcomes: str) -> None:
    answers = {"p1": "4", "p2": "0.5"}
    rows = [Verdict("base", 0, "competition", name, 0, what, answers[name], len(TEXTS[name].split()), 9) for name, what in outcomes.items()]
    files.write_records(path, rows)


def test_the_stored_verdicts_are_graded_again_and_nothing_is_written(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stored = {path: path.read_bytes() for path in study.parents[1].rglob("*") if path.is_file()}
    regrade.main("s")
    printed = capsys.readouterr().out
    assert ["base", "0", "competition", "p2", "1/2", "0.5", "0.5", "wrong", "correct"] in [line.split() for line in printed.splitlines()]
    assert "2 completions graded again, 1 moved against the verdicts as stored" in printed
    assert {path: path.read_bytes() for path in study.parents[1].rglob("*") if path.is_file()} == stored


def test_moved_items_are_written_where_asked(study: Path) -> None:
    regrade.main("s", "--write", "moved.jsonl")
    assert files.read_records(Path("moved.jsonl"), regrade.Moved) == [
        regrade.Moved("base", 0, "competition", "p2", 0, "1/2", "0.5", "0.5", "wrong", "correct")
    ]


@pytest.mark.dvc
def test_the_verdicts_of_a_revision_are_compared(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = study.parents[1]
    for words in ["git init -q", "dvc init -q", "dvc add -q data/s/verdicts.jsonl.gz", "git add -A", "git commit -qm one"]:
        dvc_sandbox.call(root, *words.split())
    grade(study / "verdicts.jsonl.gz", p1="correct", p2="correct")
    regrade.main("s")
    assert " 0 moved against the verdicts as stored" in capsys.readouterr().out
    regrade.main("s", "HEAD")
    assert " 1 moved against the verdicts of HEAD" in capsys.readouterr().out
    with pytest.raises(InputError, match="unknown Git revision 'nix'"):
        regrade.main("s", "nix")
