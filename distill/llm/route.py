"""What the two routes to a model (chat, batch) share: dialogues, and the answers that are known without sending anything."""

from collections.abc import Callable, Generator, Iterator
from typing import TypeVar

from distill.core.errors import InputError
from distill.llm.budget import BudgetLimit
from distill.llm.call_store import CallStore
from distill.llm.endpoint_config import Endpoint
from distill.llm.request import Answer, Call, Failure

T = TypeVar("T")

# What a role does about one problem: it yields calls, is sent their answers in the same order, and so on, and returns its result. It may be
# run several times, so it must depend on nothing but its arguments and the answers.
Dialogue = Generator[list[Call], list[Answer], T]
Dialogues = Callable[[], Iterator[Dialogue[T]]]  # each time from the start


class Route:
    """One run over dialogues: a call is answered from the store where it is there, else sent, stored and answered."""

    def __init__(
        self, role: str, endpoint: Endpoint, store: CallStore, limit: BudgetLimit, before: Callable[[], object] = lambda: None
    ) -> None:
        """`before` is called before the first call is sent."""
        self.role, self.endpoint, self.store, self.limit = role, endpoint, store, limit
        self.used: set[bytes] = set()  # keys of the stored responses that were answers: a million take 100 MB
        self.failed: dict[str, Failure] = {}  # calls of this run without a response, by key; they are not sent again
        self._before, self._sending = before, False

    def run(self, dialogues: Dialogues[T], total: int | None = None) -> Iterator[T]:
        """Yield the result of each dialogue, in order; `total` is their number, for the progress bar.

        InputError: no key, no price, the budget is used up, or the endpoint is down. What was answered until then is stored.
        """
        raise NotImplementedError

    def known(self, key: str) -> Answer | None:
        """Return a call's answer where it is stored or has failed in this run."""
        if response := self.store.get(key):
            self.used.add(bytes.fromhex(key))
        return response or self.failed.get(key)

    def prepare(self, model: str) -> None:
        """Check what must be there before a call is sent: the keys and a price."""
        if not self._sending:
            self._before()
            self._sending = True
        self.endpoint.price(model)

    def used_up(self, waiting: str) -> InputError:
        """Return the error of a budget that allows nothing more; `waiting` says what it does not."""
        ledger, limit = self.store.ledger(), self.limit
        held = f" or release old reservations (`python -m tools.calls release {self.store.path}`)" if ledger.reserved.tokens else ""
        return InputError(
            f"the budget is used up: {ledger} ({ledger.total.tokens} tokens in all), {waiting}, the limit is {limit.dollars} dollars and "
            f"{limit.tokens} tokens; answers are stored: raise it under budget:{held}, and run again"
        )
