"""Stored calls as a file that others can read: requests and responses, whole, and nothing of the machine or the hour that made them."""

import hashlib
from collections.abc import Container, Iterable, Iterator
from pathlib import Path

import msgspec

from distill.core import files
from distill.core.errors import InputError
from distill.llm.budget import Cost
from distill.llm.call_store import CallStore
from distill.llm.request import Empty, Malformed, parse


class StoredCall(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line."""

    key: str  # sha256 of `request`
    request: msgspec.Raw  # canonical JSON of {request, sample}
    response: str  # the chat.completion JSON as it came


def export(store: CallStore, keys: Container[bytes]) -> Iterator[StoredCall]:
    """Yield the calls with these keys (as bytes), in the order of the keys."""
    for row in store.rows("SELECT key, request, raw FROM calls ORDER BY key"):
        if bytes.fromhex(row["key"]) in keys:
            yield StoredCall(row["key"], msgspec.Raw(row["request"].encode()), row["raw"])


def import_calls(path: Path, store: CallStore) -> int:
    """Read a file of transcripts into the store, where they cost nothing; return how many were new."""
    return sum(_import(call, f"{path}:{number}", store) for number, call in enumerate(files.iterate_records(path, StoredCall), 1))


def _import(call: StoredCall, where: str, store: CallStore) -> bool:
    text = bytes(call.request)
    if hashlib.sha256(text).hexdigest() != call.key:
        raise InputError(f"{where}: its key is not the hash of its request; the file was changed: get it anew")
    try:
        response = parse(call.response)
    except (Malformed, Empty) as error:
        raise InputError(f"{where}: {error}; the file was changed: get it anew") from None
    return store.put(None, text, response, Cost(0, 0), 0.0, 0, "import")


def write(path: Path, calls: Iterable[StoredCall] = ()) -> int:
    """Write transcripts, .jsonl or .jsonl.gz; none for a stage that asks no model."""
    return files.write_records(path, calls)
