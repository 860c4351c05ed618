"""The side of the flow that sends: one thread with an event loop; each call is tried until it is answered, stored, and handed over."""

import asyncio
import sqlite3
from collections import Counter
from functools import partial
from queue import Empty, SimpleQueue
from random import Random
from threading import Thread
from time import perf_counter

from distill.core.errors import InputError
from distill.llm.budget import BudgetLimit, Cost, paid, worst
from distill.llm.call_store import Store
from distill.llm.client import Client, RequestError
from distill.llm.concurrency_limiter import Gate
from distill.llm.endpoint_config import Endpoint
from distill.llm.request import WHOLE, Failure, Request, Response

Answer = Response | Failure


class Sender:
    """Sends what it is given, and has one result for each call."""

    def __init__(self, endpoint: Endpoint, store: Store, cap: BudgetLimit) -> None:
        """Take the key from the environment and start; an InputError where it is not set."""
        self._results: SimpleQueue[tuple[str, Answer | None]] = SimpleQueue()
        self.troubles: Counter[str] = Counter()  # attempts without a whole response, by reason
        self.answered = 0  # whole responses
        self.reserved = Cost(0, 0)  # the worst case of the calls in flight
        self.error: BaseException | None = None  # why it stopped, if it did by itself
        self.stopped = False
        self._endpoint, self._store, self._cap, self._client = endpoint, store, cap, Client(endpoint)
        self._gate = Gate(endpoint, Random())  # not seeded: two processes that meet the same limit should not step together
        self._waiting: set[asyncio.Task[Answer]] = set()
        self._flying: set[asyncio.Task[Answer]] = set()
        self._loop = asyncio.new_event_loop()
        self._settled = asyncio.Event()
        self._thread = Thread(target=self._run, name="sender", daemon=True)
        self._thread.start()

    @property
    def flying(self) -> int:
        """Return how many calls are in flight."""
        return len(self._flying)

    def send(self, key: str, request: Request, sample: int) -> None:
        """Take one call."""
        self._loop.call_soon_threadsafe(self._begin, key, request, sample)

    def ready(self) -> bool:
        """Tell whether a result is there."""
        return not self._results.empty()

    def result(self) -> tuple[str, Answer | None]:
        """Wait for the next (key, answer), in any order; the answer is None where the call was given up."""
        while True:
            try:
                return self._results.get(timeout=5.0)
            except Empty:
                if not self._thread.is_alive():
                    raise RuntimeError("the thread that sends has ended") from None

    def stop(self) -> None:
        """Send nothing more; calls in flight go on to their end."""
        self.stopped = True
        self._loop.call_soon_threadsafe(self._halt)

    def close(self) -> None:
        """Give up what is in flight and end the thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=5.0)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
            for task in (tasks := [*self._waiting, *self._flying]):
                task.cancel()
            self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
            self._loop.run_until_complete(self._client.close())
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        finally:
            self._loop.close()

    def _begin(self, key: str, request: Request, sample: int) -> None:
        task = self._loop.create_task(self._answer(key, request, sample))
        self._waiting.add(task)
        task.add_done_callback(partial(self._end, key))
        if self.stopped:
            self._halt()

    def _halt(self) -> None:
        for task in self._waiting:
            task.cancel()
        self._settle()

    def _settle(self) -> None:
        """Wake the calls that wait for the budget."""
        self._settled.set()
        self._settled = asyncio.Event()

    def _end(self, key: str, task: asyncio.Task[Answer]) -> None:
        """Hand over what a call came to: exactly one result; an error of one call stops all."""
        self._waiting.discard(task)
        error = None if task.cancelled() else task.exception()
        if isinstance(error, sqlite3.Error):
            error = InputError(f"{self._store.path}: {error}; what was stored is whole: mend it and run again")
        if error:
            self.error, self.stopped = self.error or error, True
            self._halt()
        self._results.put((key, None if task.cancelled() or error else task.result()))

    async def _answer(self, key: str, request: Request, sample: int) -> Answer:
        task = asyncio.current_task()
        assert task is not None
        price = self._endpoint.price(request.model)
        most, tries, limited = worst(price, request), 0, 0
        while True:
            entered = await self._gate.enter()
            try:
                attempt = await self._reserve(key, most)
                self._waiting.discard(task)
                self._flying.add(task)
                self.reserved += most
                began = perf_counter()
                response = await self._client.call(request, sample)
                cost = paid(price, (response.prompt_tokens, response.completion_tokens))
                self._store.put(attempt, request, sample, response, cost, perf_counter() - began, tries + limited + 1, "chat")
                self.answered += 1
                self._gate.answered()
                return judged(response)
            except RequestError as trouble:
                silence = self._note(trouble, paid(price, trouble.usage), attempt, entered)
                limited += trouble.kind == "rate"
                tries += trouble.kind != "rate"
                self._give_up(trouble, silence)
                if trouble.kind == "refused" or tries >= self._endpoint.attempts:
                    return Failure(trouble.reason, trouble.detail)
                delay = max(self._gate.delay(tries - 1), trouble.after) if trouble.kind == "again" else 0.0
            finally:
                if task in self._flying:
                    self._flying.remove(task)
                    self.reserved -= most
                self._gate.leave()
                self._settle()
            self._waiting.add(task)
            if self.stopped:
                task.cancel()
            await asyncio.sleep(delay)

    async def _reserve(self, key: str, most: Cost) -> int:
        """Wait until the budget allows the worst case; an InputError where no call is left in flight that could make room."""
        while (attempt := self._store.reserve(key, most, self._cap)) is None:
            if not self._flying:
                raise InputError(
                    f"the budget is used up: {_money(self._store.spent())} spent, the next call may cost {_money(most)}, the cap is "
                    f"{self._cap.dollars} dollars and {self._cap.tokens} tokens; answers are stored: raise it under budget: and run again"
                )
            await self._settled.wait()
        return attempt

    def _note(self, trouble: RequestError, cost: Cost | None, attempt: int, entered: float) -> float:
        """Settle a failed attempt in the store and at the gate; return the seconds of nothing but failures."""
        self.troubles[trouble.reason] += 1
        if trouble.paid:
            self._store.lose(attempt, trouble.reason, trouble.partial, cost)
        else:
            self._store.release(attempt)
        if trouble.kind == "rate":
            return self._gate.limited(entered, trouble.after)
        return self._gate.failed(entered, bool(trouble.partial))

    def _give_up(self, trouble: RequestError, silence: float) -> None:
        """Stop everything where no further call can succeed."""
        end = f"{self.answered} answers of this run are stored: run it again to go on"
        if trouble.kind == "stop":
            raise InputError(f"{self._endpoint.base_url}: {trouble.detail}; {end}")
        if silence >= self._endpoint.patience:
            last = f"{trouble.reason} the last ({trouble.detail})"
            raise InputError(f"{self._endpoint.base_url} is down: nothing but failures for {silence:.0f} s, {last}; {end}")


def judged(response: Response) -> Answer:
    """Return a response that ends where the model ended it and says something, or the failure that it is."""
    if response.finish not in WHOLE:
        return Failure(response.finish or "unfinished", f"finish_reason {response.finish or 'missing'}", response)
    return response if response.text else Failure("blank", "reasoning, but no answer after it", response)


def _money(cost: Cost) -> str:
    return f"{cost.dollars:.4f} dollars and {cost.tokens} tokens"
