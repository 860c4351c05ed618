"""One attempt of one call through the `together` client, streamed; what went wrong is named, and what it may have cost."""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from math import isfinite
from time import time
from typing import Any

import httpx
import msgspec
from together import APIConnectionError, APIStatusError, AsyncTogether

from distill.llm.endpoint_config import Endpoint
from distill.llm.request import Empty, Malformed, Request, Response, body, parse

STOP = {401: "the key is not accepted", 402: "the account has no credit", 403: "the key may not do this", 404: "no such address or model"}
AGAIN = (408, 409, 425)  # beside 5xx
Usage = tuple[int | None, int | None]
_PIECES = ("content", "reasoning", "reasoning_content")


@dataclass(eq=False)
class RequestError(Exception):
    """An attempt that gave no whole response."""

    reason: str
    detail: str  # one line
    kind: str = "again"  # again | rate (429) | refused (this request, always) | stop (every request)
    paid: bool = False  # may have been paid for: tokens may have been made
    partial: str = ""  # the text as far as it came
    after: float = 0.0  # Retry-After in seconds; 0 = not said
    usage: Usage = (None, None)  # prompt and completion tokens


class Client:
    """The `together` client of one endpoint, its own retries off, used within one event loop.

    Each call in flight has a client and a connection of its own, kept for the next call: the pool of httpx looks at every pair of its
    connections at every call, which at 32 costs more time than all the rest.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        """Take the key from the environment; an InputError where it is not set."""
        self._key, self._endpoint = endpoint.secret(), endpoint
        self._timeout = httpx.Timeout(endpoint.timeout, connect=endpoint.connect)
        self._tls = httpx.create_ssl_context()
        self._idle: list[AsyncTogether] = []

    def _lane(self) -> AsyncTogether:
        limits = httpx.Limits(max_connections=1, max_keepalive_connections=1)
        http = httpx.AsyncClient(verify=self._tls, limits=limits, timeout=self._timeout, follow_redirects=True)
        url = self._endpoint.url()
        return AsyncTogether(api_key=self._key, base_url=url, max_retries=0, timeout=self._timeout, http_client=http)

    async def close(self) -> None:
        """Close the connections."""
        for client in self._idle:
            await client.close()

    async def call(self, request: Request, sample: int) -> Response:
        """Return the whole response of one attempt, or raise RequestError."""
        stream = _Stream()
        try:
            async with asyncio.timeout(self._endpoint.deadline):
                return parse(hide(await self._read(request, sample, stream), self._key))
        except (RequestError, Empty, Malformed, TimeoutError, httpx.HTTPError) as error:
            named = _named(error, stream.text())
            named.detail, named.partial = brief(named.detail, self._key), hide(named.partial, self._key)
            raise named from None

    async def _read(self, request: Request, sample: int, stream: "_Stream") -> str:
        """Return the JSON of a response, put together where it came as a stream."""
        fields = body(request, sample, send=True)
        named = {"model": fields.pop("model"), "messages": fields.pop("messages")}
        extra = {**fields, "stream_options": {"include_usage": True}}  # without it many servers tell no usage of a stream
        client = self._idle.pop() if self._idle else self._lane()
        try:
            async with client.chat.completions.with_streaming_response.create(**named, stream=True, extra_body=extra) as answer:
                kind = answer.headers.get("content-type", "").partition(";")[0].strip()
                if kind == "application/json":
                    whole = (await answer.read()).decode("utf-8", "replace")
                    if error := _error(whole):
                        raise _told(error, "")
                    return whole
                if kind != "text/event-stream":
                    raise RequestError("content-type", f"a response of type '{kind}', not a stream of events", paid=True)
                async for event in _events(answer.iter_bytes()):
                    stream.add(event)
        except APIStatusError as error:
            raise _status(error.status_code, words(error.body), _seconds(error.response.headers.get("retry-after", ""))) from None
        except APIConnectionError as error:  # its cause says whether anything was sent
            raise error.__cause__ if isinstance(error.__cause__, httpx.HTTPError) else RequestError("no connection", str(error)) from None
        except httpx.HTTPError:
            if not stream.whole:
                raise
        finally:
            self._idle.append(client)
        if not stream.whole and not stream.empty:
            raise RequestError("reset", "the stream ended before its text", paid=True, partial=stream.text())
        return stream.json()


class _Stream:
    """The chunks of a streamed chat completion, put together as they come."""

    def __init__(self) -> None:
        self._top: dict[str, Any] = {}
        self._choice: dict[str, Any] = {"index": 0}
        self._pieces: dict[str, list[str]] = {name: [] for name in _PIECES}

    @property
    def whole(self) -> bool:
        """Tell whether the model said why it stopped: what follows is bookkeeping."""
        return "finish_reason" in self._choice

    @property
    def empty(self) -> bool:
        """Tell whether the server counted its tokens and yet sent no text."""
        return "usage" in self._top and not self.text()

    def add(self, event: bytes) -> None:
        """Take one event's data."""
        try:
            chunk = msgspec.json.decode(event, type=dict[str, Any])
            if error := chunk.get("error"):
                raise _told(error, self.text())
            self._top |= {name: value for name, value in chunk.items() if value is not None and name != "choices"}
            for choice in chunk.get("choices") or ():
                for name, value in (choice.get("delta") or {}).items():
                    if name in self._pieces and value:
                        self._pieces[name].append(str(value))
                self._choice |= {name: value for name, value in choice.items() if value is not None and name != "delta"}
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, AttributeError, TypeError) as error:
            raise Malformed(f"a chunk that is no chat completion: {error}") from None

    def text(self) -> str:
        """Return the text as far as it came, reasoning first."""
        return "".join("".join(self._pieces[name]) for name in reversed(_PIECES))

    def json(self) -> str:
        """Return the chat.completion that the chunks make."""
        message = {"role": "assistant"} | {name: "".join(pieces) for name, pieces in self._pieces.items() if pieces}
        choices = [self._choice | {"message": message}] if self.whole else []
        return msgspec.json.encode(self._top | {"object": "chat.completion", "choices": choices}).decode()


