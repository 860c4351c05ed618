"""A server on loopback that takes a commit as the hub does: a repository is made, files are announced, one commit holds them all."""

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Hub(ThreadingHTTPServer):
    """What was sent: requests, the repository, the card that was to be checked, and the files of commits."""

    def __init__(self, allowed: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.allowed, self.asked, self.files = allowed, list[str](), dict[str, bytes]()
        self.created: dict[str, Any] = {}
        self.card = ""

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Hub

    def do_POST(self) -> None:
        """Answer as far as an upload needs it."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.asked.append(f"POST {self.path}")
        if self.headers.get("Authorization") != f"Bearer {self.server.allowed}":
            self._answer({"error": "this token may not write"}, 403)
        elif self.path == "/api/repos/create":
            self.server.created = json.loads(body)
            self._answer({"url": f"{self.server.url}/owner/name"})
        elif self.path == "/api/validate-yaml":
            self.server.card = json.loads(body)["content"]
            self._answer({"errors": [], "warnings": []})
        elif "/preupload/" in self.path:
            files = [{"path": each["path"], "uploadMode": "regular", "shouldIgnore": False} for each in json.loads(body)["files"]]
            self._answer({"files": files})
        else:
            lines = [json.loads(line)["value"] for line in body.splitlines() if json.loads(line)["key"] == "file"]
            self.server.files |= {each["path"]: base64.b64decode(each["content"]) for each in lines}
            self._answer({"success": True, "commitOid": "c" * 40, "commitUrl": f"{self.server.url}/owner/name/commit/{'c' * 40}"})

    def do_GET(self) -> None:
        """Answer what is asked of a repository."""
        self.server.asked.append(f"GET {self.path}")
        self._answer({"id": "owner/name", "sha": "a" * 40, "siblings": []})

    def _answer(self, document: Any, code: int = 200) -> None:
        body = json.dumps(document).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@contextmanager
def hub(allowed: str) -> Iterator[Hub]:
    """Run a server whose token is `allowed`."""
    server = Hub(allowed)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
