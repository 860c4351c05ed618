"""The ledger of what a corpus's models were asked: calls, failures, tokens and dollars by role, read from the transcripts alone.

Dollars are the tokens at the study's dated prices, so that whoever replays the transcripts finds the same; what a run paid in fact, with
what it lost to a bad network, is in its call store.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from distill.cli import command
from distill.core import files, study_file
from distill.core.errors import InputError
from distill.core.files import write_json
from distill.llm.budget import NANO, Cost, cost
from distill.llm.endpoint_config import Endpoint, Price
from distill.llm.request import WHOLE, Response, parse
from distill.llm.transcripts import Call


class Role(msgspec.Struct, frozen=True):
    """What this stage reads of a role's section."""

    teacher: str
    endpoint: str = ""  # the three of a role that is a model's
    model: str = ""
    batch: Any = None


class Row(msgspec.Struct, frozen=True):
    """One role's ledger."""

    calls: int  # answers that the corpus rests on, failures included
    failed: dict[str, int]  # of these, by reason
    prompt_tokens: int
    completion_tokens: int  # reasoning included
    uncounted: int  # answers whose server told no usage: their tokens and dollars are in no sum
    dollars: float


def ledger(responses: Iterable[Response], price: Price | None, batch: bool) -> Row:
    """Return the ledger of one role's responses."""
    failed, calls, prompt, completion, uncounted = Counter[str](), 0, 0, 0, 0
    paid = Cost(0, 0)
    for response in responses:
        if price is None:
            raise InputError("transcripts of a role that asks no model; run `dvc repro` for its stage")
        calls += 1
        if response.finish not in WHOLE:
            failed[response.finish or "unfinished"] += 1
        elif not response.text:
            failed["blank"] += 1
        if response.prompt_tokens is None or response.completion_tokens is None:
            uncounted += 1
            continue
        prompt, completion = prompt + response.prompt_tokens, completion + response.completion_tokens
        paid += cost(price, response.prompt_tokens, response.completion_tokens, batch)
    return Row(calls, dict(sorted(failed.items())), prompt, completion, uncounted, paid.nano / NANO)


def together(rows: Iterable[Row]) -> dict[str, Any]:
    """Return the sums over roles."""
    sums = {"calls": 0, "failed": 0, "prompt_tokens": 0, "completion_tokens": 0, "uncounted": 0, "dollars": 0.0}
    for row in rows:
        for name in sums:
            sums[name] += sum(row.failed.values()) if name == "failed" else getattr(row, name)
    return sums


def main(study: str, solve: str, verify: str, condense: str, metrics: str) -> None:
    """Read the transcripts of each role, write the ledger: of roles that ask a model, and of all together."""
    endpoints = study_file.section(study, "endpoints", dict[str, Endpoint])
    roles = {
        "solve": (study_file.section(study, "solve", Role), solve),
        "verify": (study_file.section(study, "verify", Role), verify),
        "condense": (study_file.section(study, "condense", Role), condense),
    }
    document: dict[str, Row] = {}
    for name, (role, path) in roles.items():
        asks = role.teacher == "chat"
        row = ledger(_responses(Path(path)), endpoints[role.endpoint].price(role.model) if asks else None, role.batch is not None)
        if asks:
            document[name] = row
    write_json(Path(metrics), {**msgspec.to_builtins(document), "together": together(document.values())})
    calls = sum(row.calls for row in document.values())
    command.closing("cost", calls, len(document))


def _responses(path: Path) -> Iterator[Response]:
    return (parse(call.response) for call in files.iterate_records(path, Call))


if __name__ == "__main__":
    command.run(main)
