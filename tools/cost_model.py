"""What calls will cost before they are made: expected from stated assumptions, or from what is stored already, and at most."""

from typing import Annotated

import msgspec
from msgspec import Meta
from tabulate import tabulate

from distill.llm.budget import Cost, cost, prompt_bound
from distill.llm.call_store import CallStore
from distill.llm.endpoint_config import Endpoint
from distill.llm.request import Request, Response, body, key

ENOUGH = 30  # stored answers of a role, from which on their means replace the assumptions
_TURN = 4  # tokens of a chat template around each turn, roughly

Share = Annotated[float, Meta(ge=0.0, le=1.0)]


class Assumptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Section `estimate`: what nobody knows before the first call."""

    characters: Annotated[float, Meta(gt=0.0)]  # of a prompt to one token
    completion: dict[str, Annotated[float, Meta(gt=0.0)]]  # by role (solve, verify, condense): tokens of a call, reasoning included
    undecided: Share  # of the answers, put to the verifier's model where it is asked of these alone
    correct: Share  # of the problems, whose trace is condensed
    again: Share  # of the levels, asked for once more
    speed: Annotated[float, Meta(gt=0.0)]  # tokens that the endpoint writes in a second, in each call
    window: Annotated[float, Meta(gt=0.0)]  # hours in which a batch ends


class RoleCost:
    """One role's calls, counted one by one."""

    def __init__(self, role: str, model: str, endpoint: Endpoint, store: CallStore) -> None:
        self.role, self.model, self.endpoint, self._store = role, model, endpoint, store
        self.stored = 0
        self.calls, self.most = 0.0, 0  # yet to be sent: expected, at most
        self.steps = 1  # calls that wait for one another
        self._characters, self._turns, self._prompt_most, self._written_most = 0.0, 0.0, 0, 0
        self._seen: set[bytes] = set()
        self._known = [0, 0, 0, 0]  # of stored answers with usage: how many, characters and tokens of their prompts, tokens written

    def add(self, request: Request, sample: int, share: float = 1.0, times: int = 1, unknown: int = 0) -> Response | None:
        """Count a call that is made with chance `share` and at most so many times; return its answer where it is stored.

        `unknown`: tokens at most of a text that its prompt will hold and that is not written yet.
        """
        name = key(request, sample)
        characters = sum(len(message.content) for message in request.messages)
        found = self._store.get(name)
        if (digest := bytes.fromhex(name)) in self._seen:
            return found
        self._seen.add(digest)
        if found is None:
            self.calls += share
            self.most += times
            self._characters += share * characters
            self._turns += share * len(request.messages)
            self._prompt_most += times * (prompt_bound(body(request, sample)) + unknown)
            self._written_most += times * request.sampling.max_tokens
            return None
        self.stored += 1
        if found.prompt_tokens is not None and found.completion_tokens is not None:
            self._known = [
                had + more for had, more in zip(self._known, (1, characters, found.prompt_tokens, found.completion_tokens), strict=True)
            ]
        return found

    def written(self, assumed: Assumptions) -> float:
        """Return the tokens that a call is expected to write."""
        return self._known[3] / self._known[0] if self._known[0] >= ENOUGH else assumed.completion[self.role]

    def known(self) -> int:
        """Return how many stored answers the expectation rests on; 0 where it is assumed."""
        return self._known[0] if self._known[0] >= ENOUGH else 0

    def expected(self, assumed: Assumptions) -> tuple[int, int]:
        """Return the (prompt, completion) tokens that are expected."""
        if self.known():
            prompt = self._characters * self._known[2] / max(1, self._known[1])
        else:
            prompt = self._characters / assumed.characters + _TURN * self._turns
        return round(prompt), round(self.calls * self.written(assumed))

    def costs(self, assumed: Assumptions, batch: bool) -> tuple[Cost, Cost]:
        """Return what the calls cost as expected, and at most."""
        price = self.endpoint.price(self.model)
        return cost(price, *self.expected(assumed), batch), cost(price, self._prompt_most, self._written_most, batch)

    def hours(self, assumed: Assumptions) -> float:
        """Return the hours of the chat route at the endpoint's concurrency, as expected."""
        return self.calls * self.written(assumed) / assumed.speed / self.endpoint.concurrency / 3600

    def window(self, assumed: Assumptions) -> float:
        """Return the hours of the batch route at most, where no line fails."""
        return self.steps * assumed.window if self.most else 0.0


HEAD = ("role", "calls", "at most", "stored", "tokens in", "out", "chat $", "at most $", "hours", "batch $", "at most $", "hours at most")
_FORMATS = (",.0f", ",.0f", ",.0f", ",.0f", ",.0f", ",.2f", ",.2f", ",.1f", ",.2f", ",.2f", ",.1f")


def table(costs: list[RoleCost], assumed: Assumptions) -> str:
    """Return what the roles cost as a table: a row for each role, and their sum."""
    rows: list[list[float]] = []
    for each in costs:
        (chat, chat_most), (batch, batch_most) = each.costs(assumed, False), each.costs(assumed, True)
        row = [each.calls, each.most, each.stored, *each.expected(assumed), chat.dollars, chat_most.dollars, each.hours(assumed)]
        rows.append([*row, batch.dollars, batch_most.dollars, each.window(assumed)])
    rows.append([sum(column) for column in zip(*rows, strict=True)])
    names = [*(f"{each.role} ({each.model})" for each in costs), "together"]
    cells = [[name, *map(format, row, _FORMATS)] for name, row in zip(names, rows, strict=True)]
    return tabulate(cells, HEAD, tablefmt="github", disable_numparse=True, colalign=("left", *["right"] * len(_FORMATS)))
