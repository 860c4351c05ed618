"""A scripted server on loopback that speaks an OpenAI-compatible API: chat completions whole and streamed, files and batches.

`serving` starts it in a process of its own, so that it outlives a killed client and its time is not the client's.
Every request received and every response that was wholly handed to the system is a line of the log.
"""

import asyncio
import os
import signal
import socket
import struct
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from tests.chatbatches import Batches
from tests.chatscript import REFUSALS, Answer, Body, Script, answerer, body_key, completion, cut, events, fault, usage

ROOT = Path(__file__).parents[1]
ERROR_CODES = {"error-429": {"code": 429}}  # a status in the error object of a response with status 200
REASONS = {200: "OK", 201: "Created", 302: "Found", 409: "Conflict", 429: "Too Many Requests", 500: "Internal Server Error"}


class Event(msgspec.Struct, frozen=True):
    """One line of the log."""

    event: str  # asked | answered (all of it was sent) | failed (as the script wants it); of a batch's line: line (a job has it), done
    key: str  # body_key of the request
    attempt: int  # 0-based, of this body
    fault: str  # "" where there is none; of a `line` the job
    prompt_tokens: int  # billed; 0 where nothing was written
    completion_tokens: int


class Server(NamedTuple):
    """A running server."""

    url: str  # without /v1
    log: Path
    pid: int

    def events(self, start: int = 0) -> list[Event]:
        """Return the log's events from byte `start` on."""
        return [msgspec.json.decode(line, type=Event) for line in self.log.read_bytes()[start:].splitlines()]

    def asked(self, start: int = 0) -> Counter[str]:
        """Count the requests by body_key."""
        return Counter(each.key for each in self.events(start) if each.event == "asked")

    def size(self) -> int:
        """Return the log's length in bytes, a mark for `start`."""
        return self.log.stat().st_size


@contextmanager
def serving(script: Script, log: Path) -> Iterator[Server]:
    """Run a server in its own process until the block ends."""
    words = [sys.executable, "-m", "tests.chatserver", msgspec.json.encode(script).decode(), str(log)]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            port = process.stdout.readline().strip()
            assert port, "the chat server did not start"
            yield Server(f"http://127.0.0.1:{port}", log, process.pid)
        finally:
            process.terminate()


