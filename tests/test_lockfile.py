"""The quick writer of dvc.lock: the same bytes as DVC's own, and DVC's own way for what it does not know."""

import shutil
import sys
from pathlib import Path

import pytest

from tests import tiny
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


@pytest.mark.dvc
def test_a_run_leaves_the_bytes_that_dvc_leaves(tmp_path: Path) -> None:
    plain = tiny.copy(tmp_path / "plain", {"arms": ["r1"], "seeds": [1]})
    tiny.repro(plain, stubs=True)
    quick = Path(shutil.copytree(plain, tmp_path / "quick", symlinks=True))
    for root in (plain, quick):
        tiny.edit(root / "studies" / "mini.yaml", "learning_rate: 1.0e-4", "learning_rate: 2.0e-4")
        tiny._write_stubs(root)
    tiny.repro(plain, stubs=True)
    printed = tiny.call(quick, sys.executable, "-m", "tools.dvc", "repro", "--no-run-cache", stubs=True)
    assert "Updating lock file 'dvc.lock'" in printed
    assert (quick / "dvc.lock").read_text() == (plain / "dvc.lock").read_text()
    assert "didn't change" in tiny.call(quick, "dvc", "repro", "--no-run-cache", stubs=True)
