"""Comparison of many pairs: what our grammar leaves open goes to math-verify, in processes that can be killed."""

import contextlib
import multiprocessing
import re
import signal
import time
from collections import deque
from collections.abc import Iterable
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from tqdm import tqdm

from distill.answers.answer_key import read_key
from distill.answers.equality import decide, formed
from distill.answers.expression_parser import prose
from distill.answers.final_answer import notation
from distill.core.errors import InputError

Pair = tuple[str, str]  # (gold, answer), in this order: the library is not symmetric

START_LIMIT = 120.0  # seconds for a process to import math-verify, on a machine that is busy
PATIENCE = (
    20  # a comparison may take this many times its limit by the clock, its limit being processor time: another's load changes no verdict
)
_FAILURES = (ValueError, TypeError, ArithmeticError, AttributeError, LookupError, RuntimeError, AssertionError, MemoryError)
_COMMANDS = {
    "π": "\\pi ",
    "±": "\\pm ",
    "≤": "\\le ",
    "≥": "\\ge ",
    "−": "-",
    "×": "\\times ",
    "·": "\\cdot ",
    "*": "\\cdot ",
    "∞": "\\infty ",
}


def compare(pairs: Iterable[Pair], limit: float, memory: int, workers: int) -> dict[Pair, bool | None]:
    """Decide each distinct pair once; None = not within `limit` seconds of processor time and `memory` MiB, or without a reading."""
    verdicts = {pair: decide(*pair) for pair in sorted(set(pairs))}
    hard = {pair: (read_key(pair[0]).gold, pair[1]) for pair, verdict in verdicts.items() if verdict is None}
    hard = {pair: bare for pair, bare in hard.items() if not any(_beyond(text) for text in bare)}
    found = symbolic(sorted(set(hard.values())), limit, memory, workers)
    for pair, bare in hard.items():
        verdicts[pair] = found[bare] and formed(read_key(pair[0]).form, notation(pair[1]))
    return verdicts


def _beyond(text: str) -> bool:
    """Return whether the library would misread a text: of words it makes products, of "21 1" it takes the first number."""
    bare = notation(text)
    return len(text) > 500 or prose(bare) or re.search(r"(?<![\w_])\d+\s+[\d.](?!\d*/)", re.sub("√", " ", bare)) is not None


class _Worker:
    """A process that compares one pair at a time."""

    def __init__(self, limit: float, memory: int) -> None:
        context = multiprocessing.get_context(
            "forkserver"
        )  # nothing of ours inherited; math-verify imported once, so a replacement is there at once
        context.set_forkserver_preload(["math_verify"])
        self.pipe, theirs = context.Pipe()
        self.process: BaseProcess = context.Process(target=_serve, args=(theirs, limit, memory), daemon=True)
        self.process.start()
        theirs.close()
        self.pair: Pair | None = None
        self.started = False
        self.deadline = time.monotonic() + START_LIMIT

    def give(self, pair: Pair, limit: float) -> None:
        self.pair, self.deadline = pair, time.monotonic() + PATIENCE * limit
        with contextlib.suppress(OSError):  # it died while idle: seen when its pipe is read
            self.pipe.send(pair)

    def stop(self) -> None:
        self.process.kill()
        self.process.join()
        self.pipe.close()


def symbolic(pairs: list[Pair], limit: float, memory: int, workers: int) -> dict[Pair, bool | None]:
    """Compare pairs by math-verify; a process over its limit is killed, its pair undecided, and another takes its place."""
    waiting, verdicts = deque(pairs), dict.fromkeys(pairs)
    pool = [_Worker(limit, memory) for _ in range(min(workers, len(pairs)))]
    try:
        with tqdm(total=len(pairs), unit="pair", desc="math-verify", disable=not pairs) as bar:
            while pool:
                ready = wait([worker.pipe for worker in pool], max(0.0, min(worker.deadline for worker in pool) - time.monotonic()))
                for worker in list(pool):
                    if worker.pipe in ready or worker.deadline <= time.monotonic():
                        bar.update(worker.pair is not None)
                        pool.remove(worker)
                        pool += _next(worker, worker.pipe in ready, waiting, verdicts, limit, memory)
    finally:
        for worker in pool:
            worker.stop()
    return verdicts


def _next(
    worker: _Worker, spoke: bool, waiting: deque[Pair], verdicts: dict[Pair, bool | None], limit: float, memory: int
) -> list[_Worker]:
    """Take what a worker has to say, or its silence; return it with its next pair, its replacement, or nothing when all is done."""
    try:
        said = worker.pipe.recv() if spoke else None
        alive = spoke
    except (EOFError, OSError):  # killed by its memory limit or by a fault inside the library
        said, alive = None, False
    if not alive and not worker.started:
        worker.stop()
        raise InputError(
            f"math-verify did not start (exit code {worker.process.exitcode}); run `python -c 'import math_verify'` to see why"
        )
    worker.started = True
    if worker.pair:
        verdicts[worker.pair], worker.pair = said, None
    if not alive or not waiting:
        worker.stop()
        return [_Worker(limit, memory)] if waiting else []
    worker.give(waiting.popleft(), limit)
    return [worker]


def _serve(pipe: Connection, limit: float, memory: int) -> None:
    """Answer pairs until the pipe closes."""
    import logging
    import resource

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's
    import math_verify  # noqa: F401  before the limits, so that they bound the comparison alone

    logging.disable(logging.CRITICAL)
    with contextlib.suppress(ValueError, OSError):  # macOS has no such limit
        resource.setrlimit(resource.RLIMIT_AS, (memory << 20, memory << 20))
    pipe.send(None)
    with contextlib.suppress(EOFError, OSError):
        while True:
            pair = pipe.recv()
            signal.setitimer(signal.ITIMER_PROF, limit)  # processor time; its signal ends this process, in native code too
            verdict = math_verify_equal(*pair)
            signal.setitimer(signal.ITIMER_PROF, 0)
            pipe.send(verdict)


def math_verify_equal(gold: str, answer: str) -> bool | None:
    """Compare by math-verify in this process; None where either has no reading. Runs in a worker only: it may not end."""
    from math_verify import LatexExtractionConfig, parse, verify

    try:
        left, right = (
            parse(f"${latex(text)}$", [LatexExtractionConfig()], fallback_mode="no_fallback", parsing_timeout=None, raise_on_error=True)
            for text in (gold, answer)
        )
        return bool(verify(left, right, timeout_seconds=None, raise_on_error=True)) if left and right else None
    except _FAILURES:  # the library meets text it was not made for
        return None


def latex(text: str) -> str:
    """Return an answer as math-verify wants it: it reads 20√21 as 20, and 20\\sqrt{21} right."""
    text = re.sub(r"√\s*\(([^()]*)\)", r"\\sqrt{\1}", text.strip().strip("$"))
    text = re.sub(r"√\s*\{", r"\\sqrt{", text)
    text = re.sub(r"√\s*(\d+|[A-Za-z])", r"\\sqrt{\1}", text)
    text = re.sub(r"(?<![\\A-Za-z])(sin|cos|tan|cot|sec|csc|log|ln|exp)(?![A-Za-z])", r"\\\1", text)
    for sign, command in _COMMANDS.items():
        text = text.replace(sign, command)
    return text
