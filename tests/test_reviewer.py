"""What a reviewer does on a fresh clone, with no account and no cache: pull, check, compare with the commit before."""

import subprocess
from pathlib import Path

import pytest

from tests.dvc_sandbox import ROOT, call


def _in(revision: str) -> bool:
    return subprocess.run(["git", "cat-file", "-e", f"{revision}:dvc.lock"], cwd=ROOT, capture_output=True).returncode == 0


pytestmark = [
    pytest.mark.dvc,
    pytest.mark.skipif(not _in("HEAD"), reason="HEAD has no dvc.lock: no run is committed yet"),
]


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("reviewer") / "clone"
    call(ROOT, "git", "clone", "--quiet", str(ROOT), str(root))
    call(root, "dvc", "pull", "--quiet")
    return root


def test_everything_is_there_after_a_pull(clone: Path) -> None:
    assert "up to date" in call(clone, "dvc", "status")
    assert call(clone, "git", "status", "--porcelain") == ""


def test_nothing_re_runs_after_a_pull(clone: Path) -> None:
    assert "Running stage" not in call(clone, "dvc", "repro", "--no-run-cache")
    assert "equal: all " in call(clone, "python", "-m", "tools.compare_head")


def test_metrics_are_shown_and_nothing_differs_from_head(clone: Path) -> None:
    assert "headline.json" in call(clone, "dvc", "metrics", "show")
    assert [call(clone, "dvc", what, "diff") for what in ("metrics", "params")] == ["", ""]


@pytest.mark.skipif(not _in("HEAD~1"), reason="the commit before HEAD has no dvc.lock to compare with")
@pytest.mark.parametrize("what", ["metrics", "params", "plots"])
def test_the_commit_before_can_be_compared(what: str, clone: Path) -> None:
    call(clone, "dvc", what, "diff", "HEAD~1")
