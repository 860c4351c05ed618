"""The call store: what is put stays, and the ledger counts what was or may have been paid."""

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from distill.core.errors import InputError
from distill.llm.budget import BudgetLimit, Cost
from distill.llm.call_store import CallStore
from distill.llm.request import Response, canonical, key, parse
from tests.llm_client_helpers import FREE, problem

WORST, PAID = Cost(100, 1000), Cost(10, 70)
KEY = key(problem(0), 0)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[CallStore]:
    with CallStore(tmp_path / "calls.sqlite") as opened:
        yield opened


def response(text: str = "12", finish: str = "stop") -> Response:
    message = {"role": "assistant", "content": text}
    return parse(json.dumps({"model": "m-1", "choices": [{"message": message, "finish_reason": finish}], "usage": {"prompt_tokens": 3}}))


def put(store: CallStore, attempt: int | None, said: Response, paid: Cost | None = PAID) -> None:
    store.put(attempt, canonical(problem(0), 0), said, paid, 0.2, 1, "chat")


def test_what_is_put_is_got_by_another_opening(store: CallStore) -> None:
    assert (store.get(KEY), store.holds(KEY)) == (None, False)
    put(store, store.reserve(KEY, WORST, FREE), response())
    with CallStore(store.path) as other:
        assert (other.get(KEY), other.holds(KEY), store.holds(KEY)) == (response(), True, True)


@pytest.mark.parametrize("paid", [PAID, None], ids=["by usage", "usage not told"])
def test_a_reservation_becomes_what_was_paid(store: CallStore, paid: Cost | None) -> None:
    attempt = store.reserve(KEY, WORST, FREE)
    assert store.spent() == WORST
    put(store, attempt, response(), paid)
    assert store.spent() == (paid or WORST)
    assert [tuple(row) for row in store.rows("SELECT tokens, nano FROM calls")] == [(store.spent().tokens, store.spent().nano)]


def test_a_refused_attempt_costs_nothing(store: CallStore) -> None:
    attempt = store.reserve(KEY, WORST, FREE)
    assert attempt is not None
    store.release(attempt)
    assert store.spent() == Cost(0, 0)


@pytest.mark.parametrize("paid", [PAID, None], ids=["usage told", "not told"])
def test_a_dropped_attempt_keeps_its_text_and_its_cost(store: CallStore, paid: Cost | None) -> None:
    attempt = store.reserve(KEY, WORST, FREE)
    assert attempt is not None
    store.lose(attempt, "reset", "3 ×", paid)
    assert store.spent() == (paid or WORST)
    assert [tuple(row) for row in store.rows("SELECT key, reason, partial FROM attempts")] == [(KEY, "reset", "3 ×")]
    assert store.get(KEY) is None


def test_the_cap_is_one_for_all_who_share_the_store(store: CallStore) -> None:
    cap = BudgetLimit(None, 250)
    with CallStore(store.path) as other:
        attempts = [each.reserve(KEY, WORST, cap) for each in (store, other, store, other)]
        assert [attempt is not None for attempt in attempts] == [True, True, False, False]
        put(store, attempts[0], response())
        assert other.reserve(KEY, WORST, cap) is not None


def test_what_two_bought_at_once_is_stored_once_and_paid_twice(store: CallStore) -> None:
    attempts = [store.reserve(KEY, WORST, FREE), store.reserve(KEY, WORST, FREE)]
    put(store, attempts[0], response("first"))
    put(store, attempts[1], response("second"))
    assert store.get(KEY) == response("first")
    assert store.spent() == PAID + PAID


def test_another_file_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("these are notes, and they are long enough to look like the head of a file " * 9)
    with pytest.raises(InputError, match=r"notes\.txt: no call store that can be opened"):
        CallStore(path)
    assert path.read_text().startswith("these are notes")


def test_a_store_of_another_version_is_refused(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "calls.sqlite") as base:
        base.execute("PRAGMA user_version = 9")
    base.close()
    with pytest.raises(InputError, match="a call store of version 9, this program reads version 1"):
        CallStore(tmp_path / "calls.sqlite")
