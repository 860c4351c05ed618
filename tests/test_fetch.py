"""Pinned files from a folder or a server: what is wrong is never used, what is there is not brought twice."""

import hashlib
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote

import msgspec
import pytest
import yaml

from distill.cli.layout import layout
from distill.core import study_file
from distill.core.errors import InputError
from distill.core.files import write_text
from distill.sources import manifest
from stages import fetch
from tests.pipeline import ROOT

PATHS = layout("toy")
REPOSITORY, COMMIT = "owner/repo.name", "7" * 40
FILES = {
    "Raw PDF Files/2025 All Tests and Answers (1).pdf": b"%PDF " * 400,
    "Raw PDF Files/50 % of #7 & more?.pdf": b"%PDF other",
    "data/train.jsonl": b'{"a": 1}\n',
    "data/empty.jsonl": b"",
}
FIRST = next(iter(FILES))


class Server(ThreadingHTTPServer):
    """Serves FILES; `spoil` may answer a request for a path instead."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.spoil: Callable[[str, int], tuple[int, bytes, int] | None] = lambda path, count: None
        self.asked: Counter[str] = Counter()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Answer(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        path = unquote(self.path).removeprefix(f"/{REPOSITORY}/{COMMIT}/")
        self.server.asked[path] += 1
        body = FILES.get(path, b"")
        status, sent, length = self.server.spoil(path, self.server.asked[path]) or (200 if path in FILES else 404, body, len(body))
        self.send_response(status)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(sent)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as found:
        threading.Thread(target=found.serve_forever, args=(0.01,), daemon=True).start()
        yield found
        found.shutdown()


Run = Callable[..., Path]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a call that runs the stage with some keys of its section changed, and returns the raw folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("JOB_MIRROR", raising=False)
    monkeypatch.setattr("pooch.core.time", SimpleNamespace(sleep=lambda _: None))
    rows = [{"path": path, "size": len(body), "sha256": hashlib.sha256(body).hexdigest()} for path, body in FILES.items()]
    base = {"kind": "download", "url": "http://127.0.0.1:1", "repository": REPOSITORY, "commit": COMMIT, "retries": 2, "timeout": 10.0}

    def call(**keys: Any) -> Path:
        write_text(PATHS.study_file, yaml.safe_dump({"fetch": base | {"files": rows} | keys}))
        study_file.study.cache_clear()
        fetch.main(PATHS)
        return PATHS.raw

    return call


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "mirror" / REPOSITORY / COMMIT
    for path, body in FILES.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(body)
    return folder


def _content(raw: Path) -> dict[str, bytes]:
    assert [entry.file for entry in manifest.read(raw)] == sorted(FILES)
    return {path.relative_to(raw).as_posix(): path.read_bytes() for path in raw.rglob("*") if path.is_file() and path.name != manifest.NAME}


def test_a_server_a_mirror_folder_and_a_mirror_address_give_the_same(
    server: Server, mirror: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _content(run(url=server.address)) == FILES
    listed = (PATHS.raw / manifest.NAME).read_bytes()
    assert server.asked == Counter(FILES.keys())
    for setting in (str(mirror.parents[2]), server.address, server.address + "/"):
        monkeypatch.setenv("JOB_MIRROR", setting)
        assert _content(run()) == FILES
        assert (PATHS.raw / manifest.NAME).read_bytes() == listed
    assert not Path(".work", "toy", "fetch").exists()


SPOILED_ONCE: dict[str, tuple[int, bytes, int]] = {
    "a fault of the server": (500, b"", 0),
    "a body that breaks off": (200, FILES[FIRST][:100], len(FILES[FIRST])),
    "a body that is too short": (200, FILES[FIRST][:100], 100),
    "another file": (200, b"x" * len(FILES[FIRST]), len(FILES[FIRST])),
}


@pytest.mark.parametrize("answer", SPOILED_ONCE.values(), ids=SPOILED_ONCE)
def test_what_goes_wrong_once_is_tried_again(answer: tuple[int, bytes, int], server: Server, run: Run) -> None:
    server.spoil = lambda path, count: answer if path == FIRST and count == 1 else None
    assert _content(run(url=server.address)) == FILES
    assert server.asked[FIRST] == 2


LAST = list(FILES)[2]
SPOILED: dict[str, tuple[tuple[int, bytes, int], str]] = {
    "not there": ((404, b"", 0), "404 Client Error: Not Found"),
    "a fault of the server": ((503, b"", 0), "503 Server Error"),
    "a body that breaks off": ((200, b'{"a"', 9), "4 bytes read"),
    "a body that is too short": ((200, b'{"a"', 4), "got de9ce9008704dd0a"),
    "another file of the same size": ((200, b"123456789", 9), "(9 bytes), got 15e2b0d3"),
}


@pytest.mark.parametrize(("answer", "line"), SPOILED.values(), ids=SPOILED)
def test_what_stays_wrong_is_one_line_and_the_next_run_goes_on(answer: tuple[int, bytes, int], line: str, server: Server, run: Run) -> None:
    server.spoil = lambda path, _: answer if path == LAST else None
    with pytest.raises(InputError) as fault:
        run(url=server.address)
    said = str(fault.value)
    assert line in said
    assert f"{server.address}/{REPOSITORY}/{COMMIT}/{LAST}" in said
    assert "run it again" in said
    assert "\n" not in said
    assert not PATHS.raw.exists()
    assert server.asked[LAST] == 3
    server.spoil = lambda path, _: None
    assert _content(run(url=server.address)) == FILES
    assert server.asked[FIRST] == 1


def test_no_network_and_no_mirror(run: Run) -> None:
    with pytest.raises(
        InputError, match=r"^http://127.0.0.1:1/owner/.*Connection refused.*; connect and run it again .* or set JOB_MIRROR to"
    ):
        run()
    assert not list(PATHS.raw.parent.iterdir())


def _wrong(folder: Path) -> None:
    (folder / LAST).write_bytes(b"123456789")


def _gone(folder: Path) -> None:
    (folder / LAST).unlink()


MIRRORS: dict[str, tuple[Callable[[Path], object], str]] = {
    "a wrong file": (_wrong, r"data/train.jsonl: expected sha256 [0-9a-f]{64} \(9 bytes\), got 15e2b0d3[0-9a-f]{56} \(9 bytes\)"),
    "a missing file": (_gone, r"data/train.jsonl: no such file; complete the mirror"),
    "a folder of something else": (lambda folder: folder.rename(folder.with_name("main")), r"no such folder; JOB_MIRROR must name"),
}


@pytest.mark.parametrize(("spoil", "line"), MIRRORS.values(), ids=MIRRORS)
def test_a_mirror_folder_is_checked_as_a_server_is(
    spoil: Callable[[Path], object], line: str, mirror: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(mirror)
    monkeypatch.setenv("JOB_MIRROR", str(mirror.parents[2]))
    with pytest.raises(InputError, match=line):
        run()
    assert not PATHS.raw.exists()


OTHER = "8" * 40
BLOB = hashlib.sha1(b"blob 9\0" + FILES[LAST]).hexdigest()
PINNED = {"path": LAST, "blob": BLOB}


def test_a_file_may_be_pinned_by_its_git_blob_id_at_a_commit_of_its_own(
    server: Server, mirror: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    pinned = [PINNED | {"commit": OTHER}]
    elsewhere = f"/{REPOSITORY}/{OTHER}/{LAST}"
    server.spoil = lambda path, _: (200, FILES[LAST], 9) if path == elsewhere else (404, b"", 0)
    (entry,) = manifest.read(run(url=server.address, files=pinned))
    assert (entry.file, entry.size, entry.sha256) == (LAST, 9, hashlib.sha256(FILES[LAST]).hexdigest())
    monkeypatch.setenv("JOB_MIRROR", str(mirror.parents[2]))
    with pytest.raises(InputError, match=f"{OTHER}: no such folder"):
        run(files=pinned)
    mirror.rename(mirror.with_name(OTHER))
    assert manifest.read(run(files=pinned)) == [entry]


def test_a_flipped_byte_is_refused_by_the_git_blob_id_even_where_the_file_is_optional(
    server: Server, mirror: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.spoil = lambda *_: (200, b'{"a": 0}\n', 9)
    line = rf"expected git blob {BLOB}, got [0-9a-f]{{40}} \(9 bytes\); it is not used"
    with pytest.raises(InputError, match=line):
        run(url=server.address, files=[PINNED | {"optional": True}])
    (mirror / LAST).write_bytes(b'{"a": 0}\n')
    monkeypatch.setenv("JOB_MIRROR", str(mirror.parents[2]))
    with pytest.raises(InputError, match=line):
        run(files=[PINNED | {"optional": True}])
    assert not PATHS.raw.exists()


def test_an_optional_file_that_cannot_be_had_is_named_and_the_rest_goes_on(
    server: Server, mirror: Path, run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [PINNED, {"path": "runs/results.csv", "blob": "0" * 40, "optional": True}]
    assert [each.file for each in manifest.read(run(url=server.address, files=files))] == [LAST]
    assert "fetch: runs/results.csv is missing and optional: 404 Client Error: Not Found" in capsys.readouterr().err
    monkeypatch.setenv("JOB_MIRROR", str(mirror.parents[2]))
    assert [each.file for each in manifest.read(run(files=files))] == [LAST]
    assert "fetch: runs/results.csv is missing and optional: not in the mirror that JOB_MIRROR names" in capsys.readouterr().err


ROW = {"size": 1, "sha256": "a" * 64}
SECTIONS: dict[str, tuple[dict[str, Any], str]] = {
    "a path that leaves the folder": ({"files": [{"path": "../x", **ROW}]}, r"path '\.\./x'"),
    "an absolute path": ({"files": [{"path": "/etc/x", **ROW}]}, r"path '/etc/x'"),
    "a path twice": ({"files": [{"path": "x", **ROW}, {"path": "x", **ROW}]}, r"path 'x'"),
    "the manifest's name": ({"files": [{"path": "manifest.json", **ROW}]}, r"path 'manifest.json'"),
    "a short hash": ({"files": [{"path": "x", "size": 1, "sha256": "abc"}]}, r"\$\.files\[0\]\.sha256"),
    "no hash": ({"files": [{"path": "x", "size": 1}]}, r"x: expected either sha256 or blob, got neither"),
    "a branch": ({"commit": "main"}, r"\$\.commit"),
    "another kind": ({"kind": "ftp"}, r"kind is 'ftp'; allowed: competition, download"),
}


@pytest.mark.parametrize(("keys", "line"), SECTIONS.values(), ids=SECTIONS)
def test_a_section_that_asks_for_what_cannot_be(keys: dict[str, Any], line: str, run: Run) -> None:
    with pytest.raises(InputError, match=line):
        run(**keys)


@pytest.mark.skipif(not os.environ.get("JOB_MIRROR"), reason="JOB_MIRROR names no mirror folder of the authors' files")
def test_every_pinned_file_of_the_paper_is_in_the_mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    fetch.main(msgspec.structs.replace(layout("job"), study_file=ROOT / "studies" / "job.yaml"))
    names = [entry.file for entry in manifest.read(layout("job").raw)]
    assert (len(names), sum(name.endswith(".pdf") for name in names)) == (72, 30)
