"""The batch route through the `together` client against the scripted server: faults, ends of a batch, kills, the budget."""

import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import date
from pathlib import Path

import msgspec
import pytest

from distill.core.errors import InputError
from distill.llm.batch_route import BatchLimits, BatchRoute
from distill.llm.budget import BudgetLimit, cost, max_cost
from distill.llm.call_store import CallStore
from distill.llm.endpoint_config import Endpoint, Price
from distill.llm.request import Answer, Failure, Request, Response, Sampling, body, key
from distill.records.example import Message
from tests.chatscript import Script, body_key
from tests.chatserver import Server, serving
from tests.llm_client_helpers import Named, answers

PRICE = Price(prompt=3.0, completion=7.0, batch=0.5, dated=date(2026, 1, 2))
FREE = BudgetLimit(dollars=None, tokens=None)
LIMITS = BatchLimits(lines=8, megabytes=1, poll=0.0, rounds=5)
ECHO = Script(answers="echo", polls=0, seed=3)


def endpoint(url: str, **other: object) -> Endpoint:
    values = {"base_url": url, "key_variable": "", "key_page": "", "concurrency": 4, "connect": 2.0, "timeout": 5.0, "deadline": 9.0}
    values |= {"attempts": 6, "backoff": 0.001, "backoff_most": 0.01, "outage_timeout": 0.02, "prices": {"m": PRICE}}
    return Endpoint(**values | other)


def call(text: str, sample: int = 0, seed: int | None = 5) -> tuple[str, Request, int]:
    sampling = Sampling(temperature=0.6, top_p=0.95, max_tokens=50, seed=seed, other={"top_k": 20})
    return f"{text}#{sample}", Request("m", (Message("system", "Repeat."), Message("user", text)), sampling), sample


def calls(count: int, word: str = "text") -> list[Named]:
    return [call(f"{word} {number}") for number in range(count)]


def batch(
    calls: list[Named], place: Endpoint, store: CallStore, limit: BudgetLimit = FREE, limits: BatchLimits = LIMITS
) -> Iterator[tuple[str, Answer]]:
    """Make calls by the batch route."""
    return answers(BatchRoute("calls", place, store, limit, limits), calls)


def asked(path: Path, url: str, them: list[Named], limit: BudgetLimit = FREE, limits: BatchLimits = LIMITS) -> dict[str, str]:
    """Return {name: text, or the reason of its failure}."""
    with CallStore(path) as store:
        found = dict(batch(them, endpoint(url), store, limit, limits))
    reasons = {name: answer.reason if isinstance(answer, Failure) else answer.unusable for name, answer in found.items()}
    return {name: f"! {reasons[name]}" if reasons[name] else answer.text for name, answer in found.items()}  # type: ignore[union-attr]


def texts(them: list[Named]) -> dict[str, str]:
    return {name: request.messages[-1].content for name, request, _ in them}


def lines(server: Server) -> Counter[str]:
    """Count how often each body was in a job."""
    return Counter(each.key for each in server.events() if each.event == "line")


def test_answers_come_to_the_keys_of_the_chat_route_at_half_the_price(tmp_path: Path) -> None:
    them = [*calls(20), call("text 3", sample=1), call("text 3", sample=1)]
    with serving(ECHO, tmp_path / "log") as server:
        assert asked(tmp_path / "store", server.url, them) == texts(them)
        assert Counter(each.fault for each in server.events() if each.event == "line") == {
            "batch-0000": 8,
            "batch-0001": 8,
            "batch-0002": 5,
        }
        assert asked(tmp_path / "store", "http://127.0.0.1:9", them) == texts(them)  # nothing is asked again: nobody is there
        done = [each for each in server.events() if each.event == "done"]
    with CallStore(tmp_path / "store") as store:
        assert all(isinstance(store.get(key(request, sample)), Response) for _, request, sample in them)
        assert {row[0] for row in store.rows("SELECT route FROM calls")} == {"batch"}
        paid = sum(cost(PRICE, each.prompt_tokens, each.completion_tokens, batch=True).nano for each in done)
        assert store.ledger().total.nano == paid == sum(row[0] for row in store.rows("SELECT nano FROM calls"))


