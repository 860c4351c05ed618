"""The command for a call store: list, export, import, verify, prune."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from distill.core.errors import InputError
from distill.llm.batch_queue import BatchQueue
from distill.llm.budget import Cost
from distill.llm.call_store import CallStore
from distill.llm.request import canonical, key
from tests.llm_client_helpers import FREE, endpoint, problem
from tests.test_store import response
from tools import calls


@pytest.fixture
def store(tmp_path: Path) -> Iterator[CallStore]:
    """Hold three whole calls, one that was cut, one dropped, one open."""
    with CallStore(tmp_path / "calls.sqlite") as opened:
        for number in range(4):
            attempt = opened.reserve(key(problem(number), 0), Cost(100, 10**10), FREE)
            said = response(str(number), "length" if number == 3 else "stop")
            opened.put(attempt, canonical(problem(number), 0), said, Cost(10, 25 * 10**7), 0.2, 1, "chat")
        dropped = opened.reserve("dropped", Cost(100, 10**10), FREE)
        assert dropped is not None
        opened.lose(dropped, "reset", "3 ×")
        opened.reserve("open", Cost(100, 10**10), FREE)
        yield opened


def test_a_list_says_what_was_paid(store: CallStore) -> None:
    text = calls.listed(store)
    assert "counted against the budget: $1.0000 billed, $20.0000 reserved, 240 tokens in all" in text
    assert [row.split()[:4] for row in text.splitlines() if row.startswith("m-1")] == [
        ["m-1", "length", "chat", "1"],
        ["m-1", "stop", "chat", "3"],
    ]
    assert [row.split()[0] for row in text.splitlines() if row.startswith(("open", "reset"))] == ["open", "reset"]


@pytest.mark.parametrize("name", ["calls.jsonl", "calls.jsonl.gz"])
def test_what_is_exported_can_be_imported_elsewhere(
    store: CallStore, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    calls.main("export", str(store.path), str(tmp_path / name))
    calls.main("import", str(tmp_path / "other.sqlite"), str(tmp_path / name))
    calls.main("import", str(tmp_path / "other.sqlite"), str(tmp_path / name))
    assert [line.split(": ")[1] for line in capsys.readouterr().out.splitlines()] == ["4 calls", "4 new calls", "0 new calls"]
    with CallStore(tmp_path / "other.sqlite") as other:
        assert list(calls.wrong(other)) == []
        assert other.ledger().total == Cost(0, 0)  # somebody else paid
        assert [other.get(key(problem(n), 0)) for n in range(4)] == [store.get(key(problem(n), 0)) for n in range(4)]
        calls.export(other, tmp_path / f"again-{name}")
    assert (tmp_path / f"again-{name}").read_bytes() == (tmp_path / name).read_bytes()


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        pytest.param(
            "UPDATE calls SET request = replace(request, '×', '+') WHERE raw LIKE '%\"0\"%'", "not the hash of its request", id="request"
        ),
        pytest.param("UPDATE calls SET raw = substr(raw, 1, 40) WHERE raw LIKE '%\"0\"%'", "no chat completion", id="response"),
        pytest.param("UPDATE calls SET finish = 'stop' WHERE finish = 'length'", "its response says otherwise", id="what is noted"),
        pytest.param("UPDATE spent SET reserved_tokens = 1", "the ledger: 1 tokens and 20000000000 nano-dollars reserved", id="reserved"),
        pytest.param("UPDATE spent SET nano = 1", "the ledger: 40 tokens and 1 nano-dollars billed", id="ledger"),
    ],
)
def test_what_was_changed_is_found(store: CallStore, change: str, fault: str) -> None:
    assert list(calls.wrong(store)) == []
    store.change(change)
    found = list(calls.wrong(store))
    assert len(found) == 1
    assert fault in found[0]
    with pytest.raises(SystemExit, match="verify: 1 faults"):
        calls.verify(store)


@pytest.mark.parametrize(
    ("words", "said", "left", "attempts", "tokens"),
    [
        pytest.param(["attempts"], "1 texts forgotten", 4, 2, 240, id="attempts"),
        pytest.param(["finish", "length"], "1 calls removed", 3, 2, 240, id="finish"),
    ],
)
def test_pruning_removes_and_the_ledger_stays(store: CallStore, words: list[str], said: str, left: int, attempts: int, tokens: int) -> None:
    assert calls.prune(store, *words) == said
    counts = [next(store.rows(f"SELECT count(*) AS n FROM {table}"))["n"] for table in ("calls", "attempts")]
    assert (counts, store.ledger().total.tokens, list(calls.wrong(store))) == ([left, attempts], tokens, [])


@pytest.mark.parametrize(("hours", "said"), [((), "0 res"), (("24",), "0 res"), (("0",), "2 res")], ids=["usual", "a day", "all"])
def test_old_reservations_can_be_released(store: CallStore, hours: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    calls.main("release", str(store.path), *hours)
    left = "$20.0000" if said.startswith("0") else "$0.0000"
    assert capsys.readouterr().out == f"{said}ervations taken back; counted against the budget: $1.0000 billed, {left} reserved\n"
    assert list(calls.wrong(store)) == []


def test_a_reservation_in_a_batch_is_kept(store: CallStore) -> None:
    queue = BatchQueue(store, "url")
    queue.add(problem(7), 0)
    queue.compose("m", endpoint("").prices["m"], FREE, 9, 10**6)
    held = store.ledger().reserved.tokens - 200
    assert calls.release(store, "0").startswith("2 reservations taken back")
    assert store.ledger().reserved.tokens == held > 0


def test_all_but_some_transcripts_can_be_removed(store: CallStore, tmp_path: Path) -> None:
    calls.export(store, tmp_path / "kept.jsonl")
    store.put(None, canonical(problem(9), 0), response("9"), Cost(10, 70), 0.2, 1, "chat")
    assert calls.prune(store, "but", str(tmp_path / "kept.jsonl")) == "1 calls removed, 4 kept"
    assert store.get(key(problem(9), 0)) is None


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        pytest.param(["drop", "calls.sqlite"], "no command 'drop'; commands: list, export", id="command"),
        pytest.param(["list", "no.sqlite"], r"no such call store; a study's is \.work/STUDY/calls\.sqlite", id="no store"),
        pytest.param(["export", "calls.sqlite"], "expected one file, got 0", id="no file"),
        pytest.param(["release", "calls.sqlite", "-5"], "expected a number of hours, got '-5'", id="hours"),
        pytest.param(["prune", "calls.sqlite"], "prune what", id="prune"),
        pytest.param(["prune", "calls.sqlite", "all"], "'all' is none of", id="prune all"),
    ],
)
def test_a_slip_of_the_command_is_one_line(store: CallStore, tmp_path: Path, words: list[str], fault: str) -> None:
    with pytest.raises(InputError, match=fault):
        calls.main(words[0], str(tmp_path / words[1]), *words[2:])