class _Chat:
    """The server's state: how often each body came, and what is in flight."""

    def __init__(self, script: Script, log: Path) -> None:
        self.script = script
        self.answer = answerer(script)
        self.seen: Counter[str] = Counter()
        self.requests = 0
        self.flying = 0
        self.batches = Batches(script, self.answer, self.note)
        self.log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def note(self, event: str, key: str, attempt: int, kind: str, used: dict[str, int] | None = None) -> None:
        used = used or {}
        line = Event(event, key, attempt, kind, used.get("prompt_tokens", 0), used.get("completion_tokens", 0))
        os.write(self.log, msgspec.json.encode(line) + b"\n")

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
        writer.transport.set_write_buffer_limits(high=0)  # drain() then returns when all was handed to the system
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while await self.one(reader, writer):
                pass
        writer.close()

    async def one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; tell whether the connection stays open."""
        first, *rest = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, path, _ = first.split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (row.partition(":") for row in rest if row)}
        data = await reader.readexactly(int(headers.get("content-length", 0)))
        if self.script.key and headers.get("authorization") != f"Bearer {self.script.key}" and not path.startswith("/upload/"):
            return await _send(writer, 401, {"error": {"message": "invalid API key", "type": "invalid_request_error"}})
        if method == "POST" and path.endswith("/chat/completions"):
            return await self.chat(reader, writer, msgspec.json.decode(data))
        if path.endswith("/models"):
            return await _send(writer, 200, [{"id": self.script.model or "any", "object": "model"}])
        status, reply, extra = self.batches.handle(method, path, headers, data)
        if status == 0:
            return _reset(writer)
        return await _send(writer, status, reply, extra)

    async def chat(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, body: Body) -> bool:
        key = body_key(body)
        attempt, number = self.seen[key], self.requests
        self.seen[key] += 1
        self.requests += 1
        kind = fault(self.script, body, key, attempt)
        if self.script.down[0] <= number < self.script.down[1]:
            kind = "503"
        if self.script.capacity and self.flying >= self.script.capacity:
            kind = "429-after"
        self.note("asked", key, attempt, kind)
        self.flying += 1
        try:
            used = await self.respond(reader, writer, body, kind)
        finally:
            self.flying -= 1
        whole = kind in ("", "length", "empty", "blank")
        self.note("answered" if whole and used else "failed", key, attempt, kind, used)
        return not writer.is_closing()

    async def respond(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, body: Body, kind: str) -> dict[str, int]:
        """Send what a fault (or none) makes of a response; return the usage that is billed."""
        if kind in REFUSALS:
            extra = {"retry-after": str(self.script.retry_after)} if kind == "429-after" else {}
            await _send(writer, REFUSALS[kind], {"error": {"message": f"scripted {kind}", "type": "scripted"}}, extra)
        elif kind == "reset":
            _reset(writer)
        elif kind == "hang":
            with suppress(TimeoutError):
                await asyncio.wait_for(reader.read(1), self.script.hang)
            _reset(writer)
        elif kind == "type":
            await _send(writer, 200, b"<html><body>Service temporarily unavailable</body></html>", {"content-type": "text/html"})
        elif kind == "error-429" or (kind == "error" and not body.get("stream")):
            await _send(writer, 200, {"error": {"message": "scripted error", "type": "server_error"} | ERROR_CODES.get(kind, {})})
        else:
            answer = self.answer(body)
            await (self.stream if body.get("stream") else self.whole)(writer, body, answer, kind)
            return usage(body, cut(self.script, body, answer, kind)[0])
        return {}

    async def whole(self, writer: asyncio.StreamWriter, body: Body, answer: Answer, kind: str) -> None:
        if self.script.latency:
            await asyncio.sleep(self.script.latency)
        data = msgspec.json.encode(completion(self.script, body, answer, kind))
        if kind in ("reset-mid", "cut"):  # the head promises more than comes
            writer.write(_head(200, len(data), {}) + data[: len(data) // 2])
            await writer.drain()
            _reset(writer) if kind == "reset-mid" else writer.close()
        else:
            await _send(writer, 200, data[: len(data) // 2] if kind == "truncated" else data)

    async def stream(self, writer: asyncio.StreamWriter, body: Body, answer: Answer, kind: str) -> None:
        parts = [msgspec.json.encode(part) for part in events(self.script, body, answer, kind)]
        last = len(parts) // 2 if kind in ("reset-mid", "cut", "truncated", "error") else len(parts)
        writer.write(_head(200, None, {"content-type": "text/event-stream"}))
        for part in parts[:last]:
            if self.script.latency:
                await asyncio.sleep(self.script.latency / len(parts))
            writer.write(_chunk(b"data: " + part + b"\n\n"))
            await writer.drain()
        if kind == "reset-mid":
            _reset(writer)
        elif kind == "error":
            writer.write(_chunk(b'data: {"error": {"message": "scripted error", "type": "server_error"}}\n\n') + _chunk(b""))
        elif kind == "truncated":
            writer.write(_chunk(b"data: " + parts[last][: len(parts[last]) // 2] + b"\n\n") + _chunk(b""))
        else:
            writer.write((b"" if kind == "cut" else _chunk(b"data: [DONE]\n\n")) + _chunk(b""))
        await writer.drain()


def _head(status: int, length: int | None, extra: dict[str, str]) -> bytes:
    size = "transfer-encoding: chunked" if length is None else f"content-length: {length}"
    rows = [f"HTTP/1.1 {status} {REASONS.get(status, 'Scripted')}", size, *(f"{name}: {value}" for name, value in extra.items())]
    return ("\r\n".join(rows) + "\r\n\r\n").encode("latin-1")


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


async def _send(writer: asyncio.StreamWriter, status: int, reply: Any, extra: dict[str, str] | None = None) -> bool:
    data = reply if isinstance(reply, bytes) else msgspec.json.encode(reply)
    writer.write(_head(status, len(data), {"content-type": "application/json"} | (extra or {})) + data)
    await writer.drain()
    return True


def _reset(writer: asyncio.StreamWriter) -> bool:
    """End a connection with RST: a linger time of 0 makes the system do so."""
    if not writer.is_closing():
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
    return False


async def _main(script: str, log: str) -> None:
    chat = _Chat(msgspec.json.decode(script, type=Script), Path(log))
    server = await asyncio.start_server(chat.serve, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()
    os._exit(0)  # connections may hang by design


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:]))
