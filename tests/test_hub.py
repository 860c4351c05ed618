"""A student from the hub: mirror folder, hub cache, a hub of our own on this machine, and every way that it fails in one line."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import yaml

from distill.cli.layout import layout
from distill.core.errors import InputError
from distill.core.files import read_json, write_records, write_text
from distill.model import hub_student
from distill.model.chat_tokenizer import ChatTokenizer
from distill.model.model_io import weights
from distill.records.example import Example
from tests import tiny_model
from tests.pipeline import ROOT

REPOSITORY, REVISION = "owner/Tiny-Model-4bit", "c" * 40
STUDENT = layout("toy").student
LISTED = ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository's folder, with files that must not be brought."""
    folder = tiny_model.make(tmp_path_factory.mktemp("hub") / REPOSITORY / REVISION)
    (folder / "modeling_tiny.py").write_text("raise SystemExit('this must never run')")
    (folder / "pytorch_model.bin").write_bytes(b"a pickle")
    return folder


class Hub(ThreadingHTTPServer):
    """As much of the hub's interface as a download of a pinned revision needs."""

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.folder = folder
        self.asked: list[str] = []  # METHOD PATH RANGE of each request
        self.cut = 0  # bytes after which the next body of model.safetensors breaks off


class Answer(BaseHTTPRequestHandler):
    server: Hub

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path, reach = unquote(urlsplit(self.path).path), self.headers.get("Range", "")
        self.server.asked.append(f"{self.command} {path} {reach}".strip())
        if path == f"/api/models/{REPOSITORY}/tree/{REVISION}":
            files = [
                {"type": "file", "path": file.name, "size": file.stat().st_size, "oid": _sha(file)} for file in self.server.folder.iterdir()
            ]
            return self._send(200, json.dumps(files).encode(), {"Content-Type": "application/json"})
        if path == f"/api/models/{REPOSITORY}/revision/{REVISION}":
            return self._send(200, json.dumps({"id": REPOSITORY, "sha": REVISION}).encode(), {"Content-Type": "application/json"})
        file = self.server.folder / Path(path).name
        if not path.startswith(f"/{REPOSITORY}/resolve/{REVISION}/") or not file.is_file():
            code = "RevisionNotFound" if path.startswith(f"/api/models/{REPOSITORY}/") else "RepoNotFound"
            return self._send(404, b"", {"X-Error-Code": code, "X-Error-Message": "not here"})
        start = int(reach[6:].split("-")[0]) if reach else 0
        self._send(206 if start else 200, file.read_bytes()[start:], {"ETag": f'"{_sha(file)}"', "X-Repo-Commit": REVISION}, file.name)

    def _send(self, status: int, body: bytes, headers: dict[str, str], name: str = "") -> None:
        self.send_response(status)
        for key, value in {**headers, "Content-Length": str(len(body)), "Accept-Ranges": "bytes"}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "GET":
            cut, self.server.cut = (self.server.cut, 0) if name == "model.safetensors" else (0, self.server.cut)
            self.wfile.write(body[:cut] if cut else body)
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


