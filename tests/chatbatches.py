"""The scripted server's files and batches, as the Together API has them: upload by redirect, jobs that are asked about until they end."""

import hashlib
import re
from collections import Counter
from collections.abc import Callable
from typing import Any

import msgspec

from tests.chatscript import REFUSALS, Answer, Body, Script, body_key, completion, draw, line_fault

Reply = tuple[int, Any, dict[str, str]]  # status (0: reset), JSON or bytes, headers

_FIELD = re.compile(r'name="(\w+)"\r\n\r\n(.*?)\r\n', re.DOTALL)


class Batches:
    """Files and jobs; `handle` answers one request."""

    def __init__(self, script: Script, answer: Callable[[Body], Answer], note: Callable[..., None]) -> None:
        self.script = script
        self.answer = answer
        self.note = note  # writes the log
        self.contents: dict[str, bytes] = {}  # by file id
        self.names: dict[str, dict[str, str]] = {}  # by file id: the fields of its upload
        self.jobs: dict[str, dict[str, Any]] = {}
        self.polls: Counter[str] = Counter()
        self.lines: Counter[str] = Counter()  # by custom_id: how often it came
        self.calls: Counter[str] = Counter()  # by what was asked

    def handle(self, method: str, path: str, headers: dict[str, str], data: bytes) -> Reply:
        """Answer one request that is not for a chat completion."""
        parts = path.strip("/").split("/")
        if method == "PUT" and parts[0] == "upload":
            return self._scripted("put") or self._put(parts[1], data)
        match method, parts[1:]:
            case "POST", ["files"]:
                return self._scripted("upload") or self._upload(headers, data)
            case "POST", ["files", name, "preprocess"]:
                return 200, self._file(name), {}
            case "GET", ["files", name] if name in self.contents:
                return 200, self._file(name), {}
            case "GET", ["files", name, "content"] if name in self.contents:
                return self._scripted("content") or (200, self.contents[name], {"content-type": "application/binary"})
            case "POST", ["batches"]:
                return self._create(msgspec.json.decode(data))
            case "GET", ["batches"]:
                return self._scripted("list") or (200, list(self.jobs.values()), {})
            case "GET", ["batches", name] if name in self.jobs:
                return self._scripted("poll") or (200, self._poll(name), {})
        return 404, {"error": {"message": f"no such thing: {method} {path}", "type": "not_found"}}, {}

    def _scripted(self, what: str) -> Reply | None:
        faults = dict(self.script.files).get(what, ())
        number = self.calls[what]
        self.calls[what] += 1
        kind = faults[number] if number < len(faults) else ""
        if not kind:
            return None
        return (0, b"", {}) if kind == "reset" else (REFUSALS[kind], {"error": {"message": f"scripted {kind}", "type": "scripted"}}, {})

    def _upload(self, headers: dict[str, str], data: bytes) -> Reply:
        fields = dict(_FIELD.findall(data.decode())) if b"form-data" in data else msgspec.json.decode(data)
        if fields.get("purpose") != "batch-api":
            return 400, {"error": {"message": f"purpose {fields.get('purpose')}", "type": "invalid_request_error"}}, {}
        for name, others in self.names.items():
            if others["checksum"] == fields["checksum"] and name in self.contents:
                return 409, {"file_id": name}, {}
        name = f"file-{len(self.names):04d}"
        self.names[name] = fields
        return 302, b"", {"location": f"http://{headers['host']}/upload/{name}", "x-together-file-id": name}

    def _put(self, name: str, data: bytes) -> Reply:
        if hashlib.sha256(data).hexdigest() != self.names[name]["checksum"]:
            return 400, {"error": {"message": "checksum differs", "type": "invalid_request_error"}}, {}
        self.contents[name] = data
        return 200, b"", {}

    def _file(self, name: str) -> dict[str, Any]:
        rest = {"created_at": 0, "object": "file", "purpose": "batch-api", "FileType": "jsonl", "filename": self.names[name]["file_name"]}
        return {"id": name, "bytes": len(self.contents[name]), **rest}

    def _create(self, asked: dict[str, Any]) -> Reply:
        scripted = self._scripted("create")
        if scripted and scripted[0]:
            return scripted
        if asked["input_file_id"] not in self.contents:
            return 400, {"error": {"message": "no such file", "type": "invalid_request_error"}}, {}
        name = f"batch-{len(self.jobs):04d}"
        head = {"id": name, "endpoint": asked["endpoint"], "input_file_id": asked["input_file_id"], "status": "VALIDATING", "progress": 0.0}
        self.jobs[name] = head | {"output_file_id": None, "error_file_id": None, "error": None}
        for line in self.contents[asked["input_file_id"]].splitlines():
            row = msgspec.json.decode(line)
            self.note("line", body_key(row["body"]), self.lines[row["custom_id"]], name)
        return scripted or (201, {"job": self.jobs[name], "warning": None}, {})  # after a reset the job is there nonetheless

    def _poll(self, name: str) -> dict[str, Any]:
        job = self.jobs[name]
        self.polls[name] += 1
        if self.polls[name] <= self.script.polls:
            job["status"] = "IN_PROGRESS"
        elif job["status"] in ("VALIDATING", "IN_PROGRESS"):
            number = list(self.jobs).index(name)
            job["status"] = self.script.batches[number] if number < len(self.script.batches) else "COMPLETED"
            self._end(job)
        return job

    def _end(self, job: dict[str, Any]) -> None:
        """Write the output and the error file of a job that ends."""
        if job["status"] == "FAILED":
            job["error"] = "the input file could not be validated"
            return
        good, bad = [], []
        for line in self.contents[job["input_file_id"]].splitlines():
            asked = msgspec.json.decode(line)
            if job["status"] == "COMPLETED" or draw(self.script.seed, "share", asked["custom_id"]) < self.script.share:
                self._line(asked, good, bad)
        for field, rows in (("output_file_id", good), ("error_file_id", bad)):
            if rows:
                job[field] = f"{job['id']}-{field[:6].strip('_')}"
                self.names[job[field]] = {"file_name": job[field], "checksum": ""}
                self.contents[job[field]] = b"".join(row + b"\n" for row in sorted(rows))

    def _line(self, asked: dict[str, Any], good: list[bytes], bad: list[bytes]) -> None:
        name, body = asked["custom_id"], asked["body"]
        kind = line_fault(self.script, body_key(body), self.lines[name])
        self.lines[name] += 1
        if kind in REFUSALS:
            bad.append(msgspec.json.encode({"custom_id": name, "error": {"code": kind, "message": f"scripted {kind}"}}))
        elif kind != "missing":
            reply = {"status_code": 200, "body": completion(self.script, body, self.answer(body), kind)}
            line = msgspec.json.encode({"id": f"line-{name[:8]}", "custom_id": name, "response": reply, "error": None})
            good.append(line[: len(line) // 2] if kind == "torn" else line)
            self.note("done", body_key(body), self.lines[name] - 1, kind, reply["body"]["usage"])
