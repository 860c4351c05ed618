"""What the scripted chat server does: its answers and its faults, as pure functions of the request and of how often it came.

Nothing is drawn from time or order, so that a run with faults can be compared with one without, whatever the concurrency.
"""

import hashlib
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any, NamedTuple

import msgspec

from distill.symbolic import symbolic_teacher

Body = dict[str, Any]  # of a request to /v1/chat/completions

# 429 with and without Retry-After, 5xx, a reset before any byte and in mid-answer, an end in mid-answer, no answer at all, JSON that stops,
# another content type, no choice, a text cut at max_tokens, no text but perhaps reasoning, an error object where the answer should be.
FAULTS = ("429", "429-after", "500", "502", "reset", "reset-mid", "cut", "hang", "truncated", "type", "empty", "length", "blank", "error")
REFUSALS = {"400": 400, "401": 401, "402": 402, "404": 404, "429": 429, "429-after": 429, "500": 500, "502": 502, "503": 503}


class Script(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How the server behaves."""

    answers: str = "symbolic"  # symbolic | echo | MODULE:FUNCTION of a body, which returns an Answer
    model: str = ""  # model id as returned; "" is the one that was asked
    key: str = ""  # the bearer token that a request must carry; "" asks for none
    reasoning: str = ""  # where an answer's reasoning goes: "" nowhere, think (a <think> tag), reasoning, reasoning_content
    latency: float = 0.0  # seconds until an answer is whole
    chunks: int = 4  # events that a streamed text comes in
    capacity: int = 0  # requests in flight, above which the server says 429; 0 = any number
    retry_after: float = 0.05  # seconds, in the header of 429-after and above the capacity
    seed: int = 0
    rate: float = 0.0  # share of requests that meet a fault
    faults: Sequence[str] = FAULTS  # drawn from with equal chances; FAULTS, or a key of REFUSALS
    most: int = 3  # faults of one body; it is answered after these
    hang: float = 30.0  # seconds that a request that hangs is held
    down: tuple[int, int] = (0, 0)  # 503 from the first of these requests on (0-based) until before the second
    plan: Sequence[
        tuple[str, Sequence[str]]
    ] = ()  # (a part of the last message, the faults of such a body's first requests); before `rate`
    # Files and batches
    files: Sequence[
        tuple[str, Sequence[str]]
    ] = ()  # (upload | put | content | create | poll | list, the faults of its first requests, "" for none)
    polls: int = 1  # questions about a batch until it ends
    batches: Sequence[str] = ()  # how the first, second, ... batch ends; COMPLETED after these
    share: float = 0.5  # of the lines of an EXPIRED or CANCELLED batch that were answered
    lines: float = 0.0  # share of a batch's lines that meet a fault
    line_faults: Sequence[str] = ("500", "429", "missing", "torn", "empty", "length", "blank")  # drawn from with equal chances


class Answer(NamedTuple):
    """One answer before it is put into JSON."""

    text: str
    reasoning: str = ""


def body_key(body: Body) -> str:
    """Return the hash of what a body asks, however it is to be delivered."""
    asked = {name: value for name, value in body.items() if name not in ("stream", "stream_options")}
    return hashlib.sha256(msgspec.json.encode(asked, order="sorted")).hexdigest()


def draw(*parts: object) -> float:
    """Return a number in [0, 1) that the parts decide."""
    digest = hashlib.blake2b(repr(parts).encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64


def fault(script: Script, body: Body, key: str, attempt: int) -> str:
    """Return the fault that the `attempt`-th (0-based) request with a body meets, or ""."""
    last = str(body["messages"][-1]["content"])
    for part, faults in script.plan:
        if part in last:
            return faults[attempt] if attempt < len(faults) else ""
    if attempt < script.most and draw(script.seed, "whether", key, attempt) < script.rate:
        return script.faults[int(draw(script.seed, "which", key, attempt) * len(script.faults))]
    return ""


def line_fault(script: Script, key: str, attempt: int) -> str:
    """Return the fault that a batch's line meets, or ""."""
    if attempt < script.most and draw(script.seed, "line", key, attempt) < script.lines:
        return script.line_faults[int(draw(script.seed, "which line", key, attempt) * len(script.line_faults))]
    return ""


def echo(body: Body) -> Answer:
    """Answer with the last message."""
    return Answer(str(body["messages"][-1]["content"]), "The message is repeated.")


def solve(body: Body) -> Answer:
    """Answer as the symbolic teacher does, to the first statement that it can read in the last message."""
    try:
        text, _ = symbolic_teacher.solve(str(body["messages"][-1]["content"]))
    except symbolic_teacher.Unsolved as unsolved:
        return Answer(f"I cannot solve this: {unsolved}.")
    return Answer(text, "A known kind of problem.")


def answerer(script: Script) -> Callable[[Body], Answer]:
    """Return the function that a script's `answers` names."""
    if ":" not in script.answers:
        return {"echo": echo, "symbolic": solve}[script.answers]
    module, _, name = script.answers.partition(":")
    found: Callable[[Body], Answer] = getattr(import_module(module), name)
    return found


def tokens(text: str) -> int:
    """Count tokens as the server bills them: four characters each, rounded up."""
    return -(-len(text) // 4)


def _asked(content: str | list[dict[str, Any]]) -> int:
    """Count a turn's tokens, an image as 1000."""
    if isinstance(content, str):
        return tokens(content)
    return sum(tokens(part["text"]) if part["type"] == "text" else 1000 for part in content)


def usage(body: Body, answer: Answer) -> dict[str, int]:
    """Return the usage of an answer."""
    asked = sum(_asked(message["content"]) + 3 for message in body["messages"])
    written = max(1, tokens(answer.text) + tokens(answer.reasoning))
    return {"prompt_tokens": asked, "completion_tokens": written, "total_tokens": asked + written}


def message(script: Script, answer: Answer) -> dict[str, str]:
    """Return the assistant's message (or, streamed, its delta)."""
    said = {"role": "assistant", "content": answer.text}
    if answer.reasoning and script.reasoning == "think":
        said["content"] = f"<think>\n{answer.reasoning}\n</think>\n\n{answer.text}"
    elif answer.reasoning and script.reasoning:
        said[script.reasoning] = answer.reasoning
    return said


def cut(script: Script, body: Body, answer: Answer, kind: str) -> tuple[Answer, str]:
    """Return an answer as it is delivered, and its finish reason: cut by max_tokens (4 characters a token) or by the fault `length`."""
    answer = answer if script.reasoning else Answer(answer.text)
    if kind == "blank":
        return Answer(" \n", answer.reasoning), "stop"
    room = 4 * int(body.get("max_tokens") or 10**9)
    if kind == "length":
        room = min(room, (len(answer.text) + len(answer.reasoning)) // 2)
    if len(answer.text) + len(answer.reasoning) <= room:
        return answer, "stop"
    reasoning = answer.reasoning[:room]
    return Answer(answer.text[: room - len(reasoning)], reasoning), "length"


def completion(script: Script, body: Body, answer: Answer, kind: str = "") -> dict[str, Any]:
    """Return the whole response; `kind` is the fault it carries."""
    answer, finish = cut(script, body, answer, kind)
    choices = [{"index": 0, "message": message(script, answer), "finish_reason": finish, "logprobs": None}]
    head = {
        "id": "chat-" + body_key(body)[:12],
        "object": "chat.completion",
        "created": 0,
        "model": script.model or body["model"],
        "prompt": [],
    }
    return {**head, "choices": [] if kind == "empty" else choices, "usage": usage(body, answer)}


def events(script: Script, body: Body, answer: Answer, kind: str = "") -> list[dict[str, Any]]:
    """Return the events of a streamed response: reasoning, text in pieces, finish reason, usage."""
    answer, finish = cut(script, body, answer, kind)
    head = {"id": "chat-" + body_key(body)[:12], "object": "chat.completion.chunk", "created": 0, "model": script.model or body["model"]}
    said = message(script, answer)
    size = max(1, -(-len(said["content"]) // script.chunks))
    deltas = [{"role": "assistant", "content": said["content"][at : at + size]} for at in range(0, len(said["content"]), size)]
    extra = {name: value for name, value in said.items() if name not in ("role", "content")}
    if extra:
        deltas.insert(0, {"role": "assistant", "content": "", **extra})
    parts: list[dict[str, Any]] = [{"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    parts.append({"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": finish}]})
    for part in parts if kind == "empty" else []:
        part["choices"] = []
    return [{**head, **part} for part in parts] + [{**head, "choices": [], "usage": usage(body, answer)}]
