"""The batch route: the calls that are not stored go up as files, and their answers come hours later at the batch price, to the same keys.

A run that was stopped, by whatever, goes on where it was: what was uploaded, created and paid for is in the store's backlog.
"""

import fcntl
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from tqdm import tqdm

from distill.core.errors import InputError
from distill.llm.async_worker import judged
from distill.llm.batch_api import Answer, Ended, Jobs
from distill.llm.batch_queue import Backlog, Batch, Line
from distill.llm.budget import BudgetLimit, cost
from distill.llm.call_store import Store
from distill.llm.dispatcher import Answered, Asked
from distill.llm.endpoint_config import Endpoint
from distill.llm.request import Empty, Failure, Malformed, key, parse

TestSettings = Any  # tqdm is generic in its hints alone
PERMANENT = ("status-400", "status-401", "status-403", "status-404", "status-413", "status-422")  # the same line would fail again


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the batch route is taken: the section `batch`."""

    lines: int  # calls in one batch at most
    megabytes: int  # size of its file at most
    poll: float  # seconds between questions about the batches in work
    rounds: int  # batches that one call is put into, until it is answered


def ask(
    calls: Iterable[Asked],
    endpoint: Endpoint,
    store: Store,
    cap: BudgetLimit,
    limits: Limits,
    label: str = "calls",
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[Answered]:
    """Yield (name, answer) as flow.ask does: stored answers first, the others once their batches have ended.

    A call without an answer after `rounds` batches is a Failure with the last one's reason. InputError: no key, no price, the budget is
    used up, the endpoint is down, or it refuses a batch whole; a new run goes on from there.
    """
    with _alone(store.path):
        route = Route(endpoint, store, cap, limits, label, sleep)
        asked: list[tuple[str, str]] = []  # name, key: some 200 bytes a call
        route.backlog.clear()
        for name, request, sample in calls:
            hashed = key(request, sample)
            if response := store.get(hashed):
                yield name, judged(response)
                continue
            endpoint.price(request.model)
            route.backlog.add(request, sample)
            asked.append((name, hashed))
        fault = route.finish() if asked else None
        for name, hashed in asked:
            response = store.get(hashed)
            if response or not fault:
                yield name, judged(response) if response else Failure(*route.backlog.reason(hashed))
        if fault:
            raise fault


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold the batch route of a store; an InputError where another process holds it."""
    with path.with_name(path.name + ".batch").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(f"{path}: another process takes the batch route with this store; wait for it or stop it") from None
        yield


