"""A Dask worker's part: its clone, its fingerprint compared with the coordinator's, and the process that computes cells.

The scheduler gives the plugin `Cells` to each worker that joins. A worker that differs, or whose disk is full, says why and leaves.
"""

import contextlib
import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import msgspec
from distributed import Reschedule, Worker, WorkerPlugin, get_worker

from distill.core.errors import InputError
from tools import run_lock
from tools.cluster import clone, fingerprint
from tools.cluster.orders import Answer, CellError, Order

TOPIC = "cells"
FULL = "No space left on device"
TRIES = 3  # of a runner that is killed: not the cell's fault
NANNYS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MALLOC_TRIM_THRESHOLD_")  # that Dask sets and a serial run has not


class Runner:
    """The process that computes cells in a clone, as the leader of a session of its own."""

    def __init__(self, study: str, place: clone.Clone) -> None:
        environment = {name: value for name, value in run_lock.dvc_environment().items() if name not in NANNYS}
        words = [sys.executable, "-m", "tools.cluster.runner", study]
        self.folder = place.folder
        self.process = subprocess.Popen(
            words,
            cwd=place.folder,
            env=environment | {"TOKENIZERS_PARALLELISM": "false", "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
            pass_fds=[place.lock],
        )
        self.fingerprint: dict[str, str] = msgspec.json.decode(self._hear(), type=dict[str, str])

    def ask(self, order: Order) -> Answer:
        """Return the answer to an order; CellError where the process dies of it."""
        try:
            assert self.process.stdin
            self.process.stdin.write(msgspec.json.encode(order) + b"\n")
            self.process.stdin.flush()
        except OSError:
            raise CellError(f"{order.cell}: the process that computes cells was killed") from None
        return msgspec.json.decode(self._hear(), type=Answer)

    def _hear(self) -> bytes:
        assert self.process.stdout
        line = self.process.stdout.readline()
        if not line.endswith(b"\n"):
            self.stop()
            raise CellError(f"the process that computes cells ended with code {self.process.returncode}: {self._last_line()}")
        return line

    def _last_line(self) -> str:
        log = Path(self.folder, ".work", "cells.log")
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
        return next((line.strip()[:300] for line in reversed(lines) if line.strip()), f"{log} is empty")

    def stop(self) -> None:
        """Kill the process and all that it has started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


class Cells(WorkerPlugin):
    """Computes the cells of one study at one commit."""

    idempotent = True

    def __init__(self, study: str, expected: dict[str, str]) -> None:
        self.study, self.expected = study, expected
        self.name = name(study, expected)

    def setup(self, worker: Worker) -> None:
        """Prepare beside the worker's event loop, which has to answer the scheduler meanwhile."""
        self.worker, self.one, self.prepared = worker, threading.Lock(), threading.Event()
        self.left = self.torn_down = False
        self.runner: Runner | None = None
        self.place: clone.Clone | None = None
        threading.Thread(target=self._prepare, daemon=True).start()

    def teardown(self, worker: Worker) -> None:
        """Leave nothing running."""
        self.torn_down = True
        self._let_go()

    def _prepare(self) -> None:
        try:
            if self.worker.state.nthreads != 1:
                raise InputError(f"it has {self.worker.state.nthreads} threads; start it with --nthreads 1")
            self.place = clone.take(self.expected["commit"])
            self.runner = self._started(self.place)
            if self.torn_down:
                return self._let_go()
            if found := fingerprint.difference(self.expected, self.runner.fingerprint):
                raise InputError(f"its results would differ: {found}")
            self._tell(joined=str(self.place.folder))
        except (InputError, CellError, OSError, msgspec.MsgspecError) as error:
            self._leave(str(error))
        finally:
            self.prepared.set()

    def compute(self, order: Order) -> Answer:
        """Compute a cell; one at a time."""
        self.prepared.wait()
        with self.one:
            if self.left or self.torn_down or not self.runner:
                time.sleep(0.5)  # until the scheduler knows
                raise Reschedule
            self._tell(cell=order.cell)
            answer = self._ask(order)
            if FULL in answer.error:
                self._leave(f"{answer.error}; free some space and start it again")
                raise Reschedule
            if answer.error:
                raise CellError(answer.error)
            return answer

    def _ask(self, order: Order) -> Answer:
        """Return the runner's answer, by a new runner where the first is killed."""
        for left in reversed(range(TRIES)):
            try:
                if self.runner and not self.torn_down:
                    return self.runner.ask(order)
            except CellError:
                if not left:
                    raise
            if not self.place or self.torn_down:
                break
            self.runner = self._started(self.place)
        raise CellError(f"{order.cell}: the coordinator has left")

    def _started(self, place: clone.Clone) -> Runner:
        """Return a new runner; one that is killed as it starts is replaced."""
        for _ in range(TRIES - 1):
            with contextlib.suppress(CellError):
                return Runner(self.study, place)
        return Runner(self.study, place)

    def _leave(self, reason: str) -> None:
        self.left = True
        self._tell(left=reason)
        self._let_go()

        async def close() -> None:
            await self.worker.close(reason=reason, executor_wait=False)

        self.worker.loop.call_later(0.5, close)  # after the line above is on its way

    def _let_go(self) -> None:
        """Stop the runner, then leave the clone to another worker."""
        if self.runner:
            self.runner.stop()
        if self.place:
            os.close(self.place.lock)
        self.runner = self.place = None

    def _tell(self, **what: Any) -> None:
        message = {"worker": self.worker.address} | what
        self.worker.loop.add_callback(self.worker.log_event, TOPIC, message)


def name(study: str, expected: dict[str, str]) -> str:
    """Return the plugin's name: another study, commit or engine is another plugin."""
    return f"cells {study} {hashlib.sha256(repr(expected).encode()).hexdigest()[:16]}"


def compute(plugin: str, order: Order) -> Answer:
    """Compute a cell on the worker that runs this."""
    cells = get_worker().plugins.get(plugin)
    if not isinstance(cells, Cells):  # taken away: the coordinator ends
        raise CellError(f"{order.cell}: the coordinator has left")
    return cells.compute(order)
