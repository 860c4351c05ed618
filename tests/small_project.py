"""A project of one small pipeline and three studies, under a git and a DVC of its own."""

import os
import subprocess
import sys
from pathlib import Path

import yaml

from tests.dvc_sandbox import GIT, ROOT, call

PARAMS = "# a comment that must survive\npapers: [a]\ncorpora: [a]\nstudents: [a]   # of these\narms: [r1]\nseeds: [1]\nlong_run: r1\n"
ARM = "{level: r1, protocol: clean, corrected: false, n: 1}"
STUDIES = {
    "a": f"arms: {{r1: {ARM}}}\nrun: {{students: true, arms: [r1], seeds: [1]}}\nword: of-a\n",
    "b": f"arms: {{r1: {ARM}, r2: {ARM}}}\nrun: {{students: true, arms: [r1, r2], seeds: [1, 2]}}\nword: of-b\n",
    "corpus": f"arms: {{r1: {ARM}}}\nrun: {{students: false, arms: [r1], seeds: [1]}}\nword: of-corpus\n",
}
CONFIG = """
[core]
    analytics = false
    check_update = false
    remote = near
['remote "near"']
    url = ../remote
    verify = true
"""
PIPELINE = """
stages:
  paper:
    matrix: {study: "${papers}"}
    cmd: mkdir -p metrics/${item.study} && grep -c . studies/${item.study}.yaml > metrics/${item.study}/paper.json
    params: [{"studies/${item.study}.yaml": [word]}]
    metrics: [{"metrics/${item.study}/paper.json": {cache: false}}]
  fetch:
    matrix: {study: "${corpora}"}
    cmd: mkdir -p data/${item.study} && cp studies/${item.study}.yaml data/${item.study}/raw && sh pause.sh
    params: [{"studies/${item.study}.yaml": [word]}]
    outs: ["data/${item.study}/raw"]
  student:
    matrix: {study: "${students}"}
    cmd: mkdir -p models/${item.study} && echo student > models/${item.study}/student
    outs: ["models/${item.study}/student"]
  train:
    matrix: {study: "${students}", arm: "${arms}", seed: "${seeds}"}
    cmd: cat data/${item.study}/raw models/${item.study}/student > models/${item.study}/${item.arm}-${item.seed}
    deps: ["data/${item.study}/raw", "models/${item.study}/student"]
    outs: ["models/${item.study}/${item.arm}-${item.seed}"]
  report:
    matrix: {study: "${students}"}
    cmd: mkdir -p report/${item.study} && ls models/${item.study} > report/${item.study}/list
    deps: ["models/${item.study}"]
    params: [{"params.yaml": [arms, seeds]}]
    outs: [{"report/${item.study}/list": {cache: false}}]
"""


def make(root: Path) -> Path:
    """Make a small project with two studies; `sh pause.sh` waits while a file `pause` is there."""
    (root / "studies").mkdir(parents=True)
    for name, text in STUDIES.items():
        (root / "studies" / f"{name}.yaml").write_text(text)
    (root / "params.yaml").write_text(PARAMS)
    (root / "dvc.yaml").write_text(PIPELINE)
    (root / "pause.sh").write_text("test -e pause && touch paused\nwhile test -e pause; do sleep 0.05; done\ntrue\n")
    (root / ".gitignore").write_text("/.work/\n/pause\n/paused\n")
    (root / ".dvcignore").write_text(".gitignore\n")
    call(root, "git", "init", "-q")
    call(root, "dvc", "init", "-q")
    (root / ".dvc" / "config").write_text(CONFIG)
    return root


ENVIRONMENT = os.environ | GIT | {"PYTHONPATH": str(ROOT), "PATH": f"{Path(sys.prefix, 'bin')}{os.pathsep}{os.environ['PATH']}"}


def start(root: Path, *rest: str) -> subprocess.Popen[str]:
    """Start `python -m ...` in a project, as the leader of a session."""
    words, pipe = [sys.executable, "-m", *rest], subprocess.PIPE
    return subprocess.Popen(words, cwd=root, env=ENVIRONMENT, stdout=pipe, stderr=pipe, text=True, start_new_session=True)


def do(root: Path, *rest: str) -> subprocess.CompletedProcess[str]:
    """Run `python -m ...` in a project."""
    return subprocess.run([sys.executable, "-m", *rest], cwd=root, env=ENVIRONMENT, capture_output=True, text=True)


def files(root: Path, study: str) -> dict[str, bytes]:
    """Return every file that a study has written."""
    found = {path for top in ("data", "models", "metrics", "report") for path in (root / top / study).rglob("*") if path.is_file()}
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in found if path.name != ".gitignore"}


def entries(root: Path, study: str) -> dict[str, object]:
    """Return a study's entries of dvc.lock."""
    stages = yaml.safe_load((root / "dvc.lock").read_text())["stages"]
    return {name: entry for name, entry in stages.items() if name.partition("@")[2].split("-")[0] == study}


def publish(root: Path) -> Path:
    """Run the pipeline of a project, push its outputs and commit the run; return its root."""
    call(root, "dvc", "repro", "--no-run-cache")
    call(root, "dvc", "push", "-q")
    call(root, "git", "add", ".")
    call(root, "git", "commit", "-q", "-m", "run")
    return root
