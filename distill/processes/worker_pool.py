"""Worker processes that can be killed: each task under limits of processor time and memory, each dead worker replaced.

What became of a task is a value for the caller to judge. Only an InputError that the function raises is raised here as well.
"""

import contextlib
import importlib
import multiprocessing
import os
import resource
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from multiprocessing.connection import Connection, wait
from typing import Any, Generic, NamedTuple, TypeVar

from distill.core.errors import InputError

T = TypeVar("T")
R = TypeVar("R")
START_SECONDS = 120.0  # for a process to start and import, on a busy machine
WALL_FACTOR = 20  # wall seconds a processor second: on a busy machine a worker waits, and only one that no longer computes is stopped


class Limits(NamedTuple):
    """What one task may cost."""

    seconds: float  # of processor time
    memory: int  # bytes of a worker's data


class Outcome(NamedTuple, Generic[R]):
    """What became of a task: its value, or why there is none."""

    value: R | None
    seconds: float = 0.0  # processor time
    failure: str = ""  # time, memory, killed, or how the process ended (SIGSEGV, exit code 1)


def run(
    function: Callable[[T], R], tasks: Sequence[T], limits: Limits, workers: int, preload: str = ""
) -> Generator[tuple[T, Outcome[R]], None, None]:
    """Call ``function(task)`` for every task; yield outcomes as they come. `preload` is imported once, before the limits apply.

    Close the iterator to kill the workers (`contextlib.closing`) where it is not read to its end.
    """
    waiting = deque(tasks)
    pool = [_Worker(function, limits, preload) for _ in range(min(workers, len(tasks)))]
    try:
        while pool:
            ready = wait([worker.pipe for worker in pool], max(0.0, min(worker.deadline for worker in pool) - time.monotonic()))
            for worker in [each for each in pool if each.pipe in ready or each.deadline <= time.monotonic()]:
                outcome = worker.receive(worker.pipe in ready)
                if worker.task is not None:
                    yield worker.task, outcome
                if outcome.failure or not waiting:
                    pool.remove(worker)
                    worker.stop()
                    if waiting:
                        pool.append(_Worker(function, limits, preload))
                else:
                    worker.give(waiting.popleft(), limits)
    finally:
        for worker in pool:
            worker.stop()


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Worker:
    """A process that does one task at a time."""

    def __init__(self, function: Callable[[Any], Any], limits: Limits, preload: str) -> None:
        context = multiprocessing.get_context("forkserver")  # nothing of ours is inherited, and a replacement is there at once
        context.set_forkserver_preload([preload] if preload else [])
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, function, limits, preload), daemon=True)
        self.process.start()
        theirs.close()
        self.preload, self.started = preload, False
        self.task: Any = None  # the one that it is doing
        self.deadline = time.monotonic() + START_SECONDS

    def give(self, task: Any, limits: Limits) -> None:
        self.task, self.deadline = task, time.monotonic() + WALL_FACTOR * limits.seconds
        with contextlib.suppress(OSError):  # it died while idle: seen when its pipe is read
            self.pipe.send(task)

    def receive(self, spoke: bool) -> Outcome[Any]:
        """Return what the worker says of its task; of one that is silent or dead, why."""
        try:
            said: Outcome[Any] | InputError = self.pipe.recv() if spoke else Outcome(None, failure="time")
        except (EOFError, OSError):
            said = Outcome(None, failure=self._death())
        if isinstance(said, InputError):
            raise said
        if said.failure and not self.started:
            self.stop()
            remedy = f"run `python -c 'import {self.preload}'` to see why" if self.preload else "see its error above"
            raise InputError(f"a worker process did not start (exit code {self.process.exitcode}); {remedy}")
        self.started = True
        return said

    def _death(self) -> str:
        self.process.join()
        code = self.process.exitcode or 0
        known = {-signal.SIGPROF: "time", -signal.SIGKILL: "killed"}
        return known.get(code) or (signal.Signals(-code).name if code < 0 else f"exit code {code}")

    def stop(self) -> None:
        self.process.kill()
        self.process.join()
        self.pipe.close()


def _serve(pipe: Connection, function: Callable[[Any], Any], limits: Limits, preload: str) -> None:
    """Do tasks until the pipe closes; Ctrl-C is the parent's to handle."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if preload:
        importlib.import_module(preload)
    with contextlib.suppress(ValueError, OSError):  # macOS has no such limit
        resource.setrlimit(resource.RLIMIT_DATA, (limits.memory, resource.getrlimit(resource.RLIMIT_DATA)[1]))
    pipe.send(Outcome(None))
    with contextlib.suppress(EOFError, OSError):
        while True:
            pipe.send(_outcome(function, pipe.recv(), limits.seconds))


def _outcome(function: Callable[[Any], Any], task: Any, seconds: float) -> "Outcome[Any] | InputError":
    """Do one task; the system ends a process that uses more than `seconds` of processor time, in native code too."""
    started = time.process_time()
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        return Outcome(function(task), time.process_time() - started)
    except InputError as error:
        return error
    except MemoryError:
        return Outcome(None, failure="memory")
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def _end_with_parent() -> None:
    if parent := multiprocessing.parent_process():
        parent.join()
        os._exit(1)