class Route:
    """The batches of one endpoint, from the backlog to the store."""

    def __init__(
        self, endpoint: Endpoint, store: Store, cap: BudgetLimit, limits: Limits, label: str, sleep: Callable[[float], None]
    ) -> None:
        self.backlog = Backlog(store, endpoint.url())
        self.troubles: Counter[str] = Counter()  # lines without an answer, by reason, in all rounds
        self._refused: Counter[str] = Counter()  # batches that failed as a whole, one after another, by model
        self._endpoint, self._store, self._cap, self._limits, self._label, self._sleep = endpoint, store, cap, limits, label, sleep

    def finish(self) -> InputError | None:
        """Send what waits and collect what comes, until nothing does; return the fault that ended it before that."""
        before, count = self._store.spent(), self.backlog.waiting() + self.backlog.flying()
        jobs = Jobs(self._endpoint, self._sleep)
        with tqdm(total=count, desc=f"{self._label}, batches", unit="call", file=sys.stderr, mininterval=0.5) as bar:
            try:
                while self._send(jobs) or self.backlog.batches():
                    self._poll(jobs, bar)
            except InputError as fault:
                return fault
            finally:
                bar.set_postfix_str(f"${self._store.spent().dollars:.2f}", refresh=False)
                bar.close()
                new = self._store.spent().dollars - before.dollars
                why = ", ".join(f"{reason}: {n}" for reason, n in sorted(self.troubles.items()))
                lost = f"{self.troubles.total()} lines failed{f' ({why})' if why else ''}"
                print(f"{self._label}: {count} lines for batches, {bar.n} done with, {lost}; ${new:.4f} spent or reserved", file=sys.stderr)
        return None

    def _send(self, jobs: Jobs) -> bool:
        """Compose batches as far as the budget reaches and bring all open ones on their way; tell whether any was sent now."""
        for model in self.backlog.models():
            price = self._endpoint.price(model)
            while self.backlog.compose(model, price, self._cap, self._limits.lines, self._limits.megabytes * 10**6):
                pass
        sent = False
        for batch in self.backlog.batches():
            if not batch.file:
                batch = msgspec.structs.replace(batch, file=jobs.upload(line.encoded() for line in self.backlog.lines(batch.id)))
                self.backlog.note(batch.id, file=batch.file)
            if not batch.job:
                self.backlog.note(batch.id, job=jobs.create(batch.file, self.backlog.jobs()))
                sent = True
        if self.backlog.waiting() and not self.backlog.batches():
            spent, cap = self._store.spent().dollars, self._cap
            raise InputError(
                f"the budget is used up: {spent:.4f} dollars spent or reserved, {self.backlog.waiting()} calls wait, the cap is "
                f"{cap.dollars} dollars and {cap.tokens} tokens; answers are stored: raise it under budget: and run again"
            )
        return sent

    def _poll(self, jobs: Jobs, bar: TestSettings) -> None:
        """Ask about each open batch once, and collect those that have ended."""
        open_batches = self.backlog.batches()
        self._sleep(self._limits.poll)
        for batch in open_batches:
            if ended := jobs.ended(batch.job):
                self._collect(jobs, batch, ended, bar)

    def _collect(self, jobs: Jobs, batch: Batch, ended: Ended, bar: TestSettings) -> None:
        """Store the answers of a batch that has ended; what has none goes back to the backlog with its reason."""
        torn = False
        for answer in jobs.answers(ended):
            if answer is None:
                torn = True
            elif line := self.backlog.line(batch.id, answer.name):
                bar.update(self._take(line, answer))
        reason = "torn" if torn else "missing" if ended.status == "COMPLETED" else f"batch-{ended.status.lower()}"
        spent = 0  # lines that will not be sent again
        for line in self.backlog.lines(
            batch.id
        ):  # in no file: not answered, so they cost nothing, unless a file is torn: then nobody knows
            spent += self._fail(line, reason, ended.said, paid=torn)
        bar.update(spent)
        self.backlog.note(batch.id, state=ended.status, said=ended.said)
        self._refused[batch.model] = self._refused[batch.model] + 1 if ended.status == "FAILED" else 0
        if self._refused[batch.model] >= self._limits.rounds:
            raise InputError(
                f"{self._endpoint.base_url}: batches for {batch.model} fail as a whole: {ended.said or 'no reason given'}; "
                "mend the requests, or take the chat route for this model"
            )

    def _take(self, line: Line, answer: Answer) -> int:
        """Store one answer, or count why it is none; return how many calls are done with."""
        if self._store.holds(line.key):  # a run that was stopped here stored it
            self.backlog.done(line)
            return 1
        if answer.reason:
            return self._fail(line, answer.reason, answer.detail, paid=False)
        request, sample = line.call()
        try:
            response = parse(answer.body)
        except (Empty, Malformed) as error:
            return self._fail(line, "empty" if isinstance(error, Empty) else "malformed", str(error), paid=True)
        paid = None
        if response.prompt_tokens is not None and response.completion_tokens is not None:
            paid = cost(self._endpoint.price(request.model), response.prompt_tokens, response.completion_tokens, batch=True)
        self._store.put(line.attempt, request, sample, response, paid, 0.0, line.rounds + 1, "batch")
        self.backlog.done(line)
        return 1

    def _fail(self, line: Line, reason: str, detail: str, paid: bool) -> int:
        """Settle a line without an answer; return 1 where it is not to be sent again."""
        self.troubles[reason] += 1
        if line.attempt is not None:
            self._store.lose(line.attempt, reason, "") if paid else self._store.release(line.attempt)
        final = reason in PERMANENT or line.rounds + 1 >= self._limits.rounds
        self.backlog.back(line, reason, detail, final)
        return int(final)
