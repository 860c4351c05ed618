"""Cells on workers: the lock of a serial run, after kills too; who is refused, and what never enters a workspace."""

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from ctypes.util import find_library
from pathlib import Path

import psutil
import pytest

from tests import cluster_project as project
from tools import lock
from tools.cluster import fingerprint, graph, lock_text
from tools.cluster.orders import Answer
from tools.cluster.progress import Progress
from tools.pipeline import Cell

pytest.importorskip("distributed")
STAGES = {
    "student": {"outs": ["models/student"]},
    "train": {"outs": ["models/adapters/1"]},
    "sample": {"outs": ["data/completions/1", {"metrics/sample.json": {"cache": False}}]},
    "grade": {"outs": ["data/verdicts"]},
}
CELLS = [
    Cell("student@a", "student", "", [], {}, ["models/student"], {"study": "a"}),
    Cell("train@a-1", "train", "", ["models/student/weights"], {}, ["models/adapters/1"], {"study": "a", "seed": 1}),
    Cell("sample@a-1", "sample", "", ["models/adapters/1"], {}, ["data/completions/1"], {"study": "a", "seed": 1}),
    Cell("grade@a", "grade", "", ["data/completions", "models/adapters"], {}, ["data/verdicts"], {"study": "a"}),
]
LOCK = "schema: '2.0'\nstages:\n  b@x-1:\n    cmd: a: 'b'\n    outs:\n    - path: c\n  a@x:\n    cmd: d\n"


def test_cells_that_the_run_cache_restores_are_handed_out() -> None:
    assert [cell.name for cell in graph.handed_out(CELLS, STAGES)] == ["train@a-1"]


def test_a_dependency_is_an_output_or_lies_in_one_or_holds_some() -> None:
    found = graph.upstream(CELLS, CELLS)
    assert found == {"student@a": [], "train@a-1": ["student@a"], "sample@a-1": ["train@a-1"], "grade@a": ["sample@a-1", "train@a-1"]}


def test_the_blocks_of_a_lock_make_up_its_text() -> None:
    blocks = lock_text.parse(LOCK)
    assert list(blocks) == ["b@x-1", "a@x"]
    assert lock_text.join(blocks) == LOCK
    assert lock_text.parse("") == {}
    with pytest.raises(ValueError, match=r"dvc\.lock begins with"):
        lock_text.parse("schema: '3.0'\n")


def test_new_entries_stand_in_the_order_of_a_serial_run() -> None:
    after = dict.fromkeys(["old", "sample", "train", "grade"], "")
    assert list(lock_text.in_serial_order(["gone", "old"], after, ["train", "old", "sample", "grade"])) == [
        "old",
        "train",
        "sample",
        "grade",
    ]


def test_a_difference_is_one_line() -> None:
    ours, theirs = {"mlx": "1", "kernels": "Haswell"}, {"mlx": "2", "kernels": "Haswell"}
    assert fingerprint.difference(ours, theirs) == "mlx is 2 there, 1 here"
    assert fingerprint.difference(ours, ours) == ""


def test_the_time_left_is_of_the_stages_that_are_left() -> None:
    lines: list[str] = []
    progress = Progress(["train@1", "train@2", "sample@1"], lines.append)
    progress.hear((0.0, {"worker": "tcp://w", "joined": "/clone"}))
    for cell in ("train@1", "train@2"):
        progress.hear((0.0, {"worker": "tcp://w", "cell": cell}))
    progress.ended("train@1", Answer("block", True, 30.0))
    assert progress.left() == 60.0  # train@2 as long as train@1, sample as long as any
    assert lines[-1].endswith("1 of 3 cells done, 1 running, 0 failed, about 60 s left: train@1 computed in 30.0 s by tcp://w")


