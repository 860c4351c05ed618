"""The scripted server, seen through the `together` client: each fault once, then the answer; its log; its files and batches."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import msgspec
import pytest
import together

from tests.chatscript import FAULTS, Script, body_key
from tests.chatserver import Server, serving

PLAN = [(f"fault {name}.", (name,)) for name in (*FAULTS, "401", "402", "503")]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    script = Script(answers="echo", plan=PLAN, hang=0.3, reasoning="reasoning", batches=("EXPIRED",), share=0.5, key="sesame")
    with serving(script, tmp_path_factory.mktemp("server") / "log.jsonl") as running:
        yield running


@pytest.fixture(scope="module")
def client(server: Server) -> together.Together:
    return together.Together(api_key="sesame", base_url=server.url, max_retries=0, timeout=5.0)


def body(fault: str) -> dict[str, object]:
    return {"model": "m", "messages": [{"role": "user", "content": f"The fault {fault}. comes first."}], "max_tokens": 100}


def ask(client: together.Together, fault: str, stream: bool) -> tuple[str, str]:
    """Return (text, finish reason) of a response; a stream's without [DONE] has none."""
    if not stream:
        whole = client.chat.completions.create(**body(fault))
        if isinstance(whole, str):
            return whole, "a page"
        if not whole.choices:
            return "", "no choice"
        return whole.choices[0].message.content, whole.choices[0].finish_reason
    text, finish = "", ""
    for event in client.chat.completions.create(**body(fault), stream=True):
        for choice in event.choices:
            text += choice.delta.content or ""
            finish = choice.finish_reason or finish
    return text, finish


RAISES = {  # fault: what the client raises, whole and streamed; None where it takes the response for one
    "429": (together.RateLimitError, together.RateLimitError),
    "429-after": (together.RateLimitError, together.RateLimitError),
    "500": (together.InternalServerError, together.InternalServerError),
    "502": (together.InternalServerError, together.InternalServerError),
    "503": (together.InternalServerError, together.InternalServerError),
    "401": (together.AuthenticationError, together.AuthenticationError),
    "402": (together.APIStatusError, together.APIStatusError),
    "reset": (together.APIConnectionError, together.APIConnectionError),
    "reset-mid": (together.APIConnectionError, httpx.ReadError),
    "cut": (together.APIConnectionError, None),
    "hang": (together.APIConnectionError, together.APIConnectionError),
    "truncated": (ValueError, ValueError),
    "error": (None, together.APIError),
    "type": (None, None),
    "empty": (None, None),
    "length": (None, None),
    "blank": (None, None),
}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("fault", RAISES)
def test_a_fault_comes_once_and_then_the_answer(client: together.Together, fault: str, stream: bool) -> None:
    asked = fault if not stream else f"{fault}. streamed"
    question = f"The fault {asked}. comes first."
    raises = RAISES[fault][stream]
    if raises:
        with pytest.raises(raises):
            ask(client, asked, stream)
    else:
        assert ask(client, asked, stream) != (question, "stop")
    assert ask(client, asked, stream) == (question, "stop")


def test_the_log_tells_what_was_asked_and_what_was_wholly_sent(server: Server, client: together.Together) -> None:
    start = server.size()
    with pytest.raises(together.InternalServerError):
        ask(client, "500. logged", False)
    ask(client, "500. logged", True)
    asked = [(each.event, each.attempt, each.fault) for each in server.events(start)]
    assert asked == [("asked", 0, "500"), ("failed", 0, "500"), ("asked", 1, ""), ("answered", 1, "")]
    assert server.asked(start) == {body_key(body("500. logged")): 2}
    assert b"sesame" not in server.log.read_bytes()


def test_a_request_without_the_key_is_refused(server: Server) -> None:
    with pytest.raises(together.AuthenticationError):
        ask(together.Together(api_key="mellon", base_url=server.url, max_retries=0), "none", False)


def test_faults_are_the_same_whatever_the_order_and_end_for_every_request(tmp_path: Path) -> None:
    def kinds(name: str, order: list[int]) -> dict[str, list[str]]:
        with serving(Script(answers="echo", rate=0.6, most=2, faults=("429", "500"), seed=4), tmp_path / name) as server:
            client = together.Together(api_key="k", base_url=server.url, max_retries=0)
            for number in order:
                for _ in range(3):
                    try:
                        ask(client, str(number), False)
                    except together.APIStatusError:
                        continue
            events = [each for each in server.events() if each.event == "asked"]
        return {key: [each.fault for each in events if each.key == key] for key in {each.key for each in events}}

    forward = kinds("a", list(range(12)))
    assert forward == kinds("b", list(range(11, -1, -1)))
    assert {faults[2] for faults in forward.values()} == {""}
    assert {fault for faults in forward.values() for fault in faults} == {"", "429", "500"}


def test_an_expired_batch_answers_a_part_of_its_lines(client: together.Together, tmp_path: Path) -> None:
    rows = [{"custom_id": f"{number:064x}", "body": body(f"none {number}")} for number in range(20)]
    file = tmp_path / "in.jsonl"
    file.write_bytes(b"".join(msgspec.json.encode(row) + b"\n" for row in rows))
    sent = client.files.upload(file, purpose="batch-api", check=False)
    assert client.files.upload(file, purpose="batch-api", check=False).id == sent.id  # the same bytes are one file
    created = client.batches.create(endpoint="/v1/chat/completions", input_file_id=sent.id).job
    assert [client.batches.retrieve(created.id).status for _ in range(2)] == ["IN_PROGRESS", "EXPIRED"]
    ended = client.batches.list()[0]
    lines = client.files.content(ended.output_file_id).read().splitlines()
    got = {line["custom_id"]: line["response"]["body"]["choices"][0]["message"]["content"] for line in map(msgspec.json.decode, lines)}
    assert 0 < len(got) < 20
    assert got == {row["custom_id"]: row["body"]["messages"][0]["content"] for row in rows if row["custom_id"] in got}
