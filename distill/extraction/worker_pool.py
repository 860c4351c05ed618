"""Reader processes, one a core: each page in a process that can be killed, with limits of time and memory, and named if it fails."""

import multiprocessing
import os
import resource
import signal
import sys
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec
from tqdm import tqdm

from distill.core.errors import InputError
from distill.extraction.boxes import Region

T = TypeVar("T")
PATIENCE = 20  # wall seconds a CPU second: on a busy machine a reader waits, and only one that no longer computes is stopped


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one file may cost."""

    pages: int
    page_seconds: float
    file_seconds: float
    memory_gb: float


class Job(NamedTuple):
    """One page of a file, or a region of it; `number` from 0, -1 for the file as a whole."""

    path: Path
    number: int
    region: Region | None = None

    def __str__(self) -> str:
        return f"{self.path} page {self.number + 1}" if self.number >= 0 else str(self.path)


class Reader:
    """One process and what it is reading."""

    def __init__(self, limits: Limits) -> None:
        self.pool = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), initializer=serve, initargs=(limits.memory_gb,))
        self.process: BaseProcess | None = None
        self.job = Job(Path(), -1)
        self.since = 0.0

    def start(self, job: Job, function: Callable[..., T], args: tuple[Any, ...], seconds: float) -> Future[tuple[T, float]]:
        """Begin a job."""
        before = set(multiprocessing.active_children())
        self.job, self.since = job, time.monotonic()
        future: Future[tuple[T, float]] = self.pool.submit(_timed, seconds, function, job, args)
        self.process = self.process or next(iter(set(multiprocessing.active_children()) - before), None)
        return future

    def died(self, limits: Limits) -> InputError:
        """Say why the process is no more."""
        code: int | None = None
        for _ in range(100):  # the pool's own thread may be the one that learns it first
            code = self.process.exitcode if self.process else None
            if code is not None:
                break
            time.sleep(0.05)
        if code == -signal.SIGPROF:
            return late(self.job, limits.page_seconds, "page_seconds")
        if code in (-signal.SIGKILL, 1):
            return InputError(f"{self.job}: its reader was killed, probably for lack of memory; run again with fewer cores (taskset)")
        name = signal.Signals(-code).name if code and code < 0 else f"exit code {code}"
        allowed = f"damaged, or larger than extract.limits.memory_gb ({limits.memory_gb:g}) allows"
        return InputError(f"{self.job}: its reader crashed ({name}): {allowed}; replace the file, or remove it from the sources")


def late(job: Job, seconds: float, key: str) -> InputError:
    """Say that a page or a file takes too long."""
    return InputError(
        f"{job}: reading took longer than {seconds:g} s; raise extract.limits.{key}, lower extract.ocr_dpi, or remove the file"
    )


def each(
    function: Callable[..., T], jobs: Sequence[Job], args: tuple[Any, ...], limits: Limits, title: str = ""
) -> Iterator[tuple[Job, T]]:
    """Call ``function(job, *args)`` for every job; yield results as they are done, raise the first fault."""
    waiting, busy = deque(jobs), dict[Future[tuple[T, float]], Reader]()
    idle = [Reader(limits) for _ in range(min(len(jobs), cores()))]
    everyone, spent = list(idle), defaultdict[Path, float](float)
    try:
        with tqdm(total=len(jobs), desc=title, unit="page", file=sys.stderr, disable=not title) as bar:
            while waiting or busy:
                while waiting and idle:
                    reader = idle.pop()
                    busy[reader.start(waiting.popleft(), function, args, limits.page_seconds)] = reader
                for future in _next(busy, limits):
                    reader = busy.pop(future)
                    try:
                        result, seconds = future.result()
                    except BrokenProcessPool:
                        raise reader.died(limits) from None
                    idle.append(reader)
                    spent[reader.job.path] += seconds
                    if spent[reader.job.path] > limits.file_seconds:
                        raise late(Job(reader.job.path, -1), limits.file_seconds, "file_seconds")
                    bar.update()
                    yield reader.job, result
    finally:
        for reader in everyone:
            if reader in busy.values() and reader.process:
                reader.process.kill()
            reader.pool.shutdown(cancel_futures=True)


def _next(busy: dict[Future[tuple[T, float]], Reader], limits: Limits) -> list[Future[tuple[T, float]]]:
    """Return the futures that are done; where one has been at work for far too long, name it."""
    first = min(reader.since for reader in busy.values())
    done, _ = wait(busy, timeout=max(first + PATIENCE * limits.page_seconds - time.monotonic(), 0), return_when=FIRST_COMPLETED)
    if not done:
        raise late(min(busy.values(), key=lambda reader: reader.since).job, limits.page_seconds, "page_seconds")
    return sorted(done, key=lambda future: busy[future].since)


def _timed(seconds: float, function: Callable[..., T], job: Job, args: tuple[Any, ...]) -> tuple[T, float]:
    """Run one job in its reader; the system ends a process that has used more than `seconds` of CPU time."""
    started = time.process_time()
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        return function(job, *args), time.process_time() - started
    except MemoryError:
        raise InputError(f"{job}: too large for extract.limits.memory_gb; raise it, lower extract.ocr_dpi, or remove the file") from None
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def serve(memory_gb: float) -> None:
    """Prepare a reader: Ctrl-C is its parent's to handle, its memory is limited, and it does not outlive its parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_DATA, (int(memory_gb * 2**30), resource.getrlimit(resource.RLIMIT_DATA)[1]))
    threading.Thread(target=_leave, daemon=True).start()


def _leave() -> None:
    if parent := multiprocessing.parent_process():
        parent.join()
        os._exit(1)


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
