"""The call store: every response that was paid for, whole, in one SQLite file keyed by the hash of the request.

python -m stages.teacher.store COMMAND STORE [ARGUMENTS]: list | export FILE.jsonl | import FILE.jsonl | verify | prune REASON
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec

from stages.teacher.budget import Cap, Cost
from stages.teacher.request import Request, Response


class Call(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line of an export: a request, its response, and what is known of the call."""

    key: str  # sha256 of the canonical JSON of request and sample
    request: dict[str, Any]  # the body as it was sent
    sample: int  # 0-based
    response: dict[str, Any]  # the chat.completion JSON, whole
    latency: float  # seconds of the attempt that succeeded; 0 in the batch route
    attempts: int
    route: str  # chat | batch
    nano: int  # nano-dollars paid


class Store:
    """A store open for reading and writing; several processes and threads may share the file."""

    def __init__(self, path: Path | str) -> None:
        raise NotImplementedError

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""

    def get(self, key: str) -> Response | None:
        """Return the stored response of a key, or None."""
        raise NotImplementedError

    def known(self, keys: Iterable[str]) -> set[str]:
        """Return which of many keys are stored."""
        raise NotImplementedError

    def reserve(self, key: str, worst: Cost, cap: Cap) -> int | None:
        """Enter an attempt at its worst case, before it is sent; return its number, or None where the cap would be passed."""
        raise NotImplementedError

    def put(
        self, attempt: int | None, request: Request, sample: int, response: Response, paid: Cost, latency: float, attempts: int, route: str
    ) -> None:
        """Store a whole response in place of its reservation, which becomes what it cost."""
        raise NotImplementedError

    def release(self, attempt: int) -> None:
        """Take a reservation back: the attempt was refused and costs nothing."""
        raise NotImplementedError

    def lose(self, attempt: int, reason: str, partial: str) -> None:
        """Keep an attempt's reservation, since what it cost is not known, with its reason and the text as far as it came."""
        raise NotImplementedError

    def spent(self) -> Cost:
        """Return what all calls cost so far, reservations included."""
        raise NotImplementedError

    def calls(self) -> Iterator[Call]:
        """Yield all stored calls in the order of their keys."""
        raise NotImplementedError
