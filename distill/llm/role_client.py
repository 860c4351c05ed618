"""A role's access to its model: its section of the study file, the study's call store, and the transcripts of what it used."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from distill.core import study_file
from distill.core.errors import InputError
from distill.llm import transcripts
from distill.llm.batch_route import BatchLimits, BatchRoute
from distill.llm.budget import BudgetLimit
from distill.llm.call_store import CallStore
from distill.llm.chat_route import ChatRoute
from distill.llm.endpoint_config import Endpoint
from distill.llm.progress import Reasons
from distill.llm.request import Request, Sampling
from distill.llm.route import Dialogues, Route, T
from distill.records.example import Message

ROLES = ("solve", "verify", "condense", "llm_judge", "transcribe")


class Model(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The keys of every role that a model plays."""

    endpoint: str  # name of a row of `endpoints`
    model: str  # as the endpoint names it
    prompt: str  # prompts/ROLE/NAME.md
    sampling: Sampling
    batch: BatchLimits | None  # of the batch route: half the price, hours later; null = the chat route
    max_failed_calls: Annotated[int, Meta(ge=0)]  # calls that may stay without a stored response; more stop the stage

    def request(self, messages: tuple[Message, ...]) -> Request:
        """Return the role's request with these turns."""
        return Request(self.model, messages, self.sampling)

    def check_samples(self, what: str, count: int) -> None:
        """Raise an InputError where so many samples of a request would all be equal."""
        if count > 1 and not self.sampling.temperature:
            raise InputError(f"{what}: {count} samples at temperature 0 are one answer; raise one or lower the other")


class Transcript(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Responses that somebody paid for before, to be read into the store."""

    path: str  # .jsonl or .jsonl.gz, as the stages write them
    sha256: str


class RoleClient:
    """Answers the dialogues of one role; remembers which stored calls it used."""

    def __init__(self, role: str, model: Model, endpoints: dict[str, Endpoint], limit: BudgetLimit, store: CallStore) -> None:
        self.role, self.model, self.endpoints, self.limit, self.store = role, model, endpoints, limit, store
        self.endpoint = endpoints[model.endpoint]
        common = (role, self.endpoint, store, limit)
        self._route: Route = BatchRoute(*common, model.batch, self._check_keys) if model.batch else ChatRoute(*common, self._check_keys)

    def _check_keys(self) -> None:
        """Check the keys of every role before the first one spends anything."""
        for endpoint in self.endpoints.values():
            endpoint.secret()

    def run(self, dialogues: Dialogues[T]) -> Iterator[T]:
        """Yield the result of each dialogue, in order; at the end an InputError where too many calls have no response."""
        yield from self._route.run(dialogues, sum(1 for _ in dialogues()))
        failed = Reasons(self._route.failed.values())
        if failed.total() > self.model.max_failed_calls:
            raise InputError(
                f"{self.role}: {failed.total()} calls have no response{failed}, allowed are {self.model.max_failed_calls}; run it"
                f" again, it sends only these, or raise {self.role}.max_failed_calls"
            )

    def write_transcripts(self, path: Path) -> None:
        """Write the calls whose stored responses were used."""
        transcripts.write(path, transcripts.export(self.store, self._route.used))


@contextmanager
def opened(study: Path, work: Path, role: str, model: Model) -> Iterator[RoleClient]:
    """Open a role's client: its endpoint must be in the study file; transcripts that the study names are read into the store first.

    `work` is the study's folder of partial results, where the call store lies.
    """
    endpoints = study_file.section(study, "endpoints", dict[str, Endpoint])
    if model.endpoint not in endpoints:
        known = ", ".join(endpoints) or "none"
        raise InputError(f"{study}: section '{role}': no endpoint '{model.endpoint}'; section 'endpoints' has {known}")
    given = study_file.section(study, "transcripts", dict[str, Transcript])
    if strange := sorted(given.keys() - set(ROLES)):
        raise InputError(f"{study}: section 'transcripts': no role '{strange[0]}'; allowed: {', '.join(ROLES)}")
    with CallStore(work / "calls.sqlite") as store:
        if role in given:
            import_transcripts(given[role], store)
        yield RoleClient(role, model, endpoints, study_file.section(study, "budget", BudgetLimit), store)


def import_transcripts(source: Transcript, store: CallStore) -> None:
    """Read a file of transcripts into the store, after its hash is checked."""
    path = Path(source.path)
    if not path.exists():
        raise InputError(f"{path}: no such file, which section 'transcripts' names; put it there, or remove the line to ask the model anew")
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != source.sha256:
        raise InputError(f"{path}: expected sha256 {source.sha256[:12]}, got {found[:12]}; get the file that the study names")
    transcripts.import_calls(path, store)
