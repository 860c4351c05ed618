"""Files and batch jobs of an endpoint through the `together` client: each step is retried, and none pays twice."""

import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import httpx
import msgspec
from together import APIConnectionError, APIStatusError, Together

from distill.core.errors import InputError
from distill.llm.client import AGAIN, STOP, brief, words
from distill.llm.endpoint_config import Endpoint

T = TypeVar("T")

ENDS = ("COMPLETED", "FAILED", "EXPIRED", "CANCELLED")
_CHAT = "/v1/chat/completions"


class Ended(msgspec.Struct, frozen=True):
    """A job that has ended."""

    status: str  # of ENDS
    files: tuple[str, ...]  # ids of its output and its error file, where there are such
    said: str  # why it failed


class BatchLine(msgspec.Struct, frozen=True):
    """One line of the files of a job that has ended."""

    key: str  # custom_id
    body: bytes  # the chat.completion JSON, b"" where there is none
    reason: str  # "" where there is a body
    detail: str


class _Reply(msgspec.Struct):
    status_code: int = 200
    body: msgspec.Raw = msgspec.Raw(b"")


class _Row(msgspec.Struct):
    custom_id: str
    response: _Reply | None = None
    error: Any = None


class BatchApi:
    """The batch side of one endpoint."""

    def __init__(self, endpoint: Endpoint) -> None:
        """Take the key from the environment; an InputError where it is not set."""
        timeout = httpx.Timeout(endpoint.timeout, connect=endpoint.connect)
        self._key = endpoint.secret()
        self._client = Together(api_key=self._key, base_url=endpoint.url(), max_retries=0, timeout=timeout)
        self._endpoint = endpoint

    def upload(self, lines: Iterable[bytes]) -> str:
        """Upload lines as one file and return its id; the same bytes sent again are the same file there."""
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "batch.jsonl"
            with file.open("wb") as stream:
                stream.writelines(lines)
            return self._retried("upload", lambda: str(self._client.files.upload(file, purpose="batch-api", check=False).id))

    def create(self, file: str, known: set[str]) -> str:
        """Return the id of the job for a file: one not `known` that a lost connection or a killed run left there, or a new one."""
        return self._retried("create a batch", lambda: self._find(file, known) or self._new(file))

    def _find(self, file: str, known: set[str]) -> str:
        jobs = [job for job in self._client.batches.list() if job.input_file_id == file and job.id not in known]
        return next((str(job.id) for job in jobs if job.status in ("VALIDATING", "IN_PROGRESS", "COMPLETED")), "")

    def _new(self, file: str) -> str:
        made = self._client.batches.create(endpoint=_CHAT, input_file_id=file)
        if made.job is None or not made.job.id:
            raise InputError(f"{self._endpoint.base_url}: created no batch: {made.warning or 'no reason given'}")
        return str(made.job.id)

    def ended(self, job: str) -> Ended | None:
        """Return how a job ended, or None while it has not."""
        found = self._retried("ask about a batch", lambda: self._client.batches.retrieve(job))
        if found.status not in ENDS:
            return None
        files = tuple(name for name in (found.output_file_id, found.error_file_id) if name)
        return Ended(str(found.status), files, brief(found.error or "", self._key))

    def lines(self, ended: Ended) -> Iterator[BatchLine | None]:
        """Yield the lines of a job's files; None for one that cannot be read."""
        with tempfile.TemporaryDirectory() as folder:
            for name in ended.files:
                file = Path(folder) / "lines.jsonl"
                self._retried("download a batch", partial(self._download, name, file))
                with file.open("rb") as stream:
                    yield from (self._line(line) for line in stream if line.strip())

    def _download(self, name: str, file: Path) -> None:
        with self._client.files.with_streaming_response.content(name) as response:
            response.stream_to_file(file)

    def _line(self, line: bytes) -> BatchLine | None:
        try:
            row = msgspec.json.decode(line, type=_Row)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        reply = row.response
        if not row.error and reply and reply.status_code == 200:
            return BatchLine(row.custom_id, bytes(reply.body), "", "")
        error = row.error if isinstance(row.error, dict) else {"message": str(row.error or "no response and no error")}
        code = str(error.get("code") or (reply.status_code if reply else "") or "")
        said = str(error.get("message") or (bytes(reply.body).decode("utf-8", "replace") if reply else ""))
        return BatchLine(
            row.custom_id, b"", f"status-{code}" if code.isdigit() else "line-error", brief(f"{code}: {said}" if code else said, self._key)
        )

    def _retried(self, what: str, call: Callable[[], T]) -> T:
        """Call until it succeeds, as often and as long as the endpoint's section says; an InputError where that is in vain."""
        began, number, again = time.monotonic(), 0, "what was created goes on there: run again"
        while True:
            try:
                return call()
            except APIStatusError as error:
                said = brief(f"{error.status_code}: {words(error.body)}", self._key)
                if error.status_code < 500 and error.status_code not in (*AGAIN, 429):
                    why = f"{STOP[error.status_code]} ({said})" if error.status_code in STOP else said
                    raise InputError(f"{self._endpoint.base_url}: cannot {what}: {why}; {again}") from None
            except (APIConnectionError, httpx.HTTPError) as error:
                said = brief(str(error.__cause__ or error) or type(error).__name__, self._key)
            except (ValueError, AttributeError, AssertionError):  # the client takes any page for a response, and stumbles over it
                said = "the response is none of this API"
            number += 1
            if number >= self._endpoint.attempts and time.monotonic() - began >= self._endpoint.outage_timeout:
                raise InputError(f"{self._endpoint.base_url} is down: cannot {what}, {number} times: {said}; {again}")
            time.sleep(min(self._endpoint.backoff_most, self._endpoint.backoff * 2.0 ** min(number - 1, 60)))