SCRIPTS = {
    "40 % of the lines fail": {"lines": 0.4, "line_faults": ("500", "429", "missing", "empty", "blank")},
    "lines are torn": {"lines": 0.2, "line_faults": ("torn",)},
    "the first batches expire, fail and are cancelled": {"batches": ("EXPIRED", "FAILED", "CANCELLED")},
    "each step fails at first": {
        "files": (
            ("upload", ("500", "429")),
            ("put", ("502",)),
            ("create", ("502", "reset")),
            ("poll", ("reset", "500")),
            ("content", ("503",)),
        )
    },
    "a created batch is not heard of": {"files": (("create", ("reset", "reset", "reset")),)},
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_what_fails_is_asked_again_and_what_is_stored_is_not(tmp_path: Path, name: str) -> None:
    script = msgspec.structs.replace(ECHO, **SCRIPTS[name])
    them = calls(24)
    with serving(script, tmp_path / "log") as server:
        assert asked(tmp_path / "store", server.url, them) == texts(them)
        events = server.events()
    stored = {each.key for each in events if each.event == "done" and not each.fault}
    assert stored == {body_key(body(request, sample)) for _, request, sample in them}
    again = Counter(each.key for each in events if each.event == "done" and not each.fault)
    if script.line_faults != ("torn",):  # what a torn file held beside the torn line was read
        assert set(again.values()) == {1}


def test_a_call_that_fails_in_every_round_is_a_failure_with_its_reason(tmp_path: Path) -> None:
    script = msgspec.structs.replace(ECHO, lines=1.0, most=99, line_faults=("500", "429", "400", "missing", "empty"))
    them = calls(30)
    with serving(script, tmp_path / "log") as server:
        got = asked(tmp_path / "store", server.url, them, limits=msgspec.structs.replace(LIMITS, rounds=2))
        rounds = lines(server)
    assert set(got.values()) == {"! status-500", "! status-429", "! status-400", "! missing", "! empty"}
    refused = [body_key(body(request, sample)) for name, request, sample in them if got[name] == "! status-400"]
    assert {rounds[each] for each in refused} <= {1, 2}
    assert 1 in {rounds[each] for each in refused}  # a line that is wrong is not sent again
    assert set(rounds.values()) == {1, 2}


def test_a_text_cut_at_max_tokens_is_stored_paid_for_and_a_failure(tmp_path: Path) -> None:
    them = [call("a text of more than fifty tokens, " * 9)]
    with serving(ECHO, tmp_path / "log") as server:
        assert list(asked(tmp_path / "store", server.url, them).values()) == ["! length"]
        assert list(asked(tmp_path / "store", server.url, them).values()) == ["! length"]
        assert list(lines(server).values()) == [1]


def test_batches_that_always_fail_end_in_one_line_that_says_why(tmp_path: Path) -> None:
    script = msgspec.structs.replace(ECHO, batches=("FAILED",) * 99)
    with (
        serving(script, tmp_path / "log") as server,
        pytest.raises(InputError, match=r"fail as a whole: the input file could not be .*chat route"),
    ):
        asked(tmp_path / "store", server.url, calls(4))
    with CallStore(tmp_path / "store") as store:
        assert store.ledger().total.nano == 0


REFUSED = {
    "upload": (("upload", ("401",)), "cannot upload: the key is not accepted"),
    "create": (("create", ("402",)), "cannot create a batch: the account has no credit"),
    "poll": (("poll", ("404",)), "cannot ask about a batch: no such address or model"),
    "down": (("create", ("503",) * 9999), "is down: cannot create a batch"),
}


@pytest.mark.parametrize("step", REFUSED)
def test_a_refused_step_ends_in_one_line_and_a_new_run_goes_on_there(tmp_path: Path, step: str) -> None:
    files, says = REFUSED[step]
    them = calls(5)
    with serving(msgspec.structs.replace(ECHO, files=(files,)), tmp_path / "log") as server:
        with pytest.raises(InputError, match=says) as caught:
            asked(tmp_path / "store", server.url, them)
        assert "\n" not in str(caught.value)
        if step != "down":
            assert asked(tmp_path / "store", server.url, them) == texts(them)
            assert set(lines(server).values()) == {1}


class Killed(BaseException):
    """Stands for a kill -9 between two transactions."""


class Mortal(CallStore):
    """A store whose process dies at the n-th of its transactions."""

    def __init__(self, path: Path, left: int) -> None:
        self.left = 10**9
        super().__init__(path)
        self.left = left

    def _change(self):  # type: ignore[no-untyped-def]
        self.left -= 1
        if self.left < 0:
            raise Killed
        return super()._change()


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    script = msgspec.structs.replace(ECHO, lines=0.3, line_faults=("500", "missing", "empty"))
    with serving(script, tmp_path_factory.mktemp("server") / "log") as server:
        yield server


def test_a_kill_between_any_two_transactions_loses_and_repeats_nothing(tmp_path: Path, lasting: Server) -> None:
    for moment in range(999):
        them = calls(3, f"kill {moment}")
        path = tmp_path / f"store-{moment}"
        start = lasting.size()
        with Mortal(path, moment) as store:
            try:
                list(batch(them, endpoint(lasting.url), store))
                break
            except Killed:
                pass
        assert asked(path, lasting.url, them) == texts(them), f"killed at transaction {moment}"
        events = lasting.events(start)
        good = Counter(each.key for each in events if each.event == "done" and not each.fault)
        assert set(good.values()) == {1}, f"killed at transaction {moment}: an answer was made twice"
        with CallStore(path) as store:
            lost = [tuple(row) for row in store.rows("SELECT reason, nano FROM attempts")]
            paid = sum(row[0] for row in store.rows("SELECT nano FROM calls"))
            dangling = [nano for reason, nano in lost if reason == "open"]
            assert len(dangling) <= 1, f"killed at transaction {moment}"  # reserved, and not yet put into a batch
            assert store.ledger().total.nano == paid + sum(nano for _, nano in lost)
    assert moment > 20


def test_a_real_kill_while_a_batch_is_in_work(tmp_path: Path) -> None:
    program = (
        "import sys\nfrom pathlib import Path\nfrom tests.test_batch import asked, calls, LIMITS\nimport msgspec\n"
        "print('go', flush=True)\n"
        "asked(Path(sys.argv[1]), sys.argv[2], calls(20), limits=msgspec.structs.replace(LIMITS, poll=60.0))\n"
    )
    with serving(ECHO, tmp_path / "log") as server:
        words = [sys.executable, "-c", program, str(tmp_path / "store"), server.url]
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=Path(__file__).parents[1]) as process:
            while not lines(server):
                assert process.poll() is None
            with CallStore(tmp_path / "store") as store, pytest.raises(InputError, match="another process"):
                list(batch(calls(1, "other"), endpoint(server.url), store))
            process.send_signal(signal.SIGKILL)
        assert asked(tmp_path / "store", server.url, calls(20)) == texts(calls(20))
        assert set(lines(server).values()) == {1}


