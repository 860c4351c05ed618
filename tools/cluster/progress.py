"""What a run on a cluster says: who joined, who left and why, cells done, running and failed, and the time that is left."""

import time
from collections import defaultdict
from collections.abc import Callable, Collection
from typing import Any

from tools.cluster.orders import Answer


class Progress:
    """Counts cells and prints a line for each that ends."""

    def __init__(self, cells: Collection[str], say: Callable[[str], None]) -> None:
        self.cells, self.say = cells, say
        self.done: dict[str, str] = {}  # cell -> its block of dvc.lock
        self.failed: dict[str, str] = {}  # cell -> why
        self.computed = 0
        self.running: dict[str, str] = {}  # cell -> worker
        self.workers: set[str] = set()
        self._seconds = defaultdict[str, list[float]](list)  # stage -> of its cells that were computed

    def hear(self, event: tuple[float, dict[str, Any]]) -> None:
        """Take what a worker says."""
        worker = event[1]["worker"]
        if "cell" in event[1]:
            self.running[event[1]["cell"]] = worker
        elif "joined" in event[1]:
            self.workers.add(worker)
            self.say(f"{worker} joined: {event[1]['joined']}")
        elif "left" in event[1]:
            self.workers.discard(worker)
            self.say(f"{worker} is refused: {event[1]['left']}")

    def ended(self, cell: str, answer: Answer | None, error: str = "") -> None:
        """Count a cell that ended, and say so."""
        worker = self.running.pop(cell, "a worker")
        if answer:
            self.done[cell] = answer.block
            self.computed += answer.ran
            if answer.ran:
                self._seconds[cell.partition("@")[0]].append(answer.seconds)
            what = f"{'computed' if answer.ran else 'found'} in {answer.seconds:.1f} s by {worker}"
        else:
            self.failed[cell] = error
            what = f"failed on {worker}: {error}"
        left = f", about {_words(self.left())} left" if self.left() else ""
        counts = f"{len(self.done)} of {len(self.cells)} cells done, {len(self.running)} running, {len(self.failed)} failed{left}"
        self.say(f"{time.strftime('%H:%M:%S')} {counts}: {cell} {what}")

    def left(self) -> float:
        """Return the seconds that are left, by the means of the stages' cells so far; 0 where nothing is known."""
        known = [seconds for each in self._seconds.values() for seconds in each]
        if not known:
            return 0.0
        total = 0.0
        for cell in self.cells:
            if cell not in self.done and cell not in self.failed:
                own = self._seconds.get(cell.partition("@")[0], known)
                total += sum(own) / len(own)
        return total / max(1, len(self.running))


def _words(seconds: float) -> str:
    """Return a length of time in words.

    >>> _words(40), _words(4000)
    ('40 s', '67 min')
    """
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
