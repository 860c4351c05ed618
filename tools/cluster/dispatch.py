"""Cells handed to the workers of a Dask scheduler until all are done or failed."""

import contextlib
import queue
import time
import uuid
from collections.abc import Callable, Mapping, Sequence

from distributed import CancelledError, Client, Future, KilledWorker

from distill.core.errors import InputError
from tools.cluster import graph, worker
from tools.cluster.orders import Order
from tools.cluster.progress import Progress

RETRIES = 2  # of a cell that fails, on whichever worker
KILLS = 3  # times that Dask gives a cell up, each time after it saw several workers die of it
PATIENCE = 600.0  # seconds without a scheduler
ALONE = 60.0  # seconds without a worker, where none but those started here can join
TICK = 2.0  # seconds between two looks at the scheduler


class SchedulerLost(Exception):
    """The scheduler went away with everything that it knew."""


def hand_out(
    connect: Callable[[], Client],
    plugin: worker.Cells,
    needs: Mapping[str, Sequence[str]],
    order: Callable[[str], Order],
    progress: Progress,
    alone: bool,
) -> None:
    """Have all cells of `needs` computed, across restarts of the scheduler; return when each is done, failed, or waits for one that failed.

    `alone`: no worker will join that is not there at the beginning or takes the place of such a one.
    """
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            with connect() as client:
                deadline = time.monotonic() + PATIENCE
                _serve(client, plugin, needs, order, progress, alone)
                return
        except (SchedulerLost, CancelledError, OSError, TimeoutError) as error:
            if time.monotonic() > deadline:
                raise InputError(f"there is no scheduler any more ({error}); what is done is kept: run it again") from None
            progress.say("the scheduler is away; waiting for it")
            time.sleep(TICK)


def _serve(
    client: Client, plugin: worker.Cells, needs: Mapping[str, Sequence[str]], order: Callable[[str], Order], progress: Progress, alone: bool
) -> None:
    """Hand out cells as they become ready, with one scheduler."""
    ended: queue.SimpleQueue[Future] = queue.SimpleQueue()
    begun: dict[str, Future] = {}
    kills: dict[str, int] = {}
    seen = time.monotonic()
    session = uuid.uuid4().hex[:8]
    client.subscribe_topic(worker.TOPIC, progress.hear)
    client.register_plugin(plugin)

    def begin() -> None:
        missing = {name: None for name in progress.cells if name not in progress.done}
        for name in graph.ready(needs, {*begun, *progress.failed}, missing):
            key = f"{name}|{session}|{kills.get(name, 0)}"
            begun[name] = client.submit(worker.compute, plugin.name, order(name), key=key, retries=RETRIES, pure=False)
            begun[name].add_done_callback(ended.put)

    try:
        begin()
        while begun:
            try:
                future = ended.get(timeout=TICK)
            except queue.Empty:
                if client.status != "running":
                    raise SchedulerLost("connection lost") from None
                if client.scheduler_info()["workers"]:
                    seen = time.monotonic()
                elif alone and time.monotonic() - seen > ALONE:
                    raise InputError("no worker is left; what is done is kept: run it again") from None
                continue
            name = str(future.key).partition("|")[0]
            del begun[name]
            if future.status == "finished":
                progress.ended(name, future.result())
            elif future.status != "error":
                raise SchedulerLost("connection lost")
            elif isinstance(error := future.exception(), KilledWorker) and kills.get(name, 0) < KILLS:
                kills[name] = kills.get(name, 0) + 1
            else:
                progress.ended(name, None, str(error))
            begin()
    finally:
        if client.status == "running":
            with contextlib.suppress(OSError, TimeoutError, ValueError):
                client.unregister_worker_plugin(plugin.name)  # stops what still runs
