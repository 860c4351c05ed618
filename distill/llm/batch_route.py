"""The batch route: calls that are not stored are uploaded as files; their answers come hours later, at the batch price.

Batch state (lines, file and job ids) is saved before each API call, so a run that was stopped in any way goes on where it was.
"""

import fcntl
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from tqdm import tqdm

from distill.core.errors import InputError
from distill.llm.batch_api import BatchApi, BatchLine, Ended
from distill.llm.batch_queue import Batch, BatchQueue, Line
from distill.llm.budget import BudgetLimit, paid
from distill.llm.call_store import CallStore
from distill.llm.endpoint_config import Endpoint
from distill.llm.progress import Reasons
from distill.llm.request import Answer, Empty, Malformed, Request, key, parse
from distill.llm.route import Dialogue, Dialogues, Route, T

PERMANENT = ("status-400", "status-401", "status-403", "status-404", "status-413", "status-422")  # the same line would fail again


class BatchLimits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The key `batch` of a role."""

    lines: int  # calls in one batch at most
    megabytes: int  # size of its file at most
    poll: float  # seconds between questions about the batches in flight
    rounds: int  # batches that one call is put into, until it is answered


class BatchRoute(Route):
    """Rounds of batches: each sends the next call of every dialogue that waits for one.

    A call without an answer after `rounds` batches is a Failure with the last one's reason.
    """

    def __init__(
        self, role: str, endpoint: Endpoint, store: CallStore, limit: BudgetLimit, limits: BatchLimits,
        before: Callable[[], object] = lambda: None,
    ) -> None:  # fmt: skip
        super().__init__(role, endpoint, store, limit, before)
        self._limits = limits
        self._failures = Reasons()  # lines that came back without an answer, by reason
        self._refused = Counter[str]()  # batches of a model in a row that failed as a whole

    def run(self, dialogues: Dialogues[T], total: int | None = None) -> Iterator[T]:
        """As in Route."""
        with _only_process(self.store.path):
            self._queue = BatchQueue(self.store, self.endpoint.url())
            self._queue.clear()
            while sum(self._replay(dialogue) is None for dialogue in dialogues()):
                self._round()
                self.failed |= self._queue.failed()
            for dialogue in dialogues():
                yield self._replay(dialogue)[0]  # type: ignore[index]

    def _replay(self, dialogue: Dialogue[T]) -> tuple[T] | None:
        """Run a dialogue as far as its answers are known; return its result, or None where it now waits for calls, which are queued."""
        try:
            calls = next(dialogue)
            while True:
                answers = [self._known_or_queued(*call) for call in calls]
                known = [answer for answer in answers if answer is not None]
                if len(known) < len(answers):
                    return None
                calls = dialogue.send(known)
        except StopIteration as end:
            return (end.value,)

    def _known_or_queued(self, request: Request, sample: int) -> Answer | None:
        answer = self.known(key(request, sample))
        if answer is None:
            self.prepare(request.model)
            self._queue.add(request, sample)
        return answer

    def _round(self) -> None:
        """Send what is queued and wait until all of it is answered or given up."""
        before, count = self.store.ledger(), self._queue.waiting() + self._queue.in_flight()
        api = BatchApi(self.endpoint)
        with tqdm(total=count, desc=f"{self.role}, batches", unit="call", file=sys.stderr, mininterval=0.5) as bar:
            try:
                while self._send(api) or self._queue.batches():
                    self._poll(api, bar)
            finally:
                bar.close()
                now = (ledger := self.store.ledger()).billed - before.billed
                lost = f"{self._failures.total()} lines failed{self._failures}"
                print(
                    f"{self.role}: {count} lines for batches, {bar.n} done with, {lost}; ${now.dollars:.4f} billed now; {ledger} in all",
                    file=sys.stderr,
                )

    def _send(self, api: BatchApi) -> bool:
        """Compose batches as far as the budget reaches, upload and create those that are not there yet; tell whether any was created."""
        for model in self._queue.models():
            price = self.endpoint.price(model)
            while self._queue.compose(model, price, self.limit, self._limits.lines, self._limits.megabytes * 10**6):
                pass
        created = False
        for batch in self._queue.batches():
            if not batch.file:
                batch = msgspec.structs.replace(batch, file=api.upload(line.encoded() for line in self._queue.lines(batch.id)))
                self._queue.note(batch.id, file=batch.file)
            if not batch.job:
                self._queue.note(batch.id, job=api.create(batch.file, self._queue.jobs()))
                created = True
        if (waiting := self._queue.waiting()) and not self._queue.batches():
            raise self.used_up(f"{waiting} calls wait")
        return created

    def _poll(self, api: BatchApi, bar: Any) -> None:
        """Ask about each open batch once, and collect those that have ended."""
        open_batches = self._queue.batches()
        time.sleep(self._limits.poll)
        for batch in open_batches:
            if ended := api.ended(batch.job):
                self._collect(api, batch, ended, bar)

    def _collect(self, api: BatchApi, batch: Batch, ended: Ended, bar: Any) -> None:
        """Store the answers of a batch that has ended; what has none goes back to the queue with its reason."""
        torn = False
        for found in api.lines(ended):
            if found is None:
                torn = True
            elif line := self._queue.line(batch.id, found.key):
                bar.update(self._take(batch.model, line, found))
        reason = "torn" if torn else "missing" if ended.status == "COMPLETED" else f"batch-{ended.status.lower()}"
        for line in self._queue.lines(batch.id):  # in no file: not answered, so it cost nothing, unless a file is torn: then nobody knows
            bar.update(self._fail(line, reason, ended.said, paid=torn))
        self._queue.note(batch.id, state=ended.status, said=ended.said)
        self._refused[batch.model] = self._refused[batch.model] + 1 if ended.status == "FAILED" else 0
        if self._refused[batch.model] >= self._limits.rounds:
            raise InputError(
                f"{self.endpoint.base_url}: batches for {batch.model} fail as a whole: {ended.said or 'no reason given'}; "
                "fix the requests, or take the chat route for this model"
            )

    def _take(self, model: str, line: Line, found: BatchLine) -> int:
        """Store one answer, or count why it is none; return how many calls are done with."""
        if not self.store.holds(line.key):  # else a run that was stopped here stored it
            if found.reason:
                return self._fail(line, found.reason, found.detail, paid=False)
            try:
                response = parse(found.body)
            except (Empty, Malformed) as error:
                return self._fail(line, "empty" if isinstance(error, Empty) else "malformed", str(error), paid=True)
            cost = paid(self.endpoint.price(model), (response.prompt_tokens, response.completion_tokens), batch=True)
            self.store.put(line.attempt, line.request.encode(), response, cost, 0.0, line.rounds + 1, "batch")
        self._queue.done(line)
        return 1

    def _fail(self, line: Line, reason: str, detail: str, paid: bool) -> int:
        """Settle a line without an answer; return 1 where it is not to be sent again."""
        self._failures.add(reason, detail)
        if line.attempt is not None:
            self.store.lose(line.attempt, reason, "") if paid else self.store.release(line.attempt)
        final = reason in PERMANENT or line.rounds + 1 >= self._limits.rounds
        self._queue.back(line, reason, detail, final)
        return int(final)


@contextmanager
def _only_process(store: Path) -> Iterator[None]:
    """Lock the batch route of a store; an InputError where another process holds it."""
    with store.with_name(store.name + ".batch").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(f"{store}: another process takes the batch route with this store; wait for it or stop it") from None
        yield
