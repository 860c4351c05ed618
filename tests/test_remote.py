"""A remote whose objects were changed: pull fails, and names the object and the output."""

import configparser
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.dvc_sandbox import ROOT, call
from tests.small_project import do, make, publish
from tools import check_repo, remote

FOLDER = """
  curate:
    matrix: {study: "${corpora}"}
    cmd: mkdir -p data/${item.study}/corpus && echo one > data/${item.study}/corpus/train && echo two > data/${item.study}/corpus/valid
    outs: ["data/${item.study}/corpus"]
"""

pytestmark = pytest.mark.dvc


@pytest.fixture(scope="module")
def pushed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose run, with a folder among its outputs, is committed and pushed."""
    root = make(tmp_path_factory.mktemp("remote") / "tree")
    with (root / "dvc.yaml").open("a") as file:
        file.write(FOLDER)
    return publish(root)


@pytest.fixture
def clone(pushed: Path, tmp_path: Path) -> Path:
    call(tmp_path, "git", "clone", "-q", str(pushed), "clone")
    for path in (tmp_path / "clone" / "remote").rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return tmp_path / "clone"


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


CHANGES: dict[str, tuple[str, Callable[[Path], object], str]] = {  # the output, the file in it; what is done to the object; what is said
    "a flipped byte of the student": ("models/a/student", _flip, "damaged"),
    "a flipped byte of an adapter": ("models/a/r1-1", _flip, "damaged"),
    "a truncated adapter": ("models/a/r1-1", _truncate, "damaged"),
    "an empty object": ("models/a/r1-1", lambda path: path.write_bytes(b""), "damaged"),
    "more at the end": ("models/a/student", lambda path: path.write_bytes(path.read_bytes() + b"x"), "damaged"),
    "a file of a folder": ("data/a/corpus, file valid", _flip, "damaged"),
    "a folder's list": ("data/a/corpus", _truncate, "damaged"),
    "a folder's list of nothing": ("data/a/corpus", lambda path: path.write_text("[]"), "damaged"),
    "a deleted object": ("models/a/student", Path.unlink, "no such object, in .dvc/cache neither"),
    "a deleted file of a folder": ("data/a/corpus, file train", Path.unlink, "no such object, in .dvc/cache neither"),
    "a deleted list of a folder": ("data/a/corpus", Path.unlink, "no such object, in .dvc/cache neither"),
}


@pytest.mark.parametrize(("place", "change", "said"), CHANGES.values(), ids=CHANGES)
def test_a_changed_object_is_named_with_its_output(
    place: str, change: Callable[[Path], object], said: str, clone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(clone)
    needed = {each.place: each.path for each in remote.objects([clone / "remote/files/md5"], remote.outputs_of(["a"]))}
    path = Path("remote/files/md5") / needed[f"output {place}"]
    change(path)
    done = do(clone, "tools.study", "pull")
    assert done.returncode == 2
    line = next(line for line in done.stderr.splitlines() if line.startswith("study: "))
    assert line.startswith(f"study: {path}: {said}")
    assert f"(output {place}); put it back: git checkout HEAD -- {path}" in line
    assert "Traceback" not in done.stderr
    if said != "damaged":
        others = [each for each in remote.outputs_of(["a"]) if each != place.partition(",")[0]]
        assert [each for each in others if not (clone / each).exists()] == []
    call(clone, "git", "checkout", "HEAD", "--", str(path))
    assert do(clone, "tools.study", "pull").returncode == 0
    assert "up to date" in call(clone, "dvc", "status")


def test_a_changed_student_is_not_pulled_by_a_run(clone: Path) -> None:
    _flip(next(path for path in (clone / "remote").rglob("*") if path.is_file() and path.read_text() == "student\n"))
    done = do(clone, "tools.repro")
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
    assert "(output models/a/student)" in done.stderr


def test_plain_dvc_refuses_a_changed_object_too(clone: Path) -> None:
    _flip(next(path for path in (clone / "remote").rglob("*") if path.is_file() and path.read_text() == "student\n"))
    with pytest.raises(AssertionError, match="models/a/student"):
        call(clone, "dvc", "pull")
    assert not (clone / "models" / "a" / "student").exists()
    config = configparser.ConfigParser()
    config.read(ROOT / ".dvc" / "config")
    assert config.getboolean("'remote \"embedded\"'", "verify")


def test_a_changed_object_may_not_be_committed(clone: Path) -> None:
    path = next(path for path in (clone / "remote").rglob("*") if path.is_file())
    name = str(path.relative_to(clone))
    assert check_repo.faults([name], clone) == []
    _flip(path)
    assert check_repo.faults([name], clone)[0].startswith(f"{name}: damaged")


def test_objects_of_another_study_are_not_asked_for(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(clone)
    shutil.rmtree("remote")
    assert remote.faults(remote.outputs_of(["b"]), absent=True) == []
    assert len(remote.faults(remote.outputs_of(["a"]), absent=True)) == len(remote.outputs_of(["a"]))
