"""Remotes on real servers: set up, push, fresh clone, pull, and what is said when something is wrong."""

import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from distill.core.errors import InputError
from tests import servers
from tests.dvc_sandbox import call
from tests.servers import Server
from tests.small_project import ENVIRONMENT, files, make
from tools import check_repo, probing, remote, set_remote

LARGE = """
  large:
    matrix: {study: "${corpora}"}
    cmd: mkdir -p data/${item.study}/corpus && head -c 16000000 /dev/urandom > data/${item.study}/corpus/large && echo 1 > data/${item.study}/corpus/small
    outs: ["data/${item.study}/corpus"]
"""  # noqa: E501
Run = Callable[..., subprocess.CompletedProcess[str]]
Serve = Callable[..., AbstractContextManager[Server]]
SSH: Serve = servers.sftp if servers.no_sshd() else servers.ssh
SERVED: dict[str, Serve] = {"s3": servers.s3, "webdav": servers.webdav, "ssh": SSH}

pytestmark = pytest.mark.dvc


@pytest.fixture(scope="module")
def nobody(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a user who has no keys and no credentials."""
    environment = {key: value for key, value in ENVIRONMENT.items() if not key.startswith(("AWS_", "SSH_", "REMOTE_"))}
    return environment | {"HOME": str(tmp_path_factory.mktemp("home")), "AWS_EC2_METADATA_DISABLED": "true"}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A committed run; nothing of it is pushed."""
    root = make(tmp_path_factory.mktemp("source") / "tree")
    with (root / "dvc.yaml").open("a") as file:
        file.write(LARGE)
    call(root, "dvc", "repro")
    call(root, "git", "add", ".")
    call(root, "git", "commit", "-q", "-m", "run")
    return root


@pytest.fixture
def root(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(shutil.copytree(source, tmp_path / "tree", symlinks=True))
    return tmp_path / "tree"


@pytest.fixture
def run(nobody: dict[str, str]) -> Run:
    """Run `python -m ...` in a project."""

    def run(root: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, "-m", *words], cwd=root, env=nobody | environment, capture_output=True, text=True)

    return run


def given(server: Server) -> dict[str, str]:
    """The environment that gives the credentials of a server to `make remote`."""
    return {} if "keyfile" in server.credentials else {"REMOTE_USER": servers.USER, "REMOTE_PASSWORD": servers.PASSWORD}


def configure(root: Path, server: Server, **other: str) -> None:
    """Note a server as the remote in use, as `make remote` does."""
    section = {"url": server.url, "verify": "true"} | server.options | server.credentials | other
    lines = ["[core]", "remote = served", "['remote \"served\"']", *(f"{key} = {value}" for key, value in section.items())]
    (root / ".dvc" / "config.local").write_text("".join(f"{line}\n" for line in lines))


def clone_of(root: Path, place: Path) -> Path:
    """A fresh clone, with the settings of its origin's remote."""
    call(root, "git", "clone", "-q", str(root), str(place))
    shutil.copy(root / ".dvc" / "config.local", place / ".dvc")
    return place


def object_of(root: Path, file: str) -> Path:
    """Return where in a remote the object of a file of data/a/corpus lies."""
    needed = {each.file: each.path for each in remote.objects([root / remote.CACHE], ["data/a/corpus"])}
    return Path("files", "md5", needed[file])


@pytest.mark.parametrize("name", SERVED)
def test_what_is_pushed_is_pulled_and_what_was_changed_there_is_not(name: str, root: Path, tmp_path: Path, run: Run) -> None:
    with SERVED[name](tmp_path / "server") as server:
        if "keyfile" in server.credentials:  # first without it
            refused = run(root, "tools.set_remote", server.url, "served")
            assert (refused.returncode, len(refused.stderr.splitlines())) == (2, 1)
            assert "refuses the credentials" in refused.stderr
            assert "dvc remote modify --local served keyfile FILE" in refused.stderr
            assert probing.default() == "near"
            configure(root, server)
        done = run(root, "tools.set_remote", server.url, "served", server.options.get("endpointurl", ""), **given(server))
        assert done.stdout.startswith(f"remote served, {server.url}: read and written;"), done.stderr
        assert call(root, "git", "status", "--porcelain") == ""
        assert (root / ".dvc" / "config.local").stat().st_mode & 0o777 == 0o600
        pushed = run(root, "tools.study", "push")
        assert pushed.returncode == 0, pushed.stderr
        assert [path for path in server.objects.glob("files/md5/*/*") if remote.damaged(path)] == []
        changed = server.objects / object_of(root, "small")
        changed.write_text("2\n")
        clone = clone_of(root, tmp_path / "clone")
        done = run(clone, "tools.study", "pull")
        assert done.returncode == 2
        line = next(line for line in done.stderr.splitlines() if line.startswith("study: "))
        assert (
            f"{server.url}/{object_of(root, 'small').as_posix()}: damaged, the MD5 of its content is 26ab0db90d72e28ad0ba1e22ee510510"
            in line
        )
        assert "(output data/a/corpus, file small)" in line
        assert [path for path in clone.rglob("*") if path.is_file() and path.read_bytes() == b"2\n"] == []
        assert (clone / "models/a/student").exists()  # the other outputs
        changed.write_text("1\n")
        done = run(clone, "tools.study", "pull")
        assert done.returncode == 0, done.stderr
    assert files(clone, "a") == files(root, "a")
    assert "up to date" in call(clone, "dvc", "status")


def test_by_http_a_clone_pulls_what_was_pushed_another_way(root: Path, tmp_path: Path, run: Run) -> None:
    call(root, "dvc", "remote", "modify", "--local", "near", "url", str(tmp_path / "server" / "prefix"))
    call(root, "dvc", "push", "-q")
    with servers.http(tmp_path / "server") as server:
        done = run(root, "tools.set_remote", server.url, "served", REMOTE_USER=servers.USER, REMOTE_PASSWORD="wrong")
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
        assert "127.0.0.1 refuses the credentials" in done.stderr
        done = run(root, "tools.set_remote", server.url, "served", **given(server))
        assert "read; nothing is written by HTTP" in done.stdout, done.stderr
        clone = clone_of(root, tmp_path / "clone")
        changed = server.objects / object_of(root, "small")
        changed.write_text("2\n")
        assert "damaged" in run(clone, "tools.study", "pull").stderr
        assert [path for path in clone.rglob("*") if path.is_file() and path.read_bytes() == b"2\n"] == []
        changed.write_text("1\n")
        assert run(clone, "tools.study", "pull").returncode == 0
    assert "up to date" in call(clone, "dvc", "status")
    done = run(clone, "tools.set_remote")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert f"nothing answers at 127.0.0.1, port {server.port}" in done.stderr


@pytest.mark.parametrize("serve", [servers.s3, servers.webdav, servers.sftp])
def test_wrong_credentials_are_called_so(serve: Serve, root: Path, tmp_path: Path, run: Run) -> None:
    with serve(tmp_path / "server") as server:
        words = (root, "tools.set_remote", server.url, "served", server.options.get("endpointurl", ""))
        done = run(*words, REMOTE_USER=servers.USER, REMOTE_PASSWORD="wrong")
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
    assert done.stderr.startswith(
        "remote: remote served: 127.0.0.1 refuses the credentials, or was given none; set REMOTE_USER and REMOTE_PASSWORD"
    )


@pytest.mark.parametrize("name", ["webdav", "ssh"])
def test_a_server_that_may_only_be_read_is_called_so(name: str, root: Path, tmp_path: Path, run: Run) -> None:
    (tmp_path / "server" / "prefix").mkdir(parents=True)
    with SERVED[name](tmp_path / "server", read_only=True) as server:
        configure(root, server)
        assert "read; it cannot be written" in run(root, "tools.set_remote").stdout
        done = run(root, "tools.study", "push")
        assert done.returncode == 2
        assert done.stderr.splitlines()[-1].startswith("study: remote served: read; it cannot be written")


@pytest.mark.parametrize(("name", "killed"), [("webdav", "server"), ("s3", "client")])
def test_a_push_that_was_broken_off_is_right_after_another(
    name: str, killed: str, root: Path, tmp_path: Path, nobody: dict[str, str], run: Run
) -> None:
    with SERVED[name](tmp_path / "server") as server:
        configure(root, server)
        words = [sys.executable, "-m", "dvc", "push", "-q"]
        process = subprocess.Popen(words, cwd=root, env=nobody, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        while process.poll() is None and not any(path.stat().st_size > 10_000 for path in server.objects.glob("files/md5/*/*")):
            time.sleep(0.002)
        process.kill() if killed == "client" else server.stop()
        process.communicate()
        if killed == "server":
            server.start()
        time.sleep(0.5)  # the server notices the end of the client
        whole = server.objects / object_of(root, "large")
        assert process.returncode != 0
        done = run(root, "tools.study", "push")
        assert done.returncode == 0, done.stderr
        assert not remote.damaged(whole)
        assert [path for path in server.objects.glob("files/md5/*/*") if remote.damaged(path)] == []


def test_a_pull_that_was_killed_is_right_after_another(root: Path, tmp_path: Path, nobody: dict[str, str], run: Run) -> None:
    with servers.s3(tmp_path / "server") as server:
        configure(root, server)
        call(root, "dvc", "push", "-q", "--run-cache")
        clone = clone_of(root, tmp_path / "clone")
        process = subprocess.Popen([sys.executable, "-m", "dvc", "pull", "-q"], cwd=clone, env=nobody)
        while process.poll() is None and not any(path.is_file() for path in (clone / remote.CACHE).rglob("*")):
            time.sleep(0.002)
        process.kill()
        process.wait()
        done = run(clone, "tools.study", "pull")
        assert done.returncode == 0, done.stderr
        assert files(clone, "a") == files(root, "a")
        # the run-cache too: an edit that was run and taken back is not run again
        call(clone, "dvc", "pull", "-q", "--run-cache")
        (clone / "dvc.lock").unlink()
        assert "Running" not in call(clone, "dvc", "repro", "--single-item", "train@a-r1-1")


REFUSED = {
    "ssh://me:secret@host/data": "URL=ssh://...: a password in it would end up in files and logs; leave it out",
    "s3://key:se/cret@bucket": "a password in it would end up in files and logs",
    "ftp://host/data": "URL=ftp://host/data: expected s3://, ssh://",
    "/no/such/place": "/no/such is no folder",
}


@pytest.mark.parametrize(("url", "said"), REFUSED.items(), ids=[url.partition(":")[0] for url in REFUSED])
def test_what_is_no_remote_is_refused_without_its_password(url: str, said: str) -> None:
    with pytest.raises(InputError) as error:
        set_remote.kind(url)
    assert said in str(error.value)
    assert "cret" not in str(error.value)


@pytest.mark.parametrize("url", ["webdav://host:8080/remote.php/dav/files/joe@home", "ssh://me@host:22/data", "s3://bucket/a:b"])
def test_a_port_or_a_sign_in_the_path_is_no_password(url: str) -> None:
    assert set_remote.kind(url) == url.partition(":")[0]


MEANT = {
    "ImportError: gs is supported, but requires 'dvc-gs' to be installed": "DVC's plugin for s3:// is not installed; .venv/bin/python",
    "FileNotFoundError: The specified bucket does not exist": "there is no bucket 'bucket'; make it on the server",
    "NoCredentialsError: Unable to locate credentials": "no.such.invalid refuses the credentials, or was given none",
    "EndpointConnectionError: Could not connect to the endpoint URL": "there is no host 'no.such.invalid'; correct URL or ENDPOINT",
    "Timeout: no answer within 120 s": "there is no host 'no.such.invalid'",
    "ValueError: of another kind": "ValueError: of another kind",
}


@pytest.mark.parametrize(("error", "said"), MEANT.items())
def test_an_error_is_explained(error: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path(".dvc").mkdir()
    set_remote.note("lab", {"url": "s3://bucket/prefix", "endpointurl": "https://no.such.invalid:8333"})
    assert probing.explained("lab", error).startswith(said)


def test_a_remote_of_git_stays_and_what_is_known_of_one_here_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path(".dvc").mkdir()
    Path(".dvc", "config").write_text("[core]\n    remote = embedded\n['remote \"embedded\"']\n    url = ../remote\n")
    with pytest.raises(InputError, match="has a remote of that name"):
        set_remote.note("embedded", {"url": "s3://bucket"})
    set_remote.note("lab", {"url": "s3://bucket", "secret_access_key": "with , # \" and ' in it"})
    set_remote.note("lab", {"url": "s3://bucket", "verify": "true"})
    assert probing.settings("lab") == {"url": "s3://bucket", "verify": "true", "secret_access_key": "with , # \" and ' in it"}
    set_remote.note("lab", {"url": "s3://other", "verify": "true"})
    assert probing.settings("lab") == {"url": "s3://other", "verify": "true"}
    assert probing.default() == "embedded"


def test_without_verify_nothing_is_pulled(root: Path, tmp_path: Path, run: Run) -> None:
    call(root, "dvc", "remote", "add", "--local", "-d", "plain", str(tmp_path))
    done = run(root, "tools.study", "pull")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert "switch it on: .venv/bin/dvc remote modify --local plain verify true" in done.stderr


@pytest.mark.parametrize(
    "line", ["    password = x", "    secret_access_key = x", "    url = webdav://me:x@host/data", "    session_token = x"]
)
def test_credentials_may_not_be_committed(line: str, tmp_path: Path) -> None:
    (tmp_path / ".dvc").mkdir()
    text = "['remote \"lab\"']\n    url = webdav://me@host:80/data\n    user = me\n"
    (tmp_path / ".dvc" / "config").write_text(text)
    assert check_repo.faults([".dvc/config"], tmp_path) == []
    (tmp_path / ".dvc" / "config").write_text(text + line + "\n")
    assert "credentials" in check_repo.faults([".dvc/config"], tmp_path)[0]
