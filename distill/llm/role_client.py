"""Where a stage has a model asked: its role in the study file, the study's call store, and the transcripts of what it used."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from distill.core import study_file
from distill.core.errors import InputError
from distill.llm import batch_runner, dispatcher, request, transcripts
from distill.llm.batch_queue import travelling
from distill.llm.budget import BudgetLimit
from distill.llm.call_store import Store
from distill.llm.endpoint_config import Endpoint
from distill.llm.request import Failure, Request, Response, Sampling
from distill.records.example import Message

Calls = Callable[[], Iterator[dispatcher.Asked]]  # the same calls, each time from the start


class Model(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What every role that is a model's says of it."""

    endpoint: str  # name of a row of `endpoints`
    model: str  # as the endpoint names it
    prompt: str  # prompts/ROLE/NAME.md
    sampling: Sampling
    batch: batch_runner.Limits | None  # of the batch route: half the price, hours later; null = the chat route
    unanswered: Annotated[int, Meta(ge=0)]  # calls that may stay without a stored response, counted by reason; more stop the stage


class Transcript(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Responses that somebody paid for before, to be read into the store."""

    path: str  # .jsonl or .jsonl.gz, as the stages write them
    sha256: str


class Desk:
    """One role's access to its model; remembers which stored calls it used."""

    def __init__(self, role: str, model: Model, endpoints: dict[str, Endpoint], cap: BudgetLimit, store: Store) -> None:
        self.role, self.model, self.endpoints, self.cap, self.store = role, model, endpoints, cap, store
        self.unanswered: Counter[str] = Counter()  # calls without a stored response, by reason
        self._used: set[bytes] = set()  # keys, as bytes: a million of them take 100 MB

    def request(self, messages: tuple[Message, ...]) -> Request:
        """Return the role's request with these turns."""
        return Request(self.model.model, messages, self.model.sampling)

    def ask(self, calls: Calls, label: str) -> None:
        """Have all of `calls` answered and stored; `answer` gives the answers. A InputError where too many stay without an answer."""
        total = sum(1 for _ in self._open(calls()))
        if not total:
            return
        for endpoint in self.endpoints.values():  # of every role, before the first one spends anything
            endpoint.secret()
        endpoint = self.endpoints[self.model.endpoint]
        opened = self._open(calls())
        if self.model.batch:
            answers = batch_runner.ask(opened, endpoint, self.store, self.cap, self.model.batch, label)
        else:
            self._alone(calls())
            answers = dispatcher.ask(opened, endpoint, self.store, self.cap, total, label)
        for _, answer in answers:
            if isinstance(answer, Failure) and answer.response is None:
                self.unanswered[answer.reason] += 1
        if (lost := self.unanswered.total()) > self.model.unanswered:
            reasons = ", ".join(f"{reason}: {count}" for reason, count in sorted(self.unanswered.items()))
            raise InputError(
                f"{self.role}: {lost} calls stay without an answer ({reasons}), allowed are {self.model.unanswered}; run it again, it sends"
                f" only these, or raise {self.role}.unanswered"
            )

    def _alone(self, calls: Iterator[dispatcher.Asked]) -> None:
        """Refuse the chat route to calls that are in batches: they would be paid for twice."""
        away = travelling(self.store)
        if away and (twice := sum(request.key(asked, sample) in away for _, asked, sample in calls)):
            raise InputError(
                f"{self.role}: {twice} calls are in batches that have not ended; set {self.role}.batch until these are collected, or cancel"
                f" them at {self.endpoints[self.model.endpoint].base_url} and run so once"
            )

    def answer(self, asked: Request, sample: int) -> Response | None:
        """Return the stored answer of a call, or None; it becomes part of the transcripts."""
        key = request.key(asked, sample)
        if found := self.store.get(key):
            self._used.add(bytes.fromhex(key))
        return found

    def leave(self, path: str) -> None:
        """Write the transcripts: the calls that `answer` returned."""
        transcripts.write(Path(path), transcripts.export(self.store, self._used))

    def _open(self, calls: Iterator[dispatcher.Asked]) -> Iterator[dispatcher.Asked]:
        """Yield the calls that are not stored, equal ones once: problems of one text make one call."""
        seen: set[bytes] = set()
        for name, asked, sample in calls:
            key = request.key(asked, sample)
            if not self.store.holds(key) and (digest := bytes.fromhex(key)) not in seen:
                seen.add(digest)
                yield name, asked, sample


@contextmanager
def opened(study: str, role: str, model: Model) -> Iterator[Desk]:
    """Open the desk of a role: its endpoint must be in the study file; transcripts that the study names are read into the store first."""
    if bare := [name for name, row in study_file.section(study, "endpoints", dict[str, Any]).items() if "datetime.date(" in repr(row)]:
        raise InputError(f"{study}: section 'endpoints.{bare[0]}': write `dated` in quotes, as \"2026-01-31\": DVC keeps no bare date")
    endpoints = study_file.section(study, "endpoints", dict[str, Endpoint])
    if model.endpoint not in endpoints:
        known = ", ".join(endpoints) or "none"
        raise InputError(f"{study}: section '{role}': no endpoint '{model.endpoint}'; section 'endpoints' has {known}")
    given = study_file.section(study, "transcripts", dict[str, Transcript])
    if strange := sorted(given.keys() - {"solve", "verify", "condense", "judge"}):
        raise InputError(f"{study}: section 'transcripts': no role '{strange[0]}'; allowed: solve, verify, condense, judge")
    work = Path(".work", Path(study).stem)
    work.mkdir(parents=True, exist_ok=True)
    with Store(work / "calls.sqlite") as store:
        if role in given:
            bring(given[role], store)
        yield Desk(role, model, endpoints, study_file.section(study, "budget", BudgetLimit), store)


def bring(source: Transcript, store: Store) -> None:
    """Read a file of transcripts into the store, after its hash is checked."""
    path = Path(source.path)
    if not path.exists():
        raise InputError(
            f"{path}: no such file, which section 'transcripts' names; bring it there, or take the line out to ask the model anew"
        )
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != source.sha256:
        raise InputError(f"{path}: expected sha256 {source.sha256[:12]}, got {found[:12]}; bring the file that the study means")
    transcripts.bring(path, store)


def leave_none(path: str) -> None:
    """Write the empty transcripts of a stage that asks no model."""
    transcripts.write(Path(path), [])
