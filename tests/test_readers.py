"""Reader processes: results in any number, and one line that names the page where one hangs, dies, hoards memory or faults."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from distill.core.errors import InputError
from distill.extraction import page_jobs
from distill.extraction.page_jobs import Job, Limits
from distill.processes import worker_pool

LIMITS = Limits(pages=9, page_seconds=0.5, file_seconds=60.0, memory_gb=0.5)
PAGE = Job(Path("2011 FS.pdf"), 2)


def _times(job: Job, by: int) -> int:
    return by * job.number


def _spin(job: Job) -> None:
    while True:
        pass


def _abort(job: Job) -> None:
    os.abort()


def _killed(job: Job) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _hoard(job: Job) -> int:
    return len(bytearray(2**30))


def _fault(job: Job) -> None:
    raise InputError(f"{job}: damaged PDF")


def _work(job: Job) -> None:
    begun = time.process_time()
    while time.process_time() - begun < 0.2:
        pass


def test_every_job_has_its_result(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_pool, "cores", lambda: 2)
    jobs = [Job(Path("a.pdf"), index) for index in range(7)]
    assert page_jobs.run(partial(_times, by=3), jobs, LIMITS) == {job: 3 * job.number for job in jobs}


def test_nothing_to_do_starts_nothing() -> None:
    assert page_jobs.run(partial(_times, by=3), [], LIMITS) == {}


@pytest.mark.parametrize(
    ("function", "message"),
    [
        pytest.param(_spin, r"reading took longer than 0.5 s; raise extract.limits.page_seconds", id="endless"),
        pytest.param(_abort, r"its reader crashed \(SIGABRT\)", id="crash"),
        pytest.param(_killed, "its reader was killed, probably for lack of memory", id="killed"),
        pytest.param(_hoard, "too large for extract.limits.memory_gb", id="memory"),
        pytest.param(_fault, "damaged PDF", id="fault"),
    ],
)
def test_a_page_that_fails_is_named(function: Callable[[Job], object], message: str) -> None:
    with pytest.raises(InputError, match=rf"^2011 FS.pdf page 3: {message}") as fault:
        page_jobs.run(function, [PAGE], LIMITS)
    assert "\n" not in str(fault.value)


def test_a_file_may_not_take_too_long_in_all() -> None:
    jobs = [Job(Path("slow.pdf"), index) for index in range(5)]
    with pytest.raises(InputError, match=r"^slow.pdf: reading took longer than 0.3 s; raise extract.limits.file_seconds"):
        page_jobs.run(_work, jobs, Limits(9, 5.0, 0.3, 0.5))


def test_a_reader_that_no_longer_computes_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_pool, "WALL_FACTOR", 3)
    with pytest.raises(InputError, match=r"page 3: reading took longer than 0.5 s"):
        page_jobs.run(_asleep, [PAGE], LIMITS)


def _asleep(job: Job) -> None:
    time.sleep(60)


def _or_die(number: int) -> int:
    if number == 2:
        os.abort()
    return os.getpid()


def test_a_task_that_kills_its_worker_costs_only_itself() -> None:
    found = dict(worker_pool.run(_or_die, range(5), worker_pool.Limits(5.0, 2**30), 1))
    assert {number: outcome.failure for number, outcome in found.items()} == {0: "", 1: "", 2: "SIGABRT", 3: "", 4: ""}
    assert found[0].value == found[1].value != found[3].value == found[4].value


def test_a_worker_that_does_not_start_is_named() -> None:
    with pytest.raises(InputError, match=r"did not start \(exit code 1\); run `python -c 'import no_such_module'` to see why"):
        list(worker_pool.run(_or_die, [1], worker_pool.Limits(5.0, 2**30), 1, preload="no_such_module"))


PARENT = """
import os
from distill.processes import worker_pool
from tests.test_readers import _tell
next(worker_pool.run(_tell, [1], worker_pool.Limits(60.0, 2**30), 1))
"""


def _tell(number: int) -> None:
    print(os.getpid(), flush=True)
    time.sleep(60)


def test_workers_end_with_their_parent() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        worker = int(parent.stdout.readline())
        os.kill(worker, signal.SIGINT)  # Ctrl-C is the parent's to handle
        os.kill(worker, 0)
        parent.kill()
    for _ in range(100):
        with contextlib.suppress(ProcessLookupError):
            os.kill(worker, 0)
            time.sleep(0.05)
            continue
        return
    pytest.fail("the worker outlived its parent")
