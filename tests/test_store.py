"""The call store: what is put stays, and the ledger counts what was or may have been paid."""

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from time import time

import pytest

from distill.core.errors import InputError
from distill.llm.budget import BudgetLimit, Cost, Ledger
from distill.llm.call_store import _TABLES, CallStore
from distill.llm.request import Response, canonical, key, parse
from tests.llm_client_helpers import FREE, problem

NONE, WORST, PAID = Cost(0, 0), Cost(100, 1000), Cost(10, 70)
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
    assert store.ledger() == Ledger(NONE, WORST)
    put(store, attempt, response(), paid)
    assert store.ledger() == (Ledger(paid, NONE) if paid else Ledger(NONE, WORST))
    assert [tuple(row) for row in store.rows("SELECT tokens, nano FROM calls")] == [
        (store.ledger().total.tokens, store.ledger().total.nano)
    ]


def test_a_refused_attempt_costs_nothing(store: CallStore) -> None:
    attempt = store.reserve(KEY, WORST, FREE)
    assert attempt is not None
    store.release(attempt)
    assert store.ledger() == Ledger(NONE, NONE)


@pytest.mark.parametrize("paid", [PAID, None], ids=["usage told", "not told"])
def test_a_dropped_attempt_keeps_its_text_and_its_cost(store: CallStore, paid: Cost | None) -> None:
    attempt = store.reserve(KEY, WORST, FREE)
    assert attempt is not None
    store.lose(attempt, "reset", "3 ×", paid)
    assert store.ledger() == (Ledger(paid, NONE) if paid else Ledger(NONE, WORST))
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
    assert store.ledger() == Ledger(PAID + PAID, NONE)


def test_old_reservations_can_be_released_and_what_is_in_flight_ends_as_ever(store: CallStore) -> None:
    attempts = [store.reserve(KEY, WORST, FREE) for _ in range(5)]
    assert all(attempts)
    put(store, attempts[0], response())
    store.lose(attempts[1] or 0, "reset", "")
    assert store.release_old(time() - 60, []) == 0
    assert store.release_old(time() + 60, [KEY]) == 0
    assert store.ledger() == Ledger(PAID, WORST + WORST + WORST + WORST)
    assert store.release_old(time() + 60, []) == 4
    assert store.ledger() == Ledger(PAID, NONE)
    put(store, attempts[2], response("again"))
    store.lose(attempts[3] or 0, "reset", "")
    store.release(attempts[4] or 0)
    assert store.ledger() == Ledger(PAID + PAID, NONE)


def test_calls_whose_usage_no_server_told_can_be_released(store: CallStore) -> None:
    put(store, store.reserve(KEY, WORST, FREE), response(), None)
    assert store.release_old(time() + 60, []) == 1
    assert (store.ledger(), store.get(KEY)) == (Ledger(NONE, NONE), response())


def test_a_store_of_the_first_version_is_taken_over(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "calls.sqlite", isolation_level=None) as base:
        for statement in _TABLES.split(";\n"):
            base.execute(statement)
        base.execute("PRAGMA user_version = 1")
        for name, completion in (("told", 20), ("untold", None)):
            row = (name, "{}", 0, "m", "stop", 10, completion, "{}", 0.1, 1, "chat", 30, 300, 1.0)
            base.execute(f"INSERT INTO calls VALUES ({', '.join('?' * len(row))})", row)
        for reason in ("open", "reset", "empty", "twice"):
            base.execute("INSERT INTO attempts (key, reason, partial, tokens, nano, made) VALUES ('a', ?, '', 5, 50, 1.0)", (reason,))
        base.execute("UPDATE spent SET tokens = 80, nano = 800")
    base.close()
    for _ in range(2):
        with CallStore(tmp_path / "calls.sqlite") as store:
            assert store.ledger() == Ledger(Cost(40, 400), Cost(40, 400))


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
    with pytest.raises(InputError, match="a call store of version 9, this program reads version 2"):
        CallStore(tmp_path / "calls.sqlite")
