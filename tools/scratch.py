"""A scratch clone of HEAD, in which `make verify` and `make claim` compute again, and its dvc.lock against HEAD's."""

import shutil
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

from distill.core.errors import InputError
from tools import lock


def clone(folder: Path, what: str) -> dict[str, Any]:
    """Put a clone of HEAD in `folder`, in place of an earlier one; return HEAD's dvc.lock."""
    if not lock.has_git():
        raise InputError("it recomputes what git holds: install git, and run it in a clone; an unpacked archive has only `make repro`")
    text = lock.committed("dvc.lock")
    if not text:
        sys.exit(f"{what}: HEAD has no dvc.lock, so there is nothing to compare with; run `make repro` and commit it first")
    if changed := subprocess.run(["git", "diff", "--name-only", "HEAD"], capture_output=True, text=True, check=True).stdout.split():
        print(f"{what}: HEAD is computed; {len(changed)} files changed here since are not part of it", file=sys.stderr)
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(exist_ok=True)
    subprocess.run(["git", "clone", "--quiet", ".", str(folder)], check=True)
    return lock.parse(text)


def compare(folder: Path, committed: dict[str, Any], what: str, stages: Collection[str] | None = None) -> int:
    """Return the number of outputs, of some stages or all, when each equals the committed one; otherwise list the others and exit 1."""
    fresh, theirs = (lock.only(each, stages) for each in (lock.read(folder / "dvc.lock"), committed))
    total = len(lock.outputs(theirs))
    if differences := lock.compare(fresh, theirs):
        print("\n".join(map(str, differences)))
        sys.exit(f"{what}: {len(differences)} of {total} outputs differ; the copy is kept in {folder}")
    return total
