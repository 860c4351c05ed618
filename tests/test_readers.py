"""Reader processes: results in any number, and one line that names the page where one hangs, dies, hoards memory or faults."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from distill.core.errors import InputError
from distill.extraction import worker_pool
from distill.extraction.worker_pool import Job, Limits

LIMITS = Limits(pages=9, page_seconds=0.5, file_seconds=60.0, memory_gb=0.5)
PAGE = Job(Path("2011 FS.pdf"), 2)


def _double(job: Job, by: int) -> int:
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
    assert {job.number: result for job, result in worker_pool.each(_double, jobs, (3,), LIMITS)} == {index: 3 * index for index in range(7)}


def test_nothing_to_do_starts_nothing() -> None:
    assert list(worker_pool.each(_double, [], (3,), LIMITS)) == []


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
        list(worker_pool.each(function, [PAGE], (), LIMITS))
    assert "\n" not in str(fault.value)


def test_a_file_may_not_take_too_long_in_all() -> None:
    jobs = [Job(Path("slow.pdf"), index) for index in range(5)]
    with pytest.raises(InputError, match=r"^slow.pdf: reading took longer than 0.3 s; raise extract.limits.file_seconds"):
        list(worker_pool.each(_work, jobs, (), Limits(9, 5.0, 0.3, 0.5)))


def test_a_reader_that_no_longer_computes_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_pool, "PATIENCE", 3)
    with pytest.raises(InputError, match=r"page 3: reading took longer than 0.5 s"):
        list(worker_pool.each(_asleep, [PAGE], (), LIMITS))


def _asleep(job: Job) -> None:
    time.sleep(60)
