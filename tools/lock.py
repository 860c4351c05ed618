"""What dvc.lock says of two runs: which outputs differ, and whether the stage that made them saw the same inputs."""

import shutil
import subprocess
from collections.abc import Collection
from pathlib import Path
from typing import Any, NamedTuple

import yaml

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times faster, where the wheel has it


class Difference(NamedTuple):
    """One output that is not the same in two locks."""

    path: str
    stage: str
    ours: str  # hash; "" where the output is not there
    theirs: str
    same_inputs: bool  # the stage's command, dependencies and parameters are equal: it gave other bytes from the same inputs

    def __str__(self) -> str:
        if not self.ours or not self.theirs:
            return f"{self.path}: only {'here' if self.ours else 'in HEAD'} (stage {self.stage})"
        why = "the same inputs gave other bytes" if self.same_inputs else "its inputs differ too"
        return f"{self.path}: {self.ours[:8]}, in HEAD {self.theirs[:8]} (stage {self.stage}: {why})"


def outputs(lock: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """Return path -> (hash, stage) of every output in a parsed dvc.lock."""
    stages = lock.get("stages") or {}
    return {out["path"]: (out.get("md5", ""), name) for name, stage in stages.items() for out in stage.get("outs", [])}


def only(lock: dict[str, Any], stages: Collection[str] | None) -> dict[str, Any]:
    """Return a parsed dvc.lock with the entries of these stages alone; None: as it is."""
    if stages is None:
        return lock
    return lock | {"stages": {name: entry for name, entry in (lock.get("stages") or {}).items() if name in stages}}


def of_studies(lock: dict[str, Any], studies: Collection[str]) -> list[str]:
    """Return the names of these studies' entries in a parsed dvc.lock: STAGE@STUDY, or STAGE@STUDY-ARM-SEED.

    >>> of_studies({"stages": {"fetch@a": {}, "train@a-r1-1": {}, "fetch@b": {}}}, ["a"])
    ['fetch@a', 'train@a-r1-1']
    """
    heads = tuple(f"{study}-" for study in studies)
    return [name for name in lock.get("stages") or {} if f"{name.partition('@')[2]}-".startswith(heads)]


def compare(ours: dict[str, Any], theirs: dict[str, Any]) -> list[Difference]:
    """Return the outputs in which two parsed locks differ, in the order of `ours`, then of `theirs`."""
    here, there = outputs(ours), outputs(theirs)
    found = []
    for path in [*here, *(path for path in there if path not in here)]:
        (mine, stage), (other, _) = here.get(path, ("", there.get(path, ("", ""))[1])), there.get(path, ("", ""))
        if mine != other:
            found.append(Difference(path, stage, mine, other, _inputs(ours, stage) == _inputs(theirs, stage)))
    return found


def _inputs(lock: dict[str, Any], name: str) -> Any:
    stage = (lock.get("stages") or {}).get(name, {})
    return stage.get("cmd"), {dep["path"]: dep.get("md5") for dep in stage.get("deps", [])}, stage.get("params")


def read(path: Path) -> dict[str, Any]:
    """Parse a dvc.lock; one that is not there is empty."""
    return parse(path.read_text(encoding="utf-8")) if path.exists() else {}


def parse(text: str) -> dict[str, Any]:
    """Parse the text of a dvc.lock, or of another file of DVC."""
    lock: dict[str, Any] = yaml.load(text, LOADER) or {}
    return lock


def has_git(root: Path = Path()) -> bool:
    """Return whether a tree is a git repository and git is installed: an unpacked archive is none."""
    return (root / ".git").exists() and shutil.which("git") is not None


def committed(path: str, root: Path = Path()) -> str:
    """Return the text of a file in HEAD; "" where it is not there."""
    if not has_git(root):
        return ""
    shown = subprocess.run(["git", "show", f"HEAD:{path}"], cwd=root, capture_output=True, text=True, encoding="utf-8")
    return shown.stdout if shown.returncode == 0 else ""
