"""The template runs as it is, every stage, through DVC: the study that `make new-study` begins with works before its first edit."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.dvc_sandbox import BIN, GIT, copy


@pytest.mark.dvc
def test_the_template_runs_from_its_exams_to_its_report(tmp_path: Path) -> None:
    root = copy(tmp_path / "tree")
    before = (root / "params.yaml").read_bytes()
    environment = os.environ | GIT | {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    for words in (
        ["tools.new_study", "mine"],
        ["tools.check_study", "mine"],
        ["tools.study", "run", "mine"],
        ["tools.study", "status", "mine"],
    ):
        done = subprocess.run([sys.executable, "-m", *words], cwd=root, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, f"{words}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    assert "up to date" in done.stdout
    assert (root / "params.yaml").read_bytes() == before
    summary = json.loads((root / "metrics" / "mine" / "summary.json").read_text())
    assert set(summary["arms"]) == {"base", "r1", "answer"}
    assert set(json.loads((root / "metrics" / "mine" / "claims.json").read_text())) == {"distilled_above_base", "cot_beats_answer"}
    assert (root / "report" / "mine" / "report.md").is_file()
