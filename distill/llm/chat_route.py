"""The chat route: many calls to one endpoint at once, each tried until it is answered and stored, within a budget.

All runs in the caller's thread: an event loop turns while the caller waits for the next result.
"""

import asyncio
import signal
import sqlite3
import sys
import threading
from collections import deque
from collections.abc import Iterator
from functools import partial
from itertools import islice
from random import Random
from time import perf_counter

from distill.core.errors import InputError
from distill.llm.batch_queue import in_flight_keys
from distill.llm.budget import Cost, max_cost, paid
from distill.llm.client import Client, RequestError
from distill.llm.concurrency_limiter import ConcurrencyLimiter
from distill.llm.progress import Progress, Reasons
from distill.llm.request import Answer, Failure, Request, body, canonical, key
from distill.llm.route import Dialogue, Dialogues, Route, T

_WINDOW = 16  # dialogues at work for each call that may be in flight: how far the others run ahead of a slow one, as results come in order


class ChatRoute(Route):
    """Calls sent one by one. The first Ctrl-C waits for the calls in flight and stores them, the second quits."""

    def run(self, dialogues: Dialogues[T], total: int | None = None) -> Iterator[T]:
        """As in Route."""
        self._loop = asyncio.new_event_loop()
        self._client: Client | None = None  # made for the first call that is sent: a replay needs no key
        self._limiter = ConcurrencyLimiter(self.endpoint, Random())  # not seeded: two processes at one limit should not step together
        self._calls: dict[str, asyncio.Task[Answer]] = {}  # not answered yet, by key
        self._flying = set[asyncio.Task[Answer]]()  # of these, in flight; the others wait for their turn
        self._settled = asyncio.Event()
        self._error: BaseException | None = None
        self._stopped, self._interrupts, self._answered = False, 0, 0
        self._in_vain = Reasons()  # attempts without a whole response, by reason
        self._progress = Progress(total, self.role, self.store)
        rest, window = dialogues(), deque[asyncio.Task[T]]()
        if threading.current_thread() is threading.main_thread():
            self._loop.add_signal_handler(signal.SIGINT, self._interrupt)
        try:
            while True:
                for dialogue in islice(rest, _WINDOW * self.endpoint.concurrency - len(window)):
                    window.append(self._loop.create_task(self._hold(dialogue)))
                if not window:
                    break
                first = window.popleft()
                self._loop.run_until_complete(asyncio.wait({first}))
                if self._error:
                    raise self._error
                if self._interrupts:
                    raise KeyboardInterrupt
                self._progress.update()
                yield first.result()
        finally:
            self._end()
            self._progress.close(self._in_vain)

    async def _hold(self, dialogue: Dialogue[T]) -> T:
        """Run one dialogue to its end."""
        try:
            calls = next(dialogue)
            while True:
                begun = [self._begin(*call) for call in calls]
                answers = [await each if isinstance(each, asyncio.Task) else each for each in begun]
                self._progress.count(answers)
                calls = dialogue.send(answers)
        except StopIteration as end:
            result: T = end.value
            return result
        except Exception as error:
            self._fail(error)
            raise asyncio.CancelledError from None

    def _begin(self, request: Request, sample: int) -> Answer | asyncio.Task[Answer]:
        """Return a call's answer, or the task that will have it: one for equal calls."""
        name = key(request, sample)
        if (answer := self.known(name)) is not None:
            return answer
        if self._stopped:
            raise asyncio.CancelledError
        if name not in self._calls:
            if not self._client:
                self.prepare(request.model)
                self._client, self._batched = Client(self.endpoint), in_flight_keys(self.store)
            if name in self._batched:
                raise InputError(
                    f"{self.role}: this call is one of {len(self._batched)} in batches that have not ended; set {self.role}.batch until"
                    f" these are collected, or cancel them at {self.endpoint.base_url} and run so once"
                )
            task = self._calls[name] = self._loop.create_task(self._send(self._client, name, request, sample))
            task.add_done_callback(partial(self._done, name))
        return self._calls[name]

    def _done(self, name: str, task: asyncio.Task[Answer]) -> None:
        del self._calls[name]
        if not task.cancelled():
            task.exception()  # seen: its dialogues raise it

    def _fail(self, error: Exception) -> None:
        """Stop everything: an error of one call is one of all."""
        if isinstance(error, sqlite3.Error):
            error = InputError(f"{self.store.path}: {error}; what was stored is whole: fix the cause and run again")
        self._error = self._error or error
        self._stop()

    async def _send(self, client: Client, name: str, request: Request, sample: int) -> Answer:
        """Try a call until it is answered, and store the response."""
        task: asyncio.Task[Answer] = asyncio.current_task()  # type: ignore[assignment]
        price = self.endpoint.price(request.model)
        most = max_cost(price, body(request, sample), images=sum(image.tokens for image in request.images))
        tries = limited = 0
        while True:
            entered = await self._limiter.enter()
            try:
                attempt = await self._reserve(name, most)
                self._flying.add(task)
                began = perf_counter()
                response = await client.call(request, sample)
                cost = paid(price, (response.prompt_tokens, response.completion_tokens))
                seconds, attempts = perf_counter() - began, tries + limited + 1
                self.store.put(attempt, canonical(request, sample), response, cost, seconds, attempts, "chat")
                self.used.add(bytes.fromhex(name))
                self._answered += 1
                self._limiter.answered()
                return response
            except RequestError as error:
                self._settle(error, paid(price, error.usage), attempt, entered)
                limited += error.kind == "rate"
                tries += error.kind != "rate"
                if error.kind == "refused" or tries >= self.endpoint.attempts:
                    self.failed[name] = Failure(error.reason, error.detail)
                    return self.failed[name]
                delay = max(self._limiter.delay(tries - 1), error.after) if error.kind == "again" else 0.0
            finally:
                self._flying.discard(task)
                self._limiter.leave()
                self._settled.set()  # wakes the calls that wait for the budget
                self._settled = asyncio.Event()
            if self._stopped:
                raise asyncio.CancelledError
            await asyncio.sleep(delay)

    async def _reserve(self, name: str, most: Cost) -> int:
        """Wait until the budget allows the most that a call can cost; an InputError where no call is in flight that could make room."""
        while (attempt := self.store.reserve(name, most, self.limit)) is None:
            if not self._flying:
                raise self.used_up(f"the next call may cost ${most.dollars:.4f} ({most.tokens} tokens)")
            await self._settled.wait()
        return attempt

    def _settle(self, error: RequestError, cost: Cost | None, attempt: int, entered: float) -> None:
        """Note a failed attempt in the store and at the limiter; an InputError where no further call can succeed."""
        self._in_vain.add(error.reason)
        if error.paid:
            self.store.lose(attempt, error.reason, error.partial, cost)
        else:
            self.store.release(attempt)
        if error.kind == "rate":
            silence = self._limiter.limited(entered, error.after)
        else:
            silence = self._limiter.failed(entered, bool(error.partial))
        end = f"{self._answered} answers of this run are stored: run it again to go on"
        if error.kind == "stop":
            raise InputError(f"{self.endpoint.base_url}: {error.detail}; {end}")
        if silence >= self.endpoint.outage_timeout:
            last = f"{error.reason} the last ({error.detail})"
            raise InputError(f"{self.endpoint.base_url} is down: nothing but failures for {silence:.0f} s, {last}; {end}")

    def _stop(self) -> None:
        """Send nothing more; calls in flight go on to the end of their attempt, unless the user wants out."""
        self._stopped = True
        for task in self._calls.values():
            if task not in self._flying or self._interrupts > 1:
                task.cancel()

    def _end(self) -> None:
        """Let the calls in flight be stored, and close the loop."""
        self._stop()
        if self._flying:
            self._loop.run_until_complete(asyncio.wait(self._flying))
        for task in (tasks := asyncio.all_tasks(self._loop)):
            task.cancel()
        self._loop.run_until_complete(asyncio.wait(tasks) if tasks else asyncio.sleep(0))
        if self._client:
            self._loop.run_until_complete(self._client.close())
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    def _interrupt(self) -> None:
        """Ctrl-C: stop, and at the second give up the calls in flight. Nothing is raised here, where the event loop would swallow it."""
        self._interrupts += 1
        if self._interrupts == 1:
            text = f"{len(self._flying)} calls in flight are waited for and stored; Ctrl-C again gives them up"
            print(f"\n{self.role}: stopping; {text}", file=sys.stderr, flush=True)
        self._stop()
