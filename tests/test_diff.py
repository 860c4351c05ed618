"""`make diff`: what moved and matters between two revisions, and one line for what is not there."""

import json
import os
import subprocess
from contextlib import chdir
from pathlib import Path
from typing import Any

import pytest

from distill.core.errors import InputError
from tests.dvc_sandbox import GIT
from tools import diff


def claim(verdict: str, effect: float = 0.1, n: int = 50) -> dict[str, Any]:
    return {"verdict": verdict, "effect": effect, "p_holm": 0.01, "n": n}


def cell(accuracy: float, n: int = 50) -> dict[str, Any]:
    return {"accuracy": accuracy, "low": accuracy - 0.1, "high": accuracy + 0.1, "n": n, "sd": None}


def write(claims: dict[str, Any], arms: dict[str, dict[str, Any]], shares: dict[str, float]) -> None:
    folder = Path("metrics", "a")
    folder.mkdir(parents=True, exist_ok=True)
    summary = {"arms": {arm: {"competition": {"heldout": value}, "words": 12.0} for arm, value in arms.items()}}
    multiverse = {"claims": {name: {"share": share} for name, share in shares.items()}}
    for name, document in (("claims", claims), ("summary", summary), ("multiverse", multiverse)):
        (folder / f"{name}.json").write_text(json.dumps(document))


def commit(subject: str) -> None:
    for words in (["add", "-A"], ["commit", "-qm", subject]):
        subprocess.run(["git", *words], check=True, env=os.environ | GIT)


@pytest.fixture
def tree(tmp_path: Path) -> Any:
    with chdir(tmp_path):
        subprocess.run(["git", "init", "-q"], check=True)
        write(
            {"kept": claim("holds"), "moved": claim("holds"), "old": claim("fails")},
            {"base": cell(0.4), "r1": cell(0.5), "r2": cell(0.6), "r6": cell(0.3)}, {"kept": 1.0, "moved": 0.5},
        )  # fmt: skip
        commit("one")
        write(
            {"kept": claim("holds", n=60), "moved": claim("inconclusive", 0.02), "young": claim("holds")},
            {"base": cell(0.4), "r1": cell(0.55), "r2": cell(0.75), "r6": cell(0.3, 40), "r9": cell(0.1)}, {"kept": 1.0, "moved": 0.25},
        )  # fmt: skip
        commit("two")
        yield tmp_path


LINES = [
    "a: claim kept: holds as before, on 60 units instead of 50",
    "a: claim moved: holds -> inconclusive (effect 0.1000, p 0.0100 -> effect 0.0200, p 0.0100)",
    "a: claim moved: the same verdict under 25.0 % of other choices, 50.0 % before",
    "a: claim old is gone: fails",
    "a: claim young is new: holds",
    "a: arms new: r9",
    "a: accuracy of r2 on competition, heldout: 60.0 % [50.0, 70.0] -> 75.0 % [65.0, 85.0]",
    "a: accuracy of r6 on competition, heldout: n 50 -> 40",
]


def test_what_moved_and_matters_is_a_few_lines(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    diff.main("HEAD~1", "HEAD")
    last = "a: HEAD~1 to HEAD: 2 claims and 4 accuracies compared; 1 of these moved within noise"
    assert capsys.readouterr().out.splitlines() == [*LINES, last]


def test_without_the_other_side_it_is_the_workspace(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    diff.main("HEAD")
    assert capsys.readouterr().out == "a: HEAD to workspace: 3 claims and 5 accuracies compared; 0 of these moved within noise\n"
    (tree / "metrics" / "a" / "claims.json").write_text("{")
    with pytest.raises(InputError, match=r"metrics/a/claims.json at workspace: not JSON"):
        diff.main("HEAD")


def test_what_is_missing_is_one_line(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    diff.main("HEAD", "HEAD~1", "b")
    assert capsys.readouterr().out == "b: no committed metrics at HEAD\n"
    for revision in ("nowhere", "--output=x", "HEAD:metrics"):
        with pytest.raises(InputError, match="no such revision here"):
            diff.main("HEAD", revision)
    with pytest.raises(InputError, match="say which revision: make diff A="):
        diff.main()
    with pytest.raises(InputError, match="study 'a b': a name is letters"):
        diff.main("HEAD", "", "a b")
    assert list(tree.glob("x*")) == []
