"""`python -m tools.cluster.runner STUDY` computes cells in a worker's clone, the current folder.

It writes its fingerprint, then reads one order a line on standard input and writes one answer a line on standard output. What cells print
goes to .work/cells.log. When its input ends it kills whatever it has started, and itself: a killed worker leaves no cell behind.
"""

import logging
import os
import queue
import signal
import sys
import threading
import time
from pathlib import Path
from typing import IO

import msgspec
from dvc.cli import main as dvc
from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc.stage import Stage

from distill.core.errors import InputError
from tools import run_lock
from tools.cluster import exchange, fingerprint, lock_text
from tools.cluster.orders import Answer, Order

LOG = Path(".work", "cells.log")
LOCK, PARAMS = Path("dvc.lock"), Path("params.yaml")
RAN = "Running stage '"


def main(study: str) -> None:
    """Serve until standard input ends."""
    orders, answers = _own_pipes()
    logging.getLogger("dvc").setLevel(logging.INFO)
    waiting: queue.SimpleQueue[Order] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(orders, waiting), daemon=True).start()
    _say(answers, fingerprint.here(study))
    while True:
        _say(answers, _answer(waiting.get()))


def _own_pipes() -> tuple[IO[bytes], IO[bytes]]:
    """Return standard input and output, which no cell inherits: cells read nothing and write to the log."""
    orders, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    LOG.parent.mkdir(exist_ok=True)
    for number, path, mode in ((0, Path(os.devnull), "rb"), (1, LOG, "ab"), (2, LOG, "ab")):
        with path.open(mode) as file:
            os.dup2(file.fileno(), number)
    return orders, answers


def _read(orders: IO[bytes], waiting: "queue.SimpleQueue[Order]") -> None:
    for line in orders:
        waiting.put(msgspec.json.decode(line, type=Order))
    os.killpg(os.getpgrp(), signal.SIGKILL)


def _say(answers: IO[bytes], what: object) -> None:
    answers.write(msgspec.json.encode(what) + b"\n")
    answers.flush()


def _answer(order: Order) -> Answer:
    started, position = time.monotonic(), LOG.stat().st_size
    try:
        block, error = compute(order), ""
    except (InputError, DvcException, OSError) as fault:
        block, error = "", " ".join(str(fault).split())
    printed = LOG.read_bytes()[position:].decode(errors="replace")
    if error:
        error = f"{error}: {_last(printed)}" if RAN in printed else error
    elif RAN in printed:
        print(f"Pushed '{order.cell}' and its run-cache entry", flush=True)
    return Answer(block, RAN in printed, time.monotonic() - started, error)


def _last(printed: str) -> str:
    """Return the last line that the cell itself printed."""
    lines = [line for line in printed.splitlines() if line.strip() and not line.startswith("ERROR: failed to reproduce")]
    return lines[-1].strip()[:300] if lines else ""


def compute(order: Order) -> str:
    """Bring what a cell reads, compute it unless the remote has its outputs, push them; return its block of dvc.lock."""
    run_lock.DVC_LOCKS.unlink(missing_ok=True)  # of a runner that was killed: nobody else works in this clone
    PARAMS.write_text(order.params, encoding="utf-8")
    own = order.blocks.get(order.cell, "")
    LOCK.write_text(lock_text.join(order.blocks), encoding="utf-8")
    with exchange.open_repo(order.remote) as repo:
        exchange.bring(repo, [stage(repo, name) for name in order.needs])
        if entry := exchange.known_entry(repo, stage(repo, order.cell)):
            own = lock_text.block(order.cell, entry)
    if own:
        LOCK.write_text(lock_text.join(order.blocks | {order.cell: own}), encoding="utf-8")
        with exchange.open_repo(order.remote) as repo:
            try:
                exchange.bring(repo, [stage(repo, order.cell)])
            except exchange.Damaged:
                raise
            except InputError:
                pass  # not there any more: computed
    if dvc(["repro", "--single-item", order.cell]):
        raise InputError(f"{order.cell} failed")
    with exchange.open_repo(order.remote) as repo:
        done = stage(repo, order.cell)
        exchange.push(repo, [done])
        exchange.push_entry(repo, done)
    return lock_text.parse(LOCK.read_text(encoding="utf-8"))[order.cell]


def stage(repo: Repo, cell: str) -> Stage:
    """Return a cell as DVC's stage, with what dvc.lock says of it."""
    return repo.stage.load_one(name=cell)


if __name__ == "__main__":
    main(*sys.argv[1:])
