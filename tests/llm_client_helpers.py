"""A small corpus asked of the scripted server, in this process or in one that can be killed: `python -m tests.llm_client_helpers JSON`."""

import sys
from collections.abc import Iterable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import msgspec

from distill.core.errors import InputError
from distill.llm.budget import BudgetLimit
from distill.llm.call_store import CallStore
from distill.llm.chat_route import ChatRoute
from distill.llm.endpoint_config import Endpoint, Price
from distill.llm.request import Answer, Failure, Request, Sampling
from distill.llm.route import Dialogue, Route
from distill.records.example import Message

FREE = BudgetLimit(None, None)
Named = tuple[str, Request, int]  # a name, a request and its sample index


def endpoint(url: str, **changed: Any) -> Endpoint:
    """Return an endpoint whose timeouts suit a test."""
    usual: dict[str, Any] = {
        "base_url": url,
        "key_variable": "",
        "key_page": "",
        "concurrency": 32,
        "connect": 5.0,
        "timeout": 1.0,
        "deadline": 20.0,
        "attempts": 8,
        "backoff": 0.02,
        "backoff_most": 0.5,
        "outage_timeout": 20.0,
        "prices": {"m": Price(prompt=1.0, completion=2.0, batch=0.5, dated=date(2026, 1, 1))},
    }
    return Endpoint(**(usual | changed))


def problem(number: int, max_tokens: int = 1000) -> Request:
    """Return one problem's request; its seed makes each sample a body of its own."""
    turns = (Message("system", "Solve it."), Message("user", f"Compute {number + 11} × 37."))
    return Request("m", turns, Sampling(0.6, 0.95, max_tokens, 7, {}))


def one_call(name: str, request: Request, sample: int) -> Dialogue[tuple[str, Answer]]:
    """Make one call; return its name and its answer."""
    (answer,) = yield [(request, sample)]
    return name, answer


def answers(route: Route, calls: Iterable[Named]) -> Iterator[tuple[str, Answer]]:
    """Yield (name, answer) of each call."""
    return route.run(lambda: (one_call(*call) for call in calls))


def chat(calls: Iterable[Named], place: Endpoint, store: CallStore, limit: BudgetLimit) -> Iterator[tuple[str, Answer]]:
    """Make calls by the chat route."""
    return answers(ChatRoute("calls", place, store, limit), calls)


def corpus(
    place: Endpoint, store: CallStore, limit: BudgetLimit, count: int, samples: int = 9, max_tokens: int = 1000
) -> Iterator[tuple[str, str]]:
    """Yield (name, text) of each problem in order; one that is cut or blank is asked for again, as the next sample."""
    found: dict[str, str] = {}
    for sample in range(samples):
        calls = ((str(n), problem(n, max_tokens), sample) for n in range(count) if str(n) not in found)
        for name, answer in chat(calls, place, store, limit):
            if isinstance(answer, Failure):
                raise InputError(f"problem {name}: {answer.reason}: {answer.detail}")
            if not answer.unusable:
                found[name] = answer.text
        if len(found) == count:
            break
    yield from sorted(found.items())


def main(words: str) -> None:
    """Ask {url, store, count, out, dollars, changed} and write the corpus."""
    job = msgspec.json.decode(words)
    with CallStore(job["store"]) as store:
        limit = BudgetLimit(job.get("dollars"), None)
        rows = list(corpus(endpoint(job["url"], **job.get("changed", {})), store, limit, job["count"]))
    Path(job["out"]).write_bytes(b"".join(msgspec.json.encode(row) + b"\n" for row in rows))


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except InputError as fault:
        sys.exit(f"corpus: {fault}")
    except KeyboardInterrupt:
        sys.exit(130)
