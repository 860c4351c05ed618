"""A worker's own clone of the repository that it was started in, at the coordinator's commit.

Clones are kept in .work/cluster/clones, with their caches, for the next worker of this machine. A clone serves one worker at a time: the
lock beside it is inherited by the worker's runner, and lasts until the last of both ends.
"""

import fcntl
import itertools
import os
import shutil
import socket
import subprocess
from pathlib import Path
from typing import NamedTuple

from distill.core.errors import InputError

CLONES = Path(".work", "cluster", "clones")


class Clone(NamedTuple):
    """A clone that this worker holds."""

    folder: Path
    lock: int  # file descriptor


def take(commit: str) -> Clone:
    """Return the first clone of this machine that no worker holds, at a commit; make one where all are held."""
    CLONES.mkdir(parents=True, exist_ok=True)
    for number in itertools.count():
        folder = (CLONES / f"{socket.gethostname()}-{number}").resolve()
        lock = os.open(f"{folder}.lock", os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            continue
        _check_out(folder, commit)
        return Clone(folder, lock)
    raise AssertionError


def _check_out(folder: Path, commit: str) -> None:
    if not (folder / ".git").exists():
        temporary = folder.with_name(f"{folder.name}.tmp")
        shutil.rmtree(temporary, ignore_errors=True)
        _git(Path.cwd(), "clone", "--quiet", "--no-checkout", ".", str(temporary))
        temporary.rename(folder)
    (folder / ".git" / "index.lock").unlink(missing_ok=True)  # of a worker that was killed
    _git(folder, "fetch", "--quiet", "origin", "HEAD", "+refs/heads/*:refs/remotes/origin/*")
    try:
        _git(folder, "checkout", "--quiet", "--force", "--detach", commit)
    except InputError:
        raise InputError(f"commit {commit} is not in {Path.cwd()} on {socket.gethostname()}; fetch it there: git pull") from None


def _git(folder: Path, *words: str) -> None:
    done = subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise InputError(f"git {words[0]} failed in {folder}: {(done.stderr.strip().splitlines() or ['no message'])[-1]}")