@pytest.fixture(scope="module")
def serial(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of 8 cells for workers, and beside it `serial`, a clone that ran without any."""
    root = tmp_path_factory.mktemp("cluster")
    tree = project.make(root / "tree", str(root / "none"), arms=2, seeds=2, nap=0.3)
    done = project.do(project.clone(tree, root / "serial"), "tools.study", "run", project.STUDY)
    assert done.returncode == 0, done.stderr
    return root / "serial"


@pytest.fixture
def clone(serial: Path, tmp_path: Path) -> Path:
    """A fresh clone of the project, with a remote of its own."""
    root = project.clone(serial.with_name("tree"), tmp_path / "clone")
    (root / ".dvc" / "config.local").write_text(f"['remote \"shared\"']\n    url = {tmp_path / 'remote'}\n")
    return root


def below(process: int, what: str) -> list[psutil.Process]:
    """Return the processes below one whose command line has a text."""
    found = []
    for each in psutil.Process(process).children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            if what in " ".join(each.cmdline()):
                found.append(each)
    return found


EIGHT = [f"{stage}@toy-r{arm}-{seed}" for stage in ("sample", "train") for arm in (0, 1) for seed in (0, 1)]


class Ends:
    """Processes that are killed when a test ends, with all that they have started."""

    def __init__(self) -> None:
        self.processes: list[subprocess.Popen[str]] = []

    def __call__(self, process: "subprocess.Popen[str]") -> "subprocess.Popen[str]":
        self.processes.append(process)
        return process

    def stop(self) -> None:
        for process in self.processes:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


@pytest.fixture
def ends() -> Iterator[Ends]:
    processes = Ends()
    yield processes
    processes.stop()


def until(run: "subprocess.Popen[str]", text: str) -> str:
    """Read what a run prints up to a line with a text, and return that line."""
    assert run.stdout
    lines = []
    for line in run.stdout:
        lines.append(line)
        if text in line:
            return line
    raise AssertionError("".join(lines) + run.communicate()[1])


def free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])


def kill_in_turn(process: int, kinds: Sequence[str], killed: list[str]) -> None:
    """Kill -9 one process of each kind below another, as soon as there is one, at random moments."""
    rng = random.Random(1)
    for kind in kinds:
        while not (victims := below(process, kind)):
            time.sleep(0.2)
        rng.choice(victims).kill()
        killed.append(kind)
        time.sleep(rng.uniform(0.5, 3))


@pytest.mark.dvc
def test_a_stopped_run_and_killed_workers_leave_the_lock_of_a_serial_run(serial: Path, clone: Path, ends: Ends) -> None:
    words = ("tools.cluster", project.STUDY, "--local", "2")
    run = ends(project.start(clone, *words))
    until(run, "cells done")
    started = below(run.pid, "")
    os.killpg(run.pid, signal.SIGINT)  # as Ctrl-C does
    assert run.communicate()[1].endswith("cluster: interrupted; run it again to continue from what is kept in .work/\n")
    assert run.returncode == 130
    assert psutil.wait_procs(started, timeout=30)[1] == []  # nothing is left running

    run = ends(project.start(clone, *words))
    until(run, "joined")
    killed: list[str] = []
    kinds = ("sh cell.sh", "tools.cluster.runner", "spawn_main")  # a cell, the process that runs cells, a worker
    threading.Thread(target=kill_in_turn, args=(run.pid, kinds, killed), daemon=True).start()
    printed, error = run.communicate()
    assert run.returncode == 0, printed + error
    assert killed == [*kinds]
    assert project.results(clone) == project.results(serial)
    assert project.finished([clone]) == EIGHT  # each once: no finished cell runs again
    assert len(project.ran([clone])) <= 8 + 2 + len(kinds)  # those that ran when they were stopped or killed


@pytest.mark.dvc
def test_a_lost_scheduler_a_worker_that_differs_and_a_damaged_object(serial: Path, clone: Path, tmp_path: Path, ends: Ends) -> None:
    port = free_port()
    address = f"tcp://127.0.0.1:{port}"
    scheduler = ("dask", "scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard")
    worker = ("dask", "worker", address, "--host", "127.0.0.1", "--nthreads", "1", "--no-nanny", "--no-dashboard")

    first = ends(project.start(clone, *scheduler))
    run = ends(project.start(clone, "tools.cluster", project.STUDY, "--scheduler", address))
    ends(project.start(clone, *worker, MLX_BLAS=find_library("m") or "libm.so.6"))
    assert "its results would differ: blas is " in until(run, "is refused")
    ends(project.start(clone, *worker))
    until(run, "2 of 8 cells done")
    first.kill()
    until(run, "the scheduler is away")
    ends(project.start(clone, *scheduler))
    last = ends(project.start(clone, *worker))
    error = run.communicate()[1]
    assert run.returncode == 0, error
    assert project.results(clone) == project.results(serial)
    assert project.finished([clone]) == EIGHT

    other = project.clone(clone, tmp_path / "other")
    shutil.copy(clone / ".dvc" / "config.local", other / ".dvc" / "config.local")
    md5 = lock.outputs(lock.read(clone / "dvc.lock"))["data/toy/completions/r1-1"][0]
    damaged = tmp_path / "remote" / "files" / "md5" / md5[:2] / md5[2:]
    damaged.chmod(0o644)
    damaged.write_text("tampered\n")
    damaged.chmod(0o444)  # DVC looks again at objects that can be written
    last.kill()
    ends(project.start(other, *worker))  # which has nothing in its cache
    done = project.do(other, "tools.cluster", project.STUDY, "--scheduler", address)
    assert done.returncode == 1, done.stderr
    assert "7 of 8 cells done, 0 computed, 1 failed" in done.stdout
    assert done.stderr.splitlines()[-1] == (
        f"sample@toy-r1-1: data/toy/completions/r1-1: object {md5} of the remote is not what its name says; "
        "remove it there and run it again"
    )
    assert not (other / "data" / "toy" / "completions" / "r1-1").exists()
