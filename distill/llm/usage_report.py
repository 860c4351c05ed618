"""What the calls of a role used, read from its transcripts alone: calls, failures, tokens, and dollars at the study's dated prices.

Whoever replays the transcripts finds the same; what a run paid in fact, with what it lost to a bad network, is in its call store.
"""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from distill.core import files
from distill.core.errors import InputError
from distill.llm.budget import NANO, Cost, paid
from distill.llm.endpoint_config import Price
from distill.llm.request import Response, parse
from distill.llm.transcripts import StoredCall


class Usage(msgspec.Struct, frozen=True):
    """What one role's calls used."""

    calls: int  # responses that the corpus rests on, failures included
    failed: dict[str, int]  # of these, by reason
    prompt_tokens: int
    completion_tokens: int  # reasoning included
    uncounted: int  # responses whose server told no usage: their tokens and dollars are in no sum
    dollars: float


def read_usage(path: Path, price: Price | None, batch: bool) -> Usage:
    """Return the usage of a file of transcripts."""
    return usage((parse(call.response) for call in files.iterate_records(path, StoredCall)), price, batch)


def usage(responses: Iterable[Response], price: Price | None, batch: bool) -> Usage:
    """Return the usage of one role's responses; `price` is None for a role without a model, which has none."""
    failed, calls, prompt, completion, uncounted = Counter[str](), 0, 0, 0, 0
    total = Cost(0, 0)
    for response in responses:
        if price is None:
            raise InputError("transcripts of a role that asks no model; run `dvc repro` for its stage")
        calls += 1
        if response.unusable:
            failed[response.unusable] += 1
        if (cost := paid(price, (response.prompt_tokens, response.completion_tokens), batch)) is None:
            uncounted += 1
            continue
        prompt, completion = prompt + (response.prompt_tokens or 0), completion + (response.completion_tokens or 0)
        total += cost
    return Usage(calls, dict(sorted(failed.items())), prompt, completion, uncounted, total.nano / NANO)


def together(rows: Iterable[Usage]) -> dict[str, Any]:
    """Return the sums over roles."""
    sums = {"calls": 0, "failed": 0, "prompt_tokens": 0, "completion_tokens": 0, "uncounted": 0, "dollars": 0.0}
    for row in rows:
        for name in sums:
            sums[name] += sum(row.failed.values()) if name == "failed" else getattr(row, name)
    return sums