@pytest.mark.parametrize("share", [0.0, 0.075, 0.4, 2.0])
def test_the_budget_is_reserved_before_anything_goes_up_and_never_passed(tmp_path: Path, share: float) -> None:
    them = calls(20)
    most = sum(max_cost(PRICE, body(request, sample), batch=True).nano for _, request, sample in them)
    cap = BudgetLimit(dollars=share * most / 1e9, tokens=None)
    with serving(ECHO, tmp_path / "log") as server:
        with pytest.raises(InputError, match="the budget is used up") if share < 0.4 else nullcontext():
            assert asked(tmp_path / "store", server.url, them, cap) == texts(them)
        done = sum(lines(server).values())
    with CallStore(tmp_path / "store") as store:
        assert store.ledger().total.nano <= cap.dollars * 1e9
        assert (done == 20) == (share >= 0.4)
        if done < 20:  # not even one more fits
            assert store.ledger().total.nano + max_cost(PRICE, body(*them[0][1:]), batch=True).nano > cap.dollars * 1e9


def test_what_was_answered_before_the_budget_ended_is_stored(tmp_path: Path) -> None:
    them = calls(20)
    cap = BudgetLimit(
        dollars=0.075 * sum(max_cost(PRICE, body(request, sample), batch=True).nano for _, request, sample in them) / 1e9, tokens=None
    )
    with serving(ECHO, tmp_path / "log") as server, CallStore(tmp_path / "store") as store:
        with pytest.raises(InputError):
            list(batch(them, endpoint(server.url), store, cap))
        stored = sum(store.holds(key(request, sample)) for _, request, sample in them)
        assert 0 < stored == sum(lines(server).values()) < 20


def test_without_a_key_nothing_is_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("A_KEY", raising=False)
    with serving(ECHO, tmp_path / "log") as server, CallStore(tmp_path / "store") as store:
        keyed = endpoint(server.url, key_variable="A_KEY", key_page="the key page")
        with pytest.raises(InputError, match=r"A_KEY is not set.*the key page"):
            list(batch(calls(3), keyed, store))
        assert not server.events()
        assert store.ledger().total.nano == 0


def test_the_key_stands_in_no_file_and_no_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("A_KEY", "sesame-open-0123456789")
    script = msgspec.structs.replace(ECHO, key="sesame-open-0123456789", lines=0.5, files=(("poll", ("500", "401")),))
    with serving(script, tmp_path / "log") as server, CallStore(tmp_path / "store") as store:
        keyed = endpoint(server.url, key_variable="A_KEY", key_page="the key page")
        with pytest.raises(InputError) as caught:
            list(batch(calls(9), keyed, store))
        list(batch(calls(9), keyed, store))
        printed = "".join(capfd.readouterr())
        assert "sesame" not in str(caught.value) + printed
        assert all(b"sesame" not in file.read_bytes() for file in tmp_path.iterdir())


def test_failures_of_the_batch_route_are_failures(tmp_path: Path) -> None:
    script = msgspec.structs.replace(ECHO, lines=1.0, most=99, line_faults=("500",))
    with serving(script, tmp_path / "log") as server, CallStore(tmp_path / "store") as store:
        ((name, answer),) = batch(calls(1), endpoint(server.url), store)
    assert (name, answer) == ("text 0#0", Failure("status-500", "500: scripted 500"))
