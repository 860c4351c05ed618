"""A small corpus asked of the scripted server, in this process or in one that can be killed: `python -m tests.llm_client_helpers JSON`."""

import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import msgspec

from distill.core.errors import InputError
from distill.llm import dispatcher
from distill.llm.budget import BudgetLimit
from distill.llm.call_store import Store
from distill.llm.endpoint_config import Endpoint, Price
from distill.llm.request import Request, Response, Sampling
from distill.records.example import Message

FREE = BudgetLimit(None, None)


def endpoint(url: str, **changed: Any) -> Endpoint:
    """Return an endpoint as patient as a test can wait."""
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
        "patience": 20.0,
        "prices": {"m": Price(prompt=1.0, completion=2.0, batch=0.5, dated=date(2026, 1, 1))},
    }
    return Endpoint(**(usual | changed))


def problem(number: int, max_tokens: int = 1000) -> Request:
    """Return one problem's request; its seed makes each sample a body of its own."""
    turns = (Message("system", "Solve it."), Message("user", f"Compute {number + 11} × 37."))
    return Request("m", turns, Sampling(0.6, 0.95, max_tokens, 7, {}))


def corpus(
    place: Endpoint, store: Store, cap: BudgetLimit, count: int, samples: int = 9, max_tokens: int = 1000
) -> Iterator[tuple[str, str]]:
    """Yield (name, text) of each problem in order; one that is cut or blank is asked for again, as the next sample."""
    found: dict[str, str] = {}
    for sample in range(samples):
        calls = ((str(n), problem(n, max_tokens), sample) for n in range(count) if str(n) not in found)
        for name, answer in dispatcher.ask(calls, place, store, cap, count - len(found), f"sample {sample}"):
            if isinstance(answer, Response):
                found[name] = answer.text
            elif answer.response is None:
                raise InputError(f"problem {name}: {answer.reason}: {answer.detail}")
        if len(found) == count:
            break
    yield from sorted(found.items())


def main(words: str) -> None:
    """Ask {url, store, count, out, dollars, changed} and write the corpus."""
    job = msgspec.json.decode(words)
    with Store(job["store"]) as store:
        cap = BudgetLimit(job.get("dollars"), None)
        rows = list(corpus(endpoint(job["url"], **job.get("changed", {})), store, cap, job["count"]))
    Path(job["out"]).write_bytes(b"".join(msgspec.json.encode(row) + b"\n" for row in rows))


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except InputError as fault:
        sys.exit(f"asking: {fault}")
    except KeyboardInterrupt:
        sys.exit(130)