def _sha(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


@pytest.fixture
def server(source: Path) -> Iterator[Hub]:
    with Hub(source) as found:
        threading.Thread(target=found.serve_forever, args=(0.01,), daemon=True).start()
        yield found
        found.shutdown()


Run = Callable[..., tuple[int, list[str]]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run the student stage in a process of its own: the hub's client reads its settings when it is imported."""
    for name in ("stages", "distill"):
        (tmp_path / name).symlink_to(ROOT / name)

    def call(revision: str = REVISION, repository: str = REPOSITORY, texts: int = 0, **settings: str) -> tuple[int, list[str]]:
        paths = layout("toy")
        section = {"kind": "hub", "repository": repository, "revision": revision}
        write_text(tmp_path / paths.study_file, yaml.safe_dump({"student": section}))
        write_records(tmp_path / paths.pretraining, [Example("a", [])] * texts)
        kept = {key: value for key, value in os.environ.items() if key != "JOB_MIRROR" and not key.startswith("HF_")}
        ours = {"HF_HOME": str(tmp_path / "home"), "HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_ENDPOINT": "http://127.0.0.1:1"}
        words = [sys.executable, "-m", "stages.student", "toy"]
        done = subprocess.run(words, cwd=tmp_path, env=kept | ours | settings, capture_output=True, text=True)
        return done.returncode, done.stderr.splitlines()

    return call


def test_a_mirror_folder_gives_the_student_and_nothing_that_runs(source: Path, run: Run, tmp_path: Path) -> None:
    assert run(JOB_MIRROR=str(source.parents[2])) == (0, ["student: read 4, wrote 1, dropped 0"])
    out = tmp_path / STUDENT
    assert sorted(file.name for file in out.iterdir()) == sorted([*LISTED, "manifest.json"])
    assert [_sha(out / name) for name in LISTED] == [_sha(source / name) for name in LISTED]
    manifest = read_json(out / "manifest.json")
    assert manifest["params"] == {"kind": "hub", "repository": REPOSITORY, "revision": REVISION}
    assert manifest["engine"]["backend"]
    assert ChatTokenizer(out).eos_ids
    assert weights(out, float32=True)[1]["model_type"] == "qwen2"


def test_a_download_that_broke_off_goes_on_and_the_cache_serves_without_network(server: Hub, run: Run, tmp_path: Path) -> None:
    server.cut = 1000
    address = f"http://127.0.0.1:{server.server_port}"
    code, said = run(HF_ENDPOINT=address)
    assert (code, said[-1]) == (0, "student: read 4, wrote 1, dropped 0")
    assert sum(asked.startswith("GET") and asked.endswith("/model.safetensors") for asked in server.asked) == 2
    assert {path.split("/")[-1] for path in server.asked if "/resolve/" in path and "bytes=" not in path} == set(LISTED)
    first = {file.name: _sha(file) for file in (tmp_path / STUDENT).iterdir()}
    for settings in ({}, {"HF_HUB_OFFLINE": "1"}):
        assert run(**settings)[0] == 0
        assert {file.name: _sha(file) for file in (tmp_path / STUDENT).iterdir()} == first


REFUSED: dict[str, tuple[dict[str, str], str]] = {
    "no network": ({}, "does not hold all of owner/Tiny-Model-4bit at cccc"),
    "told to stay offline": ({"HF_HUB_OFFLINE": "1"}, "connect and run it again, or set HF_HOME"),
    "a branch for a revision": ({"revision": "main"}, "revision of owner/Tiny-Model-4bit is 'main'; pin a commit by its 40"),
    "no owner": ({"repository": "Tiny"}, "repository is 'Tiny'; expected OWNER/NAME"),
    "a path for a repository": ({"repository": "../Tiny"}, "repository is '../Tiny'; expected OWNER/NAME"),
}


@pytest.mark.parametrize(("settings", "line"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_had_is_one_line(settings: dict[str, str], line: str, run: Run, tmp_path: Path) -> None:
    code, said = run(**settings)
    assert (code, len(said)) == (2, 1)
    assert said[0].startswith("student: hub: ")
    assert line in said[0]
    assert not (tmp_path / STUDENT).exists()


def test_a_repository_and_a_commit_that_the_hub_does_not_have(server: Hub, run: Run) -> None:
    address = f"http://127.0.0.1:{server.server_port}"
    assert "has no commit dddd" in run(revision="d" * 40, HF_ENDPOINT=address)[1][0]
    assert "no repository owner/Other" in run(repository="owner/Other", HF_ENDPOINT=address)[1][0]


def test_pretraining_texts_are_refused(run: Run, source: Path) -> None:
    assert "makes 2 texts, a hub student reads none" in run(texts=2, JOB_MIRROR=str(source.parents[2]))[1][0]


def _cut(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:-1])


def _shards(folder: Path) -> None:
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": "model-00001-of-00002.safetensors"}}))


def _code(folder: Path) -> None:
    (folder / "config.json").write_text(json.dumps(read_json(folder / "config.json") | {"model_file": "modeling_tiny.py"}))


def _untuned(folder: Path) -> None:
    (folder / "tokenizer_config.json").write_text("{}")


UNFIT: dict[str, tuple[Callable[[Path], object], str]] = {
    "weights cut off": (_cut, "model.safetensors: not a whole safetensors file"),
    "a shard missing": (_shards, "no model-00001-of-00002.safetensors here"),
    "weights of another format only": (lambda folder: (folder / "model.safetensors").unlink(), "no model.safetensors here"),
    "no tokenizer": (lambda folder: (folder / "tokenizer.json").unlink(), "no tokenizer.json here"),
    "code of its own": (_code, "code of its own, modeling_tiny.py, which is never run"),
    "not instruction-tuned": (_untuned, "no chat template"),
}


@pytest.mark.parametrize(("spoil", "line"), UNFIT.values(), ids=UNFIT)
def test_a_snapshot_that_is_no_whole_student_is_refused(spoil: Callable[[Path], object], line: str, source: Path, tmp_path: Path) -> None:
    broken = tmp_path / "snapshot"
    shutil.copytree(source, broken)
    spoil(broken)
    (tmp_path / "out").mkdir()
    with pytest.raises(InputError, match=re.escape(line)):
        hub_student.copy(broken, tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())
