"""One attempt of one call against the scripted server: what comes back, and what each fault is taken for."""

import asyncio
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import msgspec
import pytest

from distill.llm.client import Client, RequestError, _seconds, brief, words
from distill.llm.endpoint_config import Endpoint
from distill.llm.request import Response
from distill.records.example import Message
from tests.chatscript import FAULTS, REFUSALS, Script
from tests.chatserver import Server, serving
from tests.llm_client_helpers import endpoint, problem

ALL = sorted({*FAULTS, *REFUSALS, "error-429"})
KEY = "sk-hidden-0123456789"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    plan = [(f"<{name}>", [name] * 9) for name in ALL]
    with serving(
        Script(answers="echo", plan=plan, retry_after=3.0, hang=5.0, chunks=6), tmp_path_factory.mktemp("chat") / "log"
    ) as running:
        yield running


def call(place: Endpoint, text: str) -> Response:
    asked = msgspec.structs.replace(problem(0), messages=(Message("user", text),))

    async def once() -> Response:
        client = Client(place)
        try:
            return await client.call(asked, 0)
        finally:
            await client.close()

    return asyncio.run(once())


def test_a_streamed_response_is_whole(server: Server) -> None:
    found = call(endpoint(server.url), "seven words are enough for a test")
    assert (found.text, found.finish, found.model) == ("seven words are enough for a test", "stop", "m")
    assert found.prompt_tokens
    assert found.completion_tokens
    assert msgspec.json.decode(found.raw)["object"] == "chat.completion"


def test_a_base_url_may_end_in_v1(server: Server) -> None:
    assert call(endpoint(server.url + "/v1/"), "12").text == "12"


@pytest.mark.parametrize(
    ("fault", "reason", "kind", "paid"),
    [
        ("429", "status-429", "rate", False),
        ("429-after", "status-429", "rate", False),
        ("500", "status-500", "again", False),
        ("502", "status-502", "again", False),
        ("503", "status-503", "again", False),
        ("400", "refused", "refused", False),
        ("401", "status-401", "stop", False),
        ("402", "status-402", "stop", False),
        ("404", "status-404", "stop", False),
        ("reset", "reset", "again", True),
        ("reset-mid", "reset", "again", True),
        ("cut", "reset", "again", True),
        ("hang", "timeout", "again", True),
        ("truncated", "malformed", "again", True),
        ("type", "content-type", "again", True),
        ("empty", "empty", "again", True),
        ("blank", "empty", "again", True),
        ("error", "stream-error", "again", True),
        ("error-429", "status-429", "rate", False),
    ],
)
def test_a_fault_is_named(server: Server, fault: str, reason: str, kind: str, paid: bool) -> None:
    with pytest.raises(RequestError) as caught:
        call(endpoint(server.url, timeout=0.3), f"<{fault}> and seven words are enough")
    error = caught.value
    assert (error.reason, error.kind, error.paid) == (reason, kind, paid)
    assert "\n" not in error.detail
    assert error.after == (3.0 if fault == "429-after" else 0.0)
    assert bool(error.partial) == (fault in ("reset-mid", "cut", "truncated", "error"))
    assert (error.usage != (None, None)) == (reason == "empty")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        pytest.param({"error": {"message": "too long"}}, "too long", id="OpenAI"),
        pytest.param({"detail": [{"msg": "too long"}]}, "[{'msg': 'too long'}]", id="FastAPI"),
        pytest.param({"message": f"\x1b[31mno {KEY}\r\n!"}, "[31mno *** !", id="key and control characters"),
        pytest.param("<html>" * 99, ("<html>" * 99)[:300], id="a page"),
        pytest.param(None, "nothing said", id="nothing"),
    ],
)
def test_what_a_server_says_is_one_short_line_without_the_key(body: object, said: str) -> None:
    assert brief(words(body), KEY) == said


def test_a_text_cut_at_max_tokens_is_a_response(server: Server) -> None:
    assert call(endpoint(server.url), "<length> and seven words").finish == "length"


def test_a_closed_port_costs_nothing() -> None:
    with pytest.raises(RequestError) as caught:
        call(endpoint("http://127.0.0.1:9"), "12")
    assert (caught.value.reason, caught.value.paid) == ("no connection", False)


def test_a_slow_stream_ends_at_the_deadline(tmp_path: Path) -> None:
    with serving(Script(answers="echo", latency=3.0, chunks=30), tmp_path / "log") as slow, pytest.raises(RequestError) as caught:
        call(endpoint(slow.url, deadline=0.7), "thirty pieces of a text that comes too slowly")
    assert (caught.value.reason, caught.value.partial != "") == ("timeout", True)


class _Parrot(BaseHTTPRequestHandler):
    """Says whatever authorization it was given."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        said = self.headers["authorization"]
        status = 400 if "refuse" in self.path else 200
        data = msgspec.json.encode({"choices": [{"message": {"content": said}, "finish_reason": "stop"}], "error": {"message": said}})
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.mark.parametrize("path", ["/", "/refuse"], ids=["response", "error"])
def test_a_key_that_a_server_repeats_is_taken_out(monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    monkeypatch.setenv("SOME_KEY", KEY)
    parrot = HTTPServer(("127.0.0.1", 0), _Parrot)
    Thread(target=parrot.serve_forever, args=(0.01,), daemon=True).start()
    try:
        found = call(endpoint(f"http://127.0.0.1:{parrot.server_port}{path}", key_variable="SOME_KEY"), "12").raw
    except RequestError as error:
        found = error.detail
    parrot.shutdown()
    parrot.server_close()
    assert "Bearer ***" in found
    assert KEY not in found


@pytest.mark.parametrize(
    ("value", "least", "most"),
    [
        pytest.param("2", 2.0, 2.0, id="seconds"),
        pytest.param("0.5", 0.5, 0.5, id="part of a second"),
        pytest.param("Fri, 31 Dec 2100 23:59:59 GMT", 1e9, 1e10, id="a date"),
        pytest.param("Fri, 31 Dec 1999 23:59:59 GMT", 0.0, 0.0, id="a date that is past"),
        pytest.param("-5", 0.0, 0.0, id="negative"),
        pytest.param("nan", 0.0, 0.0, id="no number"),
        pytest.param("soon", 0.0, 0.0, id="a word"),
        pytest.param("", 0.0, 0.0, id="nothing"),
    ],
)
def test_retry_after_is_read(value: str, least: float, most: float) -> None:
    assert least <= _seconds(value) <= most
