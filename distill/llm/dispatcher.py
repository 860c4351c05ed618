"""Ask many questions of one endpoint: at once, patiently, within a budget, each paid for once."""

import os
import signal
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from distill.core.errors import InputError
from distill.llm.async_worker import Sender, judged
from distill.llm.budget import BudgetLimit
from distill.llm.call_store import Store
from distill.llm.endpoint_config import Endpoint
from distill.llm.progress import Progress
from distill.llm.request import Failure, Request, Response, key

Asked = tuple[str, Request, int]  # name (a problem's id, a role, what the caller likes; need not be unique), request, sample index
Answered = tuple[str, Response | Failure]

_AHEAD = 100_000  # stored answers noted and not yet yielded, at most: some 250 bytes each


def ask(
    calls: Iterable[Asked], endpoint: Endpoint, store: Store, cap: BudgetLimit, total: int | None = None, label: str = "calls"
) -> Iterator[Answered]:
    """Yield (name, answer) of each call as answers come, in any order; stored ones come from the store and are not sent.

    A response with finish_reason stop or eos is a Response; every other end is a Failure (request.Failure says which are stored). `total`
    is the number of calls, for the progress bar. InputError: no key, no price, the budget is used up, or the endpoint is down; what was
    answered until then has been yielded and is stored. The first Ctrl-C waits for the calls in flight, the second quits.
    """
    flow = _Flow(iter(calls), endpoint, store, cap)
    with Progress(total, label, store) as progress, flow.interruptible(label):
        try:
            for name, answer in flow.answers():
                progress.count(answer, flow.sender)
                yield name, answer
            if flow.interrupted:
                raise KeyboardInterrupt
        finally:
            flow.end()
            progress.close(flow.sender)


class _Flow:
    """The side of the flow that takes calls and hands out answers, in the caller's thread."""

    def __init__(self, calls: Iterator[Asked], endpoint: Endpoint, store: Store, cap: BudgetLimit) -> None:
        self.interrupted = 0
        self._calls: Iterator[Asked] | None = calls
        self._endpoint, self._store, self._cap = endpoint, store, cap
        self.sender: Sender | None = None  # made for the first call that is not stored: what is replayed needs no key
        self._sent: dict[str, list[str]] = {}  # key -> names
        self._stored: deque[tuple[str, str]] = deque()  # name, key

    def answers(self) -> Iterator[Answered]:
        """Yield answers; new calls go out before stored answers are handed over."""
        while True:
            self._feed()
            if self._sent and self.sender and (not self._stored or self.sender.ready()):
                sent, answer = self.sender.result()
                names = self._sent.pop(sent)
                if answer is not None:
                    yield from ((name, answer) for name in names)
            elif self._stored and not self.interrupted:
                name, stored = self._stored.popleft()
                response = self._store.get(stored)
                if response is None:
                    raise InputError(f"{self._store.path}: call {stored[:12]} was taken out while it was read; run it again")
                yield name, judged(response)
            else:
                break
        if self.sender and self.sender.error:
            raise self.sender.error

    def _feed(self) -> None:
        """Take calls while there is room for them."""
        most = 2 * self._endpoint.concurrency  # the second half waits for the caller, or for its turn
        while self._calls and not self.interrupted and len(self._sent) < most and len(self._stored) < _AHEAD:
            if self.sender and self.sender.stopped:
                return
            if (asked := next(self._calls, None)) is None:
                self._calls = None
                return
            name, request, sample = asked
            hashed = key(request, sample)
            if hashed in self._sent:
                self._sent[hashed].append(name)
            elif self._store.holds(hashed):
                self._stored.append((name, hashed))
            else:
                self._endpoint.price(request.model)
                self.sender = self.sender or Sender(self._endpoint, self._store, self._cap)
                self.sender.send(hashed, request, sample)
                self._sent[hashed] = [name]

    def end(self) -> None:
        """Let calls in flight be stored where the caller leaves early, and end the thread."""
        if not self.sender:
            return
        try:
            if self._sent and self.interrupted < 2:
                self.sender.stop()
                while self._sent:
                    self._sent.pop(self.sender.result()[0])
        finally:
            self.sender.close()

    @contextmanager
    def interruptible(self, label: str) -> Iterator[None]:
        """Turn the first Ctrl-C into a stop; the second is a KeyboardInterrupt at once."""

        def handle(number: int, frame: object) -> None:
            self.interrupted += 1
            if self.interrupted > 1:
                raise KeyboardInterrupt
            flying = self.sender.flying if self.sender else 0
            os.write(2, f"\n{label}: stopping; {flying} calls in flight are waited for and stored; Ctrl-C again gives them up\n".encode())
            if self.sender:
                self.sender.stop()

        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = signal.signal(signal.SIGINT, handle)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)
