"""A student whose answers somebody published: no weights, but a folder with one file of answers per arm and a manifest.

manifest.json: `params`, the study's section; `arms`, for each arm the files that were read, with their counts, and those that are missing,
with the reason. An arm that it does not name was not recorded.
"""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from distill.core.cells import BASE
from distill.core.errors import InputError
from distill.core.files import read_json

KIND = "recorded"


class RecordedAnswer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One published answer, with what its file says of the problem; "" where the file does not say it."""

    benchmark: str
    year: str
    section: str
    number: str  # how the file numbers the questions
    statement: str
    text: str  # as published
    cut_from: int  # characters: a text at least this long that breaks off was cut by the token limit; 0: it is known that it was
    published_verdict: str | UnsetType = UNSET  # correct | incorrect | error; unset: the judge said something else


def recording(student: Path, arm: str, seed: int) -> dict[str, Any] | None:
    """Return what was recorded of an arm; None where the student has weights, {} where nothing was recorded of this arm."""
    path = student / "manifest.json"
    about = read_json(path) if path.exists() else {}
    params = about.get("params")
    if not isinstance(params, dict) or params.get("kind") != KIND:
        return None
    if arm != BASE and seed != params["seed"]:
        raise InputError(f"seed {seed}: the student is recorded once, as seed {params['seed']}; fix `seeds` in params.yaml, or train it")
    found: dict[str, Any] = about["arms"].get(arm, {})
    return found


def answers_file(student: Path, arm: str) -> Path:
    """Return the path of an arm's recorded answers."""
    return student / f"{arm}.jsonl"


def squeeze(text: str) -> str:
    """Return a text in one normal form: how a file wraps, spaces or encodes it does not matter.

    >>> squeeze(" Find  x² \\n")
    'Find x2'
    """
    return " ".join(unicodedata.normalize("NFKC", text).split())


def unanimous(groups: Iterable[Sequence[RecordedAnswer]]) -> tuple[list[RecordedAnswer | None], Counter[str]]:
    """Return one answer of each group, and how many rows were dropped, by reason.

    What was recorded twice with the same text and verdict is taken once. Where texts or verdicts differ, nothing tells which one counts:
    the group has none.
    """
    taken: list[RecordedAnswer | None] = []
    dropped = Counter[str]()
    for group in groups:
        differ = len({(each.text, each.published_verdict) for each in group}) > 1
        taken.append(None if differ else group[0])
        dropped["answers to one question that differ"] += len(group) if differ else 0
        dropped["the same answer again"] += 0 if differ else len(group) - 1
    return taken, dropped
