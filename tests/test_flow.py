"""Many calls against the scripted server: faults, kills, caps, an endpoint that is down, Ctrl-C, and a key that must not show."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import pytest

from bench.teacher import again, spend, stored
from distill.core.errors import InputError
from distill.llm.budget import BudgetLimit
from distill.llm.call_store import CallStore
from distill.llm.request import Failure, Response
from tests.chatscript import FAULTS, Script
from tests.chatserver import ROOT, Server, serving
from tests.llm_client_helpers import FREE, Named, chat, corpus, endpoint, problem
from tools.calls import release

KEY = "sk-hidden-0123456789"
FAULTY = Script(latency=0.01, rate=0.4, reasoning="think", hang=1.0)
PLAIN = Script(answers="echo", latency=0.01)


def calls(numbers: Iterable[int]) -> list[Named]:
    return [(str(n), problem(n), 0) for n in numbers]


def asking(server: Server, folder: Path, count: int, environment: dict[str, str] | None = None, **changed: Any) -> subprocess.Popen[bytes]:
    job = {
        "url": server.url,
        "store": str(folder / "calls.sqlite"),
        "count": count,
        "out": str(folder / f"{count}.jsonl"),
        "changed": changed,
    }
    words = [sys.executable, "-m", "tests.llm_client_helpers", json.dumps(job)]
    with (folder / "stderr").open("ab") as file:
        return subprocess.Popen(words, cwd=ROOT, stderr=file, stdout=file, env=os.environ | (environment or {}))


def commands() -> set[str]:
    """Return the process list, each with its words."""
    if not Path("/proc/self/cmdline").exists():
        return set(subprocess.run(["ps", "-Ao", "args"], capture_output=True, text=True, check=True).stdout.split("\n"))
    found = set()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it ended meanwhile
            found.add(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return found


def wait(true: Callable[[], bool], seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.01)
    assert true()


def test_faults_change_nothing_and_nothing_stored_is_sent_again(tmp_path: Path) -> None:
    found = []
    for name, script in (("well", Script(reasoning="think")), ("faulty", FAULTY)):
        with serving(script, tmp_path / name) as server, CallStore(tmp_path / f"{name}.sqlite") as store:
            found.append(list(corpus(endpoint(server.url, timeout=0.2), store, FREE, 100)))
            assert again(server.events()) == 0
    met = Counter(each.fault for each in server.events() if each.event == "asked" and each.fault)
    assert set(met) == set(FAULTS)
    assert found[0] == found[1]


def test_what_is_stored_is_answered_without_endpoint_or_key(tmp_path: Path) -> None:
    with CallStore(tmp_path / "calls.sqlite") as store:
        with serving(PLAIN, tmp_path / "log") as server:
            first = dict(chat(calls(range(20)), endpoint(server.url), store, FREE))
        nowhere = endpoint("http://127.0.0.1:9", key_variable="NO_SUCH_KEY")
        assert dict(chat(calls(range(20)), nowhere, store, FREE)) == first


def test_a_killed_run_goes_on_where_it_was(tmp_path: Path) -> None:
    draw, path = Random(3), tmp_path / "calls.sqlite"
    with serving(Script(latency=0.05, rate=0.3, reasoning="think", hang=1.0), tmp_path / "log") as server:
        for kill in (True, True, False):
            known, mark = stored(path), server.size()
            with asking(server, tmp_path, 80, timeout=0.2) as running:
                wait(lambda mark=mark: server.size() > mark)  # type: ignore[misc]
                if kill:
                    time.sleep(draw.uniform(0.1, 0.4))
                    running.kill()
            assert [key for key in server.asked(mark) if key in known] == []
    with serving(Script(reasoning="think"), tmp_path / "well") as server, CallStore(tmp_path / "well.sqlite") as store:
        well = [list(row) for row in corpus(endpoint(server.url), store, FREE, 80)]
    assert [json.loads(line) for line in (tmp_path / "80.jsonl").read_text().splitlines()] == well
    assert set(stored(path).values()) == {1}


@pytest.mark.parametrize("seed", range(2))
def test_the_cap_is_never_passed_and_well_used(tmp_path: Path, seed: int) -> None:
    script = Script(rate=0.3 * (seed % 2), reasoning="think", hang=0.2, seed=seed)
    cap = Random(seed).uniform(0.009, 0.012)
    spent, done = spend(tmp_path / "run", script, BudgetLimit(cap, None), 200)
    assert not done
    assert 0.9 * cap <= spent <= cap


def test_the_bill_is_told_apart_from_what_is_reserved(tmp_path: Path) -> None:
    """Kills and faults of all kinds: what the server billed for stored answers is billed here, whatever the others may cost is reserved."""
    path, draw = tmp_path / "calls.sqlite", Random(5)
    with serving(Script(latency=0.05, rate=0.3, reasoning="think", hang=1.0), tmp_path / "log") as server:
        for _ in range(2):
            mark = server.size()
            with asking(server, tmp_path, 60, timeout=0.2) as running:
                wait(lambda mark=mark: server.size() > mark)  # type: ignore[misc]
                time.sleep(draw.uniform(0.2, 0.4))
                running.kill()
        with CallStore(path) as store:
            first = store.ledger()
            list(corpus(endpoint(server.url, timeout=0.2), store, FREE, 60))
            used = [row[0] for row in store.rows("SELECT prompt_tokens + completion_tokens FROM calls")]
            empty = sum(row[0] for row in store.rows("SELECT tokens FROM attempts WHERE reason = 'empty'"))
            kinds = {row[0] for row in store.rows("SELECT reason FROM attempts WHERE reserved")}
            assert store.ledger().billed.tokens == sum(used) + empty
            assert store.ledger().reserved.nano >= first.reserved.nano > 0
            assert kinds <= {"open", "reset", "timeout", "malformed", "content-type", "stream-error"}  # no 429, no refusal


@pytest.mark.parametrize("fault", ["429", "400", "500", "error-429"])
def test_what_is_answered_by_a_refusal_reserves_nothing(tmp_path: Path, fault: str) -> None:
    with serving(Script(rate=1.0, faults=[fault], most=2), tmp_path / "log") as server, CallStore(tmp_path / "calls.sqlite") as store:
        list(chat(calls(range(20)), endpoint(server.url), store, FREE))
        assert (store.ledger().billed.nano > 0, store.ledger().reserved.nano) == (fault != "400", 0)


def test_a_budget_held_by_reservations_says_so_and_they_can_be_released(tmp_path: Path) -> None:
    cap, script = BudgetLimit(0.03, None), Script(rate=1.0, faults=["reset-mid"], most=1)
    says = (
        r"used up: \$0\.0\d+ billed, \$0\.02\d+ reserved .* or release old reservations \(`python -m tools.calls release /.*sqlite`\), and"
    )
    with serving(script, tmp_path / "log") as server, CallStore(tmp_path / "calls.sqlite") as store:
        with pytest.raises(InputError, match=says):
            list(chat(calls(range(40)), endpoint(server.url), store, cap))
        assert store.ledger().total.nano <= 0.03e9
        release(store, "0")
        assert store.ledger().reserved.nano == 0
        list(chat(calls(range(20)), endpoint(server.url), store, cap))
        assert store.ledger().total.nano <= 0.03e9


def test_the_closing_line_has_the_servers_words_and_both_sums(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    script = Script(plan=[("Compute 13 ", ["400"]), ("Compute 14 ", ["reset-mid"])], answers="echo")
    with serving(script, tmp_path / "log") as server, CallStore(tmp_path / "calls.sqlite") as store:
        list(chat(calls(range(5)), endpoint(server.url), store, FREE))
        now = str(store.ledger())
        billed = now.partition(",")[0]
    assert (
        f'1 failed (refused: 1 "400: scripted 400"); 2 attempts in vain (refused: 1, reset: 1); {billed} now; {now} in all'
        in capfd.readouterr().err
    )


def test_a_used_up_budget_is_one_line(tmp_path: Path) -> None:
    with serving(PLAIN, tmp_path / "log") as server, CallStore(tmp_path / "calls.sqlite") as store:
        with pytest.raises(InputError, match=r"^the budget is used up: .* the limit is None dollars and 1500 tokens; .* raise it .*$"):
            list(chat(calls(range(90)), endpoint(server.url), store, BudgetLimit(None, 1500)))
        assert store.ledger().total.tokens <= 1500


def test_an_endpoint_that_is_down_stops_the_run(tmp_path: Path) -> None:
    with CallStore(tmp_path / "calls.sqlite") as store:
        place = endpoint("http://127.0.0.1:9", outage_timeout=0.3, attempts=99)
        with pytest.raises(InputError, match=r"^http://127\.0\.0\.1:9 is down: nothing but failures for \d+ s, no connection the last .*$"):
            list(chat(calls(range(50)), place, store, FREE))
        assert store.ledger().total.nano == 0


def test_a_short_outage_is_waited_for(tmp_path: Path) -> None:
    with (
        serving(Script(answers="echo", latency=0.01, down=(20, 60)), tmp_path / "log") as server,
        CallStore(tmp_path / "calls.sqlite") as store,
    ):
        answers = dict(chat(calls(range(60)), endpoint(server.url, backoff_most=0.05), store, FREE))
    assert [name for name, answer in answers.items() if isinstance(answer, Failure)] == []


def test_a_limited_rate_is_found(tmp_path: Path) -> None:
    script = Script(answers="echo", latency=0.02, capacity=5)
    with serving(script, tmp_path / "log") as server, CallStore(tmp_path / "calls.sqlite") as store:
        answers = dict(chat(calls(range(120)), endpoint(server.url, attempts=1), store, FREE))
        refused = sum(each.event == "asked" and each.fault != "" for each in server.events())
    assert [name for name, answer in answers.items() if isinstance(answer, Failure)] == []  # a 429 is no attempt
    assert refused < 80  # the first 32 at once, and then one now and again


@pytest.mark.parametrize("status", ["401", "402", "404"])
def test_what_no_call_can_mend_stops_the_run(tmp_path: Path, status: str) -> None:
    with serving(Script(rate=1.0, faults=[status]), tmp_path / "log") as server, CallStore(tmp_path / "calls.sqlite") as store:
        with pytest.raises(InputError, match=rf"^http.*{status}.*0 answers of this run are stored: run it again to go on$"):
            list(chat(calls(range(200)), endpoint(server.url), store, FREE))
        assert sum(server.asked().values()) <= 64


@pytest.mark.parametrize(
    ("fault", "times", "reason", "response", "asked"),
    [
        pytest.param("400", 1, "refused", False, 1, id="refused for good"),
        pytest.param("500", 9, "status-500", False, 3, id="tried three times"),
        pytest.param("length", 1, "length", True, 1, id="cut at max_tokens"),
        pytest.param("blank", 1, "blank", True, 1, id="a thought and no answer"),
        pytest.param("empty", 9, "empty", False, 3, id="no choice, three times"),
    ],
)
def test_a_failure_says_why(tmp_path: Path, fault: str, times: int, reason: str, response: bool, asked: int) -> None:
    script = Script(reasoning="think", plan=[("Compute 13 ", [fault] * times)])
    with serving(script, tmp_path / "log") as server, CallStore(tmp_path / "calls.sqlite") as store:
        answers = dict(chat(calls(range(5)), endpoint(server.url, attempts=3), store, FREE))
        failed = answers.pop("2")
        assert all(isinstance(answer, Response) and not answer.unusable for answer in answers.values())
        assert isinstance(failed, Response) == response
        assert (failed.reason if isinstance(failed, Failure) else failed.unusable) == reason
        assert sum(server.asked().values()) == 4 + asked
        repeated = dict(chat(calls(range(5)), endpoint(server.url, attempts=1), store, FREE))["2"]
        assert sum(server.asked().values()) == 4 + asked + (not response)  # what is stored is not sent again, though it failed
        assert not response or repeated == failed


def test_equal_requests_are_one_call(tmp_path: Path) -> None:
    with serving(PLAIN, tmp_path / "log") as server, CallStore(tmp_path / "calls.sqlite") as store:
        asked = [(name, problem(n), 0) for n in range(3) for name in ("a", "b")]
        names = sorted(name for name, _ in chat(asked, endpoint(server.url), store, FREE))
        assert (names, sum(server.asked().values())) == (["a"] * 3 + ["b"] * 3, 3)


def test_a_caller_that_leaves_early_loses_nothing_in_flight(tmp_path: Path) -> None:
    with serving(Script(answers="echo", latency=0.2), tmp_path / "log") as server, CallStore(tmp_path / "calls.sqlite") as store:
        next(answers := chat(calls(range(99)), endpoint(server.url, concurrency=8), store, FREE))
        answers.close()
        assert sum(stored(store.path).values()) == sum(server.asked().values()) < 99


def test_processes_share_a_store(tmp_path: Path) -> None:
    with serving(PLAIN, tmp_path / "log") as server:
        running = [asking(server, tmp_path, count) for count in (60, 80)]
        assert [each.wait(30) for each in running] == [0, 0]
    assert len(stored(tmp_path / "calls.sqlite")) == 80


def test_ctrl_c_stores_what_is_in_flight(tmp_path: Path) -> None:
    with serving(Script(answers="echo", latency=0.7), tmp_path / "log") as server:
        running = asking(server, tmp_path, 500, concurrency=8)
        wait(lambda: sum(server.asked().values()) == 8)
        running.send_signal(signal.SIGINT)
        assert running.wait(10) == 130
        assert sum(server.asked().values()) == 8 == len(stored(tmp_path / "calls.sqlite"))
    assert "stopping; 8 calls in flight are waited for and stored; Ctrl-C again gives them up" in (tmp_path / "stderr").read_text()


def test_a_second_ctrl_c_quits(tmp_path: Path) -> None:
    with serving(Script(answers="echo", latency=9.0), tmp_path / "log") as server:
        running = asking(server, tmp_path, 500, concurrency=8, timeout=30.0)
        wait(lambda: sum(server.asked().values()) == 8)
        running.send_signal(signal.SIGINT)
        wait(lambda: b"in flight" in (tmp_path / "stderr").read_bytes())
        running.send_signal(signal.SIGINT)
        assert running.wait(3) == 130


def test_a_full_disk_is_one_line(tmp_path: Path) -> None:
    with serving(PLAIN, tmp_path / "log") as server, CallStore(tmp_path / "calls.sqlite") as store:
        list(store.rows("PRAGMA max_page_count = 20"))
        with pytest.raises(
            InputError, match=r"^.*calls\.sqlite: database or disk is full; what was stored is whole: fix the cause and run again$"
        ):
            list(chat(calls(range(200)), endpoint(server.url), store, FREE))
        assert 0 < len(stored(store.path)) < 200


def test_no_key_is_one_line_before_anything_is_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SOME_KEY", raising=False)
    with serving(PLAIN, tmp_path / "log") as server, CallStore(tmp_path / "calls.sqlite") as store:
        place = endpoint(server.url, key_variable="SOME_KEY", key_page="https://keys.example.org")
        with pytest.raises(InputError, match=r"^SOME_KEY is not set, .* make a key at https://keys\.example\.org .* nothing was spent$"):
            list(chat(calls(range(5)), place, store, FREE))
        assert (server.size(), store.ledger().total.tokens) == (0, 0)


def test_a_model_without_a_price_is_not_asked(tmp_path: Path) -> None:
    with serving(PLAIN, tmp_path / "log") as server, CallStore(tmp_path / "calls.sqlite") as store:
        with pytest.raises(InputError, match="no price of model 'm'; priced: n;"):
            list(chat(calls(range(5)), endpoint(server.url, prices={"n": endpoint("").prices["m"]}), store, FREE))
        assert server.size() == 0


@pytest.mark.parametrize("accepted", [KEY, "another"], ids=["faults", "key refused"])
def test_the_key_shows_nowhere(tmp_path: Path, accepted: str) -> None:
    script = Script(rate=0.5, most=9, reasoning="think", hang=1.0, key=accepted, faults=["500", "reset-mid", "400", "type"])
    with serving(script, tmp_path.parent / f"log-{accepted}") as server:
        logs = {"SOME_KEY": KEY, "TOGETHER_LOG": "debug"}
        running = asking(server, tmp_path, 30, logs, key_variable="SOME_KEY", timeout=0.2, attempts=2)
        listed, end = set[str](), time.monotonic() + 30
        while running.poll() is None and time.monotonic() < end:
            listed |= commands()
            time.sleep(0.02)
        assert running.returncode
    assert any("tests.llm_client_helpers" in words for words in listed)
    assert [words for words in listed if KEY in words and "tests.chatserver" not in words] == []  # the server is told what to accept
    written = {path.name: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert {"stderr", "calls.sqlite"} <= set(written)
    assert b"HTTP Response" in written["stderr"]
    assert [name for name, data in written.items() if KEY.encode() in data] == []
