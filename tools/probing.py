"""Asks a remote through DVC, in a process that may take its time, fail or hang, and says in one line what is wrong and the way out."""

import re
import socket
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

from configobj import ConfigObj

from distill.core.errors import InputError
from tools import run_lock

CONFIG = (Path(".dvc", "config"), Path(".dvc", "config.local"))
LIMIT = 120.0  # seconds until a remote must have answered
SHOWN = 160  # characters of an error that are repeated
PORTS = {"s3": 443, "ssh": 22, "webdav": 80, "http": 80}
SECRET = "REMOTE_USER and REMOTE_PASSWORD in the environment"
REFUSED = r"\b40[13]\b|Permission ?(?:Error|denied)|AccessDenied|EOFError|NoCredentials|Forbidden"
# what DVC's plugin says: what it means, and how it is put right
FAULTS = {
    r"MissingDeps|requires? .*(?:installed|dependencies)|No module named": (
        "DVC's plugin for {scheme}:// is not installed",
        ".venv/bin/python -m pip install dvc-{plugin}",
    ),
    r"bucket does not exist|NoSuchBucket": ("there is no bucket {host!r}", "make it on the server, or correct URL"),
    REFUSED: ("{server} refuses the credentials, or was given none", "set {secret} and run it again{or_key}"),
    r"gaierror|DNSError|Connect\w*Error|Connection\w*Error|Connect call failed|Timeout|timed out": (
        "{network}",
        "correct URL{or_endpoint}, or wait until the server is back",
    ),
    r"FileNotFoundError|NotFound|No such file|not a directory": ("the server has no folder {path!r}", "make it there, or correct URL"),
}


def title(name: str) -> str:
    """Return the section of a remote in DVC's settings."""
    return f'remote "{name}"'


def settings(name: str) -> dict[str, str]:
    """Return what .dvc/config and .dvc/config.local say of a remote; {} where they say nothing."""
    found: dict[str, str] = {}
    for path in CONFIG:
        found |= ConfigObj(str(path), encoding="utf-8").get(title(name), {})
    return found


def default() -> str:
    """Return the name of the remote in use; "" where there is none."""
    names = [ConfigObj(str(path), encoding="utf-8").get("core", {}).get("remote") for path in CONFIG]
    return next((str(name).lower() for name in reversed(names) if name), "")


def ask(action: str, name: str, lines: Iterable[str] = ()) -> list[str]:
    """Return the lines that an action of `tools.remote_probe` prints; InputError in one line where it fails."""
    done, error = _run(action, name, lines)
    if error:
        raise InputError(f"remote {name}: {explained(name, error)}")
    return done


def access(name: str) -> str:
    """Take a remote's round trip; return what it may be used for."""
    done, error = _run("check", name)
    if not error:
        return "read and written" if "written" in done else "read; nothing is written by HTTP, push to the same folder another way"
    if "there" in done or ("read" in done and _meaning(error) in (None, REFUSED)):
        return f"read; it cannot be written ({error[:SHOWN]})"
    raise InputError(f"remote {name}: {explained(name, error)}")


def _run(action: str, name: str, lines: Iterable[str] = ()) -> tuple[list[str], str]:
    """Return the probe's lines and, where it failed, its error."""
    words = [sys.executable, "-W", "ignore", "-m", "tools.remote_probe", action, name]
    environment = run_lock.dvc_environment() | {"AWS_MAX_ATTEMPTS": "1"}
    limit = LIMIT if action == "check" else None  # objects may be large
    given = "".join(f"{line}\n" for line in lines)
    try:  # in a session of its own, where no plugin finds a terminal to ask for a password
        done = subprocess.run(words, input=given, capture_output=True, text=True, env=environment, timeout=limit, start_new_session=True)
    except subprocess.TimeoutExpired:
        return [], f"Timeout: no answer within {LIMIT:.0f} s"
    return done.stdout.splitlines(), raised(done.stderr) if done.returncode else ""


def raised(traceback: str) -> str:
    """Return the errors of a traceback in one line, the last one first, then its causes.

    >>> raised("gaierror: no name\\n\\nDuring handling of ...\\nTraceback (most recent call last):\\n  File ...\\nhttpx.ConnectError\\n")
    'ConnectError <- gaierror: no name'
    """
    found = [f"{match[1]}{match[2]}" for match in re.finditer(r"^(?:\w+\.)*(\w+)(: .*|$)", traceback, re.MULTILINE)]
    return " <- ".join(reversed(found)) or "it was killed"


def _meaning(error: str) -> str | None:
    return next((pattern for pattern in FAULTS if re.search(pattern, error)), None)


def explained(name: str, error: str) -> str:
    """Return what an error of a plugin means and how it is put right; the error itself where that is not known."""
    pattern = _meaning(error)
    if pattern is None:
        return error
    section = settings(name)
    url = urlsplit(section["url"])
    server = urlsplit(section["endpointurl"]) if "endpointurl" in section else url
    scheme = url.scheme if "://" in section["url"] else "folder"
    plugin = scheme.removesuffix("s") if scheme in ("webdavs", "https") else scheme
    host, port = server.hostname or "", server.port or (443 if server.scheme == "https" else PORTS.get(plugin, 443))
    what, remedy = FAULTS[pattern]
    values = {
        "scheme": scheme,
        "plugin": plugin,
        "host": url.netloc,
        "path": url.path,
        "server": host or section["url"],
        "network": f"nothing answers at {host}, port {port}" if _exists(host) else f"there is no host {host!r}",
        "secret": SECRET,
        "or_key": f", or name your key: dvc remote modify --local {name} keyfile FILE" if scheme == "ssh" else "",
        "or_endpoint": " or ENDPOINT" if scheme == "s3" else "",
    }
    return f"{what.format(**values)}; {remedy.format(**values)} ({error[:SHOWN]})"


def _exists(host: str) -> bool:
    try:
        return bool(socket.getaddrinfo(host, None))
    except OSError:
        return False
