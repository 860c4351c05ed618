"""A clone over its life: removed arms and seeds, plots without a network, an archive without git, a broken environment."""

import configparser
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.dvc_sandbox import ROOT, call
from tests.small_project import do, make
from tools import plots

LAYOUT = """
stages:
  curate:
    matrix: {study: "${corpora}", arm: "${arms}"}
    cmd: mkdir -p data/${item.study}/corpus/${item.arm} && echo x > data/${item.study}/corpus/${item.arm}/train.jsonl
    outs: ["data/${item.study}/corpus/${item.arm}"]
  train:
    matrix: {study: "${students}", arm: "${arms}", seed: "${seeds}"}
    cmd: mkdir -p models/${item.study}/adapters && echo x > models/${item.study}/adapters/${item.arm}-${item.seed}
    outs: ["models/${item.study}/adapters/${item.arm}-${item.seed}"]
  sample:
    matrix: {study: "${students}", arm: "${arms}", seed: "${seeds}"}
    cmd: mkdir -p data/${item.study}/completions && echo x > data/${item.study}/completions/${item.arm}-${item.seed}.jsonl.gz
    outs: ["data/${item.study}/completions/${item.arm}-${item.seed}.jsonl.gz"]
"""


@pytest.mark.dvc
def test_tidy_removes_what_no_longer_runs_and_nothing_else(tmp_path: Path) -> None:
    root = make(tmp_path / "tree")
    (root / "dvc.yaml").write_text(LAYOUT)
    values = {"papers": [], "corpora": ["b"], "students": ["b"], "arms": ["r1", "r2"], "seeds": [1, 2], "long_run": "r1"}
    (root / "params.yaml").write_text(yaml.safe_dump(values))
    call(root, "dvc", "repro", "--no-run-cache")
    (root / "params.yaml").write_text(yaml.safe_dump(values | {"corpora": ["a"], "students": ["a"], "arms": ["r1"], "seeds": [1]}))
    call(root, "dvc", "repro", "--no-run-cache")
    assert do(root, "tools.tidy").stdout.startswith("0 removed")  # section `run` of b names all of its files
    (root / "params.yaml").write_text(yaml.safe_dump(values | {"arms": ["r2"], "seeds": [2]}))
    (root / "models/b/adapters/mine").mkdir()
    done = do(root, "tools.tidy")
    assert done.returncode == 0, done.stderr
    gone = {"data/b/corpus/r1"}
    for cell in ("r1-1", "r1-2", "r2-1"):
        gone |= {f"models/b/adapters/{cell}", f"data/b/completions/{cell}.jsonl.gz"}
    assert set(re.findall(r"^removed: (.*)$", done.stdout, re.MULTILINE)) == gone
    assert [path for path in gone if (root / path).exists()] == []
    assert "kept: models/b/adapters/mine: " in done.stdout
    kept = ["data/b/corpus/r2", "data/b/completions/r2-2.jsonl.gz", *(f"models/{name}" for name in ("b/adapters/r2-2", "b/adapters/mine"))]
    assert [path for path in [*kept, "models/a/adapters/r1-1"] if not (root / path).exists()] == []
    assert "up to date" in call(root, "dvc", "status")


@pytest.mark.dvc
def test_plots_need_no_network(tmp_path: Path) -> None:
    root = make(tmp_path / "tree")
    (root / "t.csv").write_text("x,y\n1,2\n")
    (root / "dvc.yaml").write_text("plots:\n  - one: {x: x, y: {t.csv: y}}\n")
    done = do(root, "tools.plots")
    assert (done.returncode, done.stdout) == (0, "plots: .work/plots/index.html\n"), done.stderr
    page = (root / ".work/plots/index.html").read_text(encoding="utf-8")
    assert "window.vegaEmbed=" in page
    assert "vegaEmbed(" in page.split("</script>", 1)[1]
    assert re.findall(r"<(?:script|link)[^>]*(?:src|href)=", page) == []
    refused = do(root, "tools.plots", "--open").stderr
    assert refused == "plots: '--open': a revision does not begin with -; for example: make plots REV=HEAD~1\n"


def test_dvcs_own_pages_are_filled_from_the_committed_template_with_the_pinned_scripts() -> None:
    assert (ROOT / ".dvc" / "plots.html").read_text(encoding="utf-8") == plots.template(), "run `python -m tools.plots template`"
    config = configparser.ConfigParser()
    config.read(ROOT / ".dvc" / "config")
    assert config["plots"]["html_template"] == "plots.html"


@pytest.mark.dvc
def test_an_archive_without_git_runs_the_main_job_and_says_what_is_left_out(tmp_path: Path) -> None:
    root = make(tmp_path / "tree")
    call(root, "dvc", "repro", "--no-run-cache")
    call(root, "dvc", "push", "-q")
    for name in (".git", "data", "models", ".dvc/cache", ".dvc/tmp"):
        shutil.rmtree(root / name)
    done = do(root, "tools.repro")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "compared: nothing, git is not installed, or this folder is no clone: there is no HEAD"
    assert "pulled from the remote (student)" in done.stdout
    assert do(root, "tools.study", "pull").returncode == 0
    refused = do(root, "tools.verify")
    assert refused.returncode == 2
    assert refused.stderr.startswith("verify: it recomputes what git holds: install git, and run it in a clone")
    assert len(refused.stderr.splitlines()) == 1


def _setup(folder: Path) -> subprocess.CompletedProcess[str]:
    words = ["sh", str(ROOT / "tools" / "setup.sh")]
    environment = os.environ | {"PYTHON": "/nowhere/python3"}
    return subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True)


def test_an_environment_whose_python_does_not_start_is_made_again(tmp_path: Path) -> None:
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / "requirements-dev.txt").write_text("x==1\n")
    python = tmp_path / ".venv" / "bin" / "python"
    python.write_text("#!/bin/sh\nexit 127\n")
    python.chmod(0o755)
    total = subprocess.run("cksum < requirements-dev.txt", shell=True, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    (tmp_path / ".venv" / "stamp").write_text(f"requirements-dev.txt {total}")
    assert _setup(tmp_path).stderr.startswith("setup: Python 3.11 or newer is needed")  # it looks for one to make it with
    python.unlink()
    python.symlink_to(sys.executable)
    assert _setup(tmp_path).returncode == 0


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / ".work").write_text("")  # root may write everywhere; a file in the way stops root too
    done = _setup(tmp_path)
    assert done.returncode == 1
    assert done.stderr == f"setup: {tmp_path}: this folder cannot be written; copy it to one of yours, or change its permissions\n"
