"""A small copy of the tree with a DVC of its own, to see what re-runs after an edit."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

from tests.pipeline import ROOT, cells

CODE = (
    "stages",
    "distill",
    "prompts",
    "studies",
    "tools",
    "plots/templates",
    "dvc.yaml",
    "params.yaml",
    ".dvcignore",
    ".gitignore",
)
GIT = {"GIT_AUTHOR_NAME": "t", "GIT_AUTHOR_EMAIL": "t@t", "GIT_COMMITTER_NAME": "t", "GIT_COMMITTER_EMAIL": "t@t"}
BIN = Path(sys.prefix, "bin")

# Stands in for `python -m stages.NAME ...`: writes every output of the cell as a hash of all that the cell depends on.
STUB = """#!{python} -IS
import hashlib, json, pathlib, sys
cell = json.loads(pathlib.Path(".stubs.json").read_text())[" ".join(sys.argv[1:])]
digest = hashlib.sha256()
for name in cell["deps"]:
    path = pathlib.Path(name)
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    for file in files:
        digest.update(file.read_bytes() if file.is_file() and file.name != ".gitignore" else b"")
digest.update(json.dumps([cell["values"], sys.argv[1:]], sort_keys=True).encode())
for name in cell["outs"]:
    path = pathlib.Path(name)
    target = path if path.suffix else path / "stub.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(digest.hexdigest()))
"""


def copy(root: Path, params: dict[str, list[object]] | None = None, source: Path = ROOT) -> Path:
    """Copy the tree's code and studies to `root`, with the given values in params.yaml, under a git and a DVC of its own."""
    root.mkdir(parents=True, exist_ok=True)
    for name in CODE:
        if (source / name).is_dir():
            shutil.copytree(source / name, root / name, ignore=shutil.ignore_patterns("__pycache__", "*.tmp"))
        elif (source / name).exists():
            shutil.copy(source / name, root / name)
    if params:
        values = yaml.safe_load((root / "params.yaml").read_text(encoding="utf-8")) | params
        (root / "params.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    call(root, "git", "init", "-q")
    call(root, "dvc", "init", "-q")
    (root / ".dvc" / "config").write_text("[core]\n    analytics = false\n    check_update = false\n[cache]\n    type = hardlink,copy\n")
    return root


def call(root: Path, *words: str, stubs: bool = False) -> str:
    """Run a command in a copy and return its standard output; the output of one that fails is the error."""
    path = [str(BIN), os.environ["PATH"]]
    if stubs:
        path.insert(0, str(root / ".stubs"))
    environment = os.environ | GIT | {"PATH": os.pathsep.join(path), "DVC_NO_ANALYTICS": "1"}
    done = subprocess.run(words, cwd=root, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(words)}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def repro(root: Path, *targets: str, stubs: bool = False) -> list[str]:
    """Run `dvc repro` in a copy and return the stages that ran, in order; `stubs` replaces every stage by a hash of its inputs."""
    if stubs:
        _write_stubs(root)
    printed = call(root, "dvc", "repro", "--no-run-cache", *targets, stubs=stubs)
    return re.findall(r"Running stage '([^']+)'", printed)


def _write_stubs(root: Path) -> None:
    table = {}
    for cell in cells(root):
        words = " ".join(cell.cmd.split()[1:])
        values = {f"{path}:{key}": _value(root / path, key) for path, keys in cell.params.items() for key in keys}
        table[words] = {"deps": cell.deps, "outs": cell.outs, "values": values}
    (root / ".stubs.json").write_text(json.dumps(table))
    shim = root / ".stubs" / "python"
    shim.parent.mkdir(exist_ok=True)
    shim.write_text(STUB.format(python=sys.executable))
    shim.chmod(0o755)


def _value(path: Path, key: str) -> object:
    value = yaml.safe_load(path.read_text(encoding="utf-8"))
    for part in key.split("."):
        value = value[part]
    return value


def edit(path: Path, old: str, new: str) -> None:
    """Replace `old`, which must stand in the file just once."""
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{path}: {old!r} stands there {text.count(old)} times"
    path.write_text(text.replace(old, new), encoding="utf-8")
