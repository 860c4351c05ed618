"""tools/dvc.py: the same bytes and locks as DVC's own, and DVC's own way for what it does not know."""

import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests import dvc_sandbox
from tools import dvc

ONE, TWO = "  a@mini-1:\n    cmd: x\n    deps:\n    - path: p\n", "  b:\n    cmd: y\n"
LOCK = dvc.HEAD + ONE + TWO

PUT = {  # name: (the lock, what is printed, the lock after; None where it is DVC's to write)
    "in its place": (LOCK, dvc.HEAD + "  a@mini-1:\n    cmd: z\n", dvc.HEAD + "  a@mini-1:\n    cmd: z\n" + TWO),
    "a new one at the end": (LOCK, dvc.HEAD + "  c:\n    cmd: z\n", LOCK + "  c:\n    cmd: z\n"),
    "the same": (LOCK, dvc.HEAD + TWO, LOCK),
    "no lock": ("", dvc.HEAD + TWO, None),
    "another schema": (LOCK.replace("2.0", "3.0"), dvc.HEAD + TWO, None),
    "data sets beside stages": (LOCK + "datasets:\n- name: d\n", dvc.HEAD + TWO, None),
    "a comment": (LOCK + "# mine\n", dvc.HEAD + TWO, None),
    "conflict marks": (dvc.HEAD + "<<<<<<< a\n" + ONE, dvc.HEAD + TWO, None),
    "a long key": (LOCK, dvc.HEAD + "  ? " + "k" * 130 + "\n  :\n    cmd: z\n", None),
    "cut off": (LOCK[:-1], dvc.HEAD + TWO, None),
}


@pytest.mark.parametrize(("lock", "printed", "after"), PUT.values(), ids=PUT)
def test_an_entry_takes_its_place(lock: str, printed: str, after: str | None, tmp_path: Path) -> None:
    path = tmp_path / "dvc.lock"
    if lock:
        path.write_text(lock)
    written = dvc.put(path, printed)
    assert written is (None if after is None else after != lock)
    assert (path.read_text() if path.exists() else "") == (lock if after is None else after)
    assert [file.name for file in tmp_path.iterdir()] == (["dvc.lock"] if lock else [])


def test_a_text_is_parsed_once_and_each_copy_is_its_own() -> None:
    asked: list[tuple[str, str]] = []

    def parse(text: str, path: str, typ: str = "safe") -> Any:
        asked.append((text, typ))
        return {"a": [text]}

    quick = dvc.once(parse)
    first = quick("x", "one.yaml")
    first["a"].append("of this caller")
    assert quick("x", "two.yaml") == {"a": ["x"]}
    assert quick("x changed", "one.yaml") == {"a": ["x changed"]}
    assert quick("x", "one.yaml", typ="rt") == quick("x", "one.yaml", typ="rt") == {"a": ["x"]}
    assert asked == [("x", "safe"), ("x changed", "safe"), ("x", "rt"), ("x", "rt")]


@pytest.mark.parametrize("name", ["dvc.yaml", "dvc.lock", "params.yaml", "studies/mini.yaml", "studies/job.yaml"])
def test_a_copy_is_what_dvc_reads(name: str) -> None:
    from dvc.utils.serialize import parse_yaml

    text = (dvc_sandbox.ROOT / name).read_text(encoding="utf-8")
    quick = dvc.once(parse_yaml)
    assert repr(quick(text, name)) == repr(quick(text, name)) == repr(parse_yaml(text, name))


def test_a_text_that_is_no_yaml_is_dvcs_error_each_time() -> None:
    from dvc.utils.serialize import YAMLFileCorruptedError, parse_yaml

    quick = dvc.once(parse_yaml)
    for path in ("one.yaml", "two.yaml"):
        with pytest.raises(YAMLFileCorruptedError, match=path):
            quick("a: [", path)


INNER = {  # name: (read, write, whether it is taken inside a lock that reads r and writes w, in the folder f)
    "what is read": ("f", ["r"], [], False),
    "read what is written": ("f", ["w"], [], False),
    "both": ("f", ["r", "w"], ["w"], False),
    "write what is read": ("f", [], ["r"], True),
    "another path to read": ("f", ["r", "x"], [], True),
    "another path to write": ("f", [], ["x"], True),
    "of another folder": ("g", ["r"], [], True),
}


@pytest.mark.parametrize(("folder", "read", "write", "taken"), INNER.values(), ids=INNER)
def test_a_lock_within_one_that_holds_its_paths_is_not_taken(folder: str, read: list[str], write: list[str], taken: bool) -> None:
    open_now: list[tuple[Any, ...]] = []

    @contextmanager
    def take(*words: Any) -> Iterator[None]:
        open_now.append(words)
        yield
        open_now.remove(words)

    rwlock = dvc.nested(take)
    inner = (folder, None, "dvc", read, write, False)
    with rwlock("f", None, "dvc", ["r"], ["w"], False):
        with rwlock(*inner):
            assert (inner in open_now) is taken
        assert len(open_now) == 1
    with pytest.raises(KeyError), rwlock("f", None, "dvc", ["r"], ["w"], False):
        raise KeyError
    open_now.clear()
    with rwlock(*inner):
        assert open_now == [inner]


@pytest.mark.dvc
def test_paths_that_another_process_writes_stay_locked(tmp_path: Path) -> None:
    from dvc import rwlock
    from dvc.fs import localfs
    from dvc.lock import LockError

    path = tmp_path / "rwlock"
    other = f'{{"write": {{"/data": {{"pid": {os.getppid()}, "cmd": "dvc repro"}}}}, "read": {{}}}}'
    path.write_text(other)
    take = dvc.nested(rwlock.rwlock)
    with pytest.raises(LockError, match="busy"), take(str(tmp_path), localfs, "dvc", ["/data"], [], False):
        pass
    path.write_text("{}")
    with take(str(tmp_path), localfs, "dvc", ["/in"], ["/out"], False), take(str(tmp_path), localfs, "dvc", ["/in", "/out"], [], False):
        held = json.loads(path.read_text())
    assert (list(held["read"]), list(held["write"])) == (["/in"], ["/out"])
    assert json.loads(path.read_text()) == {}


@pytest.mark.dvc
def test_a_run_leaves_the_bytes_that_dvc_leaves(tmp_path: Path) -> None:
    plain = dvc_sandbox.copy(tmp_path / "plain", {"arms": ["r1"], "seeds": [1]})
    dvc_sandbox.repro(plain, stubs=True)
    quick = Path(shutil.copytree(plain, tmp_path / "quick", symlinks=True))
    for root in (plain, quick):
        dvc_sandbox.edit(root / "studies" / "mini.yaml", "learning_rate: 1.0e-4", "learning_rate: 2.0e-4")
        dvc_sandbox._write_stubs(root)
    dvc_sandbox.repro(plain, stubs=True)
    printed = dvc_sandbox.call(quick, sys.executable, "-m", "tools.dvc", "repro", "--no-run-cache", stubs=True)
    assert "Updating lock file 'dvc.lock'" in printed
    assert (quick / "dvc.lock").read_text() == (plain / "dvc.lock").read_text()
    assert "didn't change" in dvc_sandbox.call(quick, "dvc", "repro", "--no-run-cache", stubs=True)