async def _events(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield the data of each event of a stream; comments, other fields and the final [DONE] are passed over.

    The stream is read to its end, or its connection could not be used again.
    """
    rest = b""
    async for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            if line.startswith(b"data:"):
                data = line[5:].strip()
                if data and data != b"[DONE]":
                    yield data


def _named(error: Exception, partial: str) -> RequestError:
    """Name what went wrong in an attempt, and whether it may have been paid for."""
    if isinstance(error, RequestError):
        return error
    if isinstance(error, Empty):
        return RequestError("empty", str(error), paid=True, usage=error.usage)
    if isinstance(error, Malformed):
        return RequestError("malformed", str(error), paid=True, partial=partial)
    if isinstance(error, TimeoutError | httpx.TimeoutException):
        waited = "the deadline passed" if isinstance(error, TimeoutError) else "no byte came in time"
        return RequestError("timeout", waited, paid=not isinstance(error, httpx.ConnectTimeout), partial=partial)
    sent = not isinstance(error, httpx.ConnectError)
    return RequestError("reset" if sent else "no connection", str(error) or type(error).__name__, paid=sent, partial=partial)


def _error(whole: str) -> object:
    """Return the error object of a body that has one in place of choices."""
    try:
        body = msgspec.json.decode(whole, type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError):  # named when it is parsed
        return None
    return None if body.get("choices") else body.get("error")


def _told(error: object, partial: str) -> RequestError:
    """Name an error object that came under status 200: without a text before it, one with a code 4xx is as good as that status."""
    code = str(error.get("code")) if isinstance(error, dict) else ""
    if re.fullmatch("4[0-9][0-9]", code) and not partial:
        return _status(int(code), words(error))
    return RequestError("stream-error", words(error), paid=True, partial=partial)


def _status(status: int, said: str, after: float = 0.0) -> RequestError:
    """Name what a status other than 2xx means."""
    said = f"{status}: {said}"
    if status == 429:
        return RequestError("status-429", said, kind="rate", after=after)
    if status >= 500 or status in AGAIN:
        return RequestError(f"status-{status}", said, after=after)
    if status in STOP:
        return RequestError(f"status-{status}", f"{STOP[status]} ({said})", kind="stop")
    return RequestError("refused", said, kind="refused")


def words(body: object) -> str:
    """Return what a server says in the body of an error: its message, or all of it where that is not found.

    >>> words({"error": {"message": "too long"}}), words({"detail": "too long"}), words("too long"), words(None)
    ('too long', 'too long', 'too long', 'nothing said')
    """
    while isinstance(body, dict) and (inner := next(filter(None, map(body.get, ("error", "message", "detail"))), None)):
        body = inner
    return str(body or "nothing said")


def hide(text: str, key: str) -> str:
    """Take the key out of a text that a server sent, should one repeat it."""
    return text.replace(key, "***") if len(key) > 7 else text


def brief(text: str, key: str) -> str:
    """Return what a server said as one short line of printable characters, without the key."""
    return " ".join("".join(each if each.isprintable() else " " for each in hide(text, key)).split())[:300]


def _seconds(value: str) -> float:
    """Read a Retry-After header, seconds or a date; 0 where there is none that can be read."""
    try:
        return max(0.0, float(value)) if isfinite(float(value)) else 0.0
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time())
    except ValueError:
        return 0.0
