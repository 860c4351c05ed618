"""One run of DVC at a time in a clone: `python -m tools.run_lock WORDS` is `dvc WORDS` under that lock.

The lock is an flock on .work/running, which DVC inherits: it lasts until the last of both ends, however they end, and leaves nothing stale.
"""

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from distill.cli import command
from distill.core.errors import InputError
from tools import params

RUNNING = Path(".work", "running")  # PROCESS SINCE WHAT, of the last run
NO_GIT = Path(".work", "no_git")  # a DVC configuration for a tree that is no git repository
DVC_LOCKS = Path(".dvc", "tmp", "rwlock")  # DVC's own record of which process reads and writes what
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def exclusive(what: str, path: Path = RUNNING) -> Iterator[int]:
    """Hold the lock of this clone, or another, and yield its file descriptor; InputError where another run holds it."""
    path.parent.mkdir(exist_ok=True)
    with path.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            process, since, other = (*file.read().strip().split(" ", 2), "", "", "")[:3]
            raise InputError(f"`{other}` runs in this clone as process {process} since {since}; wait for its end or stop it") from None
        _note(file.fileno(), os.getpid(), f"{time.strftime('%Y-%m-%dT%H:%M')} {what}")
        if path == RUNNING:
            check_dvc_locks()
        yield file.fileno()


def _note(lock: int, process: int, what: str) -> None:
    os.ftruncate(lock, 0)
    os.write(lock, f"{process} {what}\n".encode())  # opened to append


def check_dvc_locks() -> None:
    """Raise InputError where a DVC that was started otherwise is at work here; remove a record that a kill cut off.

    DVC rewrites the record in place: a kill -9 in between leaves one that no later run can read.
    """
    try:
        record = json.loads(DVC_LOCKS.read_bytes())
    except FileNotFoundError:
        return
    except ValueError:
        DVC_LOCKS.unlink()
        print(f"{DVC_LOCKS} was cut off by a kill; removed", file=sys.stderr)
        return
    holders = [*record.get("write", {}).values(), *(holder for each in record.get("read", {}).values() for holder in each)]
    for holder in holders:
        if holder and _lives(holder["pid"]) and not _ended(holder["pid"]):
            raise InputError(f"`{holder['cmd']}` runs in this clone as process {holder['pid']}; wait for its end or stop it")
    if any(holder and _ended(holder["pid"]) for holder in holders):
        DVC_LOCKS.unlink()  # DVC would wait for it


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _ended(process: int) -> bool:
    """Return whether a process was killed and its parent has not noticed, as in a container whose first process waits for no other."""
    try:
        return Path("/proc", str(process), "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return False


def run_dvc(words: Sequence[str], lock: int, each_line: Callable[[str], None] | None = None) -> int:
    """Run `dvc WORDS` in a process group of its own, which gets the signals that end this process; return its exit code.

    params.yaml is checked first: DVC puts its names into shell commands.
    `each_line` is called with every line of its standard output, which is then a pipe.
    """
    params.read()
    environment = dvc_environment()
    piped: dict[str, Any] = {"stdout": subprocess.PIPE, "encoding": "utf-8", "errors": "replace"} if each_line else {}
    with forwarding() as group:
        process = subprocess.Popen([sys.executable, "-m", "dvc", *words], env=environment, pass_fds=[lock], process_group=0, **piped)
        group(process.pid)
        what = RUNNING.read_text(encoding="utf-8").strip().partition(" ")[2]
        _note(lock, process.pid, what)
        if each_line and process.stdout:
            with process.stdout as lines:
                for line in lines:
                    each_line(line)
        return process.wait()


def dvc_environment() -> dict[str, str]:
    """Return the environment for DVC: this Python first on the PATH, and no git asked for where there is no repository."""
    folder = os.path.dirname(sys.executable)
    path = os.environ["PATH"].split(os.pathsep)
    environment = os.environ | {"PATH": os.pathsep.join(path if folder in path else [folder, *path])}
    if Path(".git").exists():
        return environment
    NO_GIT.mkdir(parents=True, exist_ok=True)
    (NO_GIT / "config").write_text("[core]\n    no_scm = true\n", encoding="utf-8")
    return environment | {"DVC_SYSTEM_CONFIG_DIR": str(NO_GIT.resolve())}


@contextmanager
def forwarding() -> Iterator[Callable[[int], None]]:
    """Send signals on to a process group, once the yielded function has named it."""
    groups: list[int] = []
    early: list[int] = []

    def forward(number: int, frame: FrameType | None) -> None:
        early.append(number)
        for group in groups:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(group, number)

    def name(group: int) -> None:
        groups.append(group)
        for number in list(early):
            os.killpg(group, number)

    before = {number: signal.signal(number, forward) for number in SIGNALS}
    try:
        yield name
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def orderly_end() -> Iterator[None]:
    """Let SIGTERM and SIGHUP raise SystemExit in the block, so that its `finally` clauses run, as for Ctrl-C."""

    def leave(number: int, frame: FrameType | None) -> NoReturn:
        sys.exit(128 + number)

    before = {number: signal.signal(number, leave) for number in SIGNALS[1:]}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def main(*words: str) -> None:
    """Run `dvc WORDS` as the only one in this clone."""
    with exclusive(" ".join(["dvc", *words])) as lock:
        code = run_dvc(words, lock)
    sys.exit(code)


if __name__ == "__main__":
    command.guarded("dvc", lambda: main(*sys.argv[1:]))
