"""A project whose cells take as long as its file `nap` says, and its copies: run serially, and with workers."""

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.dvc_sandbox import GIT, ROOT, call

STUDY = "toy"
PARAMS = "papers: []\ncorpora: [a]\nstudents: [a]\narms: [r1]\nseeds: [1]\nlong_run: r1\n"
CONFIG = """
[core]
    analytics = false
    check_update = false
    remote = shared
['remote "shared"']
    url = {url}
"""
PIPELINE = """
stages:
  fetch:
    matrix: {study: "${corpora}"}
    cmd: sh cell.sh data/${item.study}/raw studies/${item.study}.yaml
    params: [{"studies/${item.study}.yaml": [word]}]
    outs: ["data/${item.study}/raw"]
  curate:
    matrix: {study: "${corpora}", arm: "${arms}"}
    cmd: sh cell.sh data/${item.study}/corpus/${item.arm}/train data/${item.study}/raw
    deps: ["data/${item.study}/raw"]
    params: [{"studies/${item.study}.yaml": ["arms.${item.arm}"]}]
    outs: ["data/${item.study}/corpus/${item.arm}"]
  student:
    matrix: {study: "${students}"}
    cmd: sh cell.sh models/${item.study}/student/weights cell.sh
    outs: ["models/${item.study}/student"]
  train:
    matrix: {study: "${students}", arm: "${arms}", seed: "${seeds}"}
    cmd: sh cell.sh models/${item.study}/adapters/${item.arm}-${item.seed}/weights models/${item.study}/student/weights data/${item.study}/corpus/${item.arm}/train
    deps: [cell.sh, "models/${item.study}/student", "data/${item.study}/corpus/${item.arm}"]
    params: [{"studies/${item.study}.yaml": [rate]}]
    outs: ["models/${item.study}/adapters/${item.arm}-${item.seed}"]
  base:
    matrix: {study: "${students}"}
    cmd: sh cell.sh data/${item.study}/completions/base models/${item.study}/student/weights
    deps: [cell.sh, "models/${item.study}/student"]
    outs: ["data/${item.study}/completions/base"]
  sample:
    matrix: {study: "${students}", arm: "${arms}", seed: "${seeds}"}
    cmd: sh cell.sh data/${item.study}/completions/${item.arm}-${item.seed} models/${item.study}/adapters/${item.arm}-${item.seed}/weights
    deps: [cell.sh, "models/${item.study}/student", "models/${item.study}/adapters/${item.arm}-${item.seed}"]
    outs: ["data/${item.study}/completions/${item.arm}-${item.seed}"]
  summarise:
    matrix: {study: "${students}"}
    cmd: sh cell.sh metrics/${item.study}/summary.json data/${item.study}/completions/* && sh cell.sh plots/${item.study}/table.csv cell.sh
    deps: ["data/${item.study}/completions"]
    params: [{"params.yaml": [arms, seeds]}]
    metrics: [{"metrics/${item.study}/summary.json": {cache: false}}]
    outs: [{"plots/${item.study}/table.csv": {cache: false}}]
"""  # noqa: E501
CELL = """mkdir -p "$(dirname "$1")"
test -e "$BROKEN" && echo "cell: the study is wrong" >&2 && exit 2
case "$1" in *adapters*|*completions*) sleep "$(cat nap)";; esac
out="$1"; shift
{ echo "$out"; cat "$@"; } | cksum > "$out"
"""


def make(root: Path, remote: str, arms: int, seeds: int, nap: float = 0.0) -> Path:
    """Make a project of 2 x arms x seeds cells for workers, committed and never run."""
    names = [f"r{number}" for number in range(arms)]
    record = "{level: r1, protocol: clean, corrected: false, n: 1}"
    rows = "".join(f"  {name}: {record}\n" for name in names)
    runs = f"run: {{students: true, arms: [{', '.join(names)}], seeds: {list(range(seeds))}}}\n"
    (root / "studies").mkdir(parents=True)
    (root / "studies" / f"{STUDY}.yaml").write_text(f"arms:\n{rows}{runs}word: raw\nrate: 1\n")
    (root / "studies" / "a.yaml").write_text(f"arms: {{r1: {record}}}\nword: raw\nrate: 1\n")
    (root / "params.yaml").write_text(PARAMS)
    (root / "dvc.yaml").write_text(PIPELINE)
    (root / "cell.sh").write_text(CELL)
    (root / "nap").write_text(f"{nap}\n")
    (root / ".gitignore").write_text("/.work/\n")
    (root / ".dvcignore").write_text(".gitignore\n.work/\n")
    call(root, "git", "init", "-q")
    call(root, "dvc", "init", "-q")
    (root / ".dvc" / "config").write_text(CONFIG.format(url=remote))
    call(root, "git", "add", ".")
    call(root, "git", "commit", "-q", "-m", "project")
    return root


def clone(root: Path, target: Path) -> Path:
    """Return a fresh clone of a project."""
    call(root, "git", "clone", "-q", str(root), str(target))
    return target


def environment() -> dict[str, str]:
    """Return that of a command in a project: this tree's modules, this Python's programs."""
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH", "")])])
    return os.environ | GIT | {"PYTHONPATH": path, "PATH": f"{Path(sys.prefix, 'bin')}{os.pathsep}{os.environ['PATH']}"}


def start(root: Path, *words: str, **settings: str) -> subprocess.Popen[str]:
    """Start `python -m WORDS` in a project, as the leader of a session."""
    pipe = subprocess.PIPE
    line = [sys.executable, "-m", *words]
    return subprocess.Popen(line, cwd=root, env=environment() | settings, stdout=pipe, stderr=pipe, text=True, start_new_session=True)


def do(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run `python -m WORDS` in a project."""
    return subprocess.run([sys.executable, "-m", *words], cwd=root, env=environment(), capture_output=True, text=True, check=False)


def results(root: Path) -> dict[str, bytes]:
    """Return dvc.lock and every output of the study."""
    found = [path for top in ("data", "models", "metrics", "plots") for path in (root / top).rglob("*") if path.is_file()]
    paths = [root / "dvc.lock", *(path for path in found if path.name != ".gitignore")]
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in paths}


def ran(roots: Sequence[Path], line: str = r"Running stage '(.+)':") -> list[str]:
    """Return the cells that the workers below some projects say such a line of, once for each time."""
    logs = [path for root in roots for path in (root / ".work" / "cluster" / "clones").glob("*/.work/cells.log")]
    return [name for path in logs for name in re.findall(f"^{line}", path.read_text(errors="replace"), re.MULTILINE)]


def finished(roots: Sequence[Path]) -> list[str]:
    """Return the cells that were computed and pushed, once for each time."""
    return sorted(ran(roots, r"Pushed '(.+)' and"))
