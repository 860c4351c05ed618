"""A study that params.yaml does not name: run, pulled and looked at without a change to any other, whatever ends the run."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
import yaml

from distill.core import study_file
from distill.core.errors import InputError
from tests.dvc_sandbox import ROOT, call
from tests.small_project import PARAMS, STUDIES, do, entries, files, make, start
from tools import activation, run_lock


@pytest.fixture(scope="module")
def run_a(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = make(tmp_path_factory.mktemp("study") / "tree")
    call(root, "dvc", "repro", "--no-run-cache")
    return root


@pytest.fixture
def root(run_a: Path, tmp_path: Path) -> Path:
    """The project with study `a` computed by plain DVC."""
    return Path(shutil.copytree(run_a, tmp_path / "tree", symlinks=True))


@pytest.mark.dvc
def test_a_study_leaves_every_file_and_entry_of_another(root: Path) -> None:
    before = files(root, "a"), entries(root, "a")
    done = do(root, "tools.study", "run", "b")
    assert done.returncode == 0, done.stderr
    assert sorted(files(root, "b")) == sorted(
        ["data/b/raw", "models/b/student", *(f"models/b/{arm}-{seed}" for arm in ("r1", "r2") for seed in (1, 2)), "report/b/list"]
    )
    assert (files(root, "a"), entries(root, "a")) == before
    assert (root / "params.yaml").read_text() == PARAMS
    assert "up to date" in call(root, "dvc", "status")
    assert "up to date" in do(root, "tools.study", "status", "b").stdout
    # and the other way: a changed study a leaves b
    before = files(root, "b"), entries(root, "b")
    (root / "studies" / "a.yaml").write_text(STUDIES["a"].replace("of-a", "changed"))
    call(root, "dvc", "repro", "--no-run-cache")
    assert (files(root, "b"), entries(root, "b")) == before
    assert "up to date" in do(root, "tools.study", "status", "b").stdout
    assert not activation.ACTIVE.exists()


@pytest.mark.dvc
def test_a_study_is_pulled_and_looked_at_without_being_active(root: Path) -> None:
    done = do(root, "tools.study", "run", "b")
    assert done.returncode == 0, done.stderr
    computed = files(root, "b")
    (root / "params.yaml").write_text(activated_text(root, "b"))
    call(root, "dvc", "push", "-q")
    (root / "params.yaml").write_text(PARAMS)
    shutil.rmtree(root / ".dvc" / "cache")
    for top in ("data", "models"):
        shutil.rmtree(root / top / "b")
    assert "deleted" in do(root, "tools.study", "status", "b").stdout
    assert do(root, "tools.study", "pull", "b").returncode == 0
    assert files(root, "b") == computed
    assert (root / "params.yaml").read_text() == PARAMS


@pytest.mark.dvc
def test_what_a_study_keeps_out_of_the_remote_is_neither_pushed_nor_pulled(root: Path) -> None:
    away = STUDIES["b"].replace("seeds: [1, 2]}", "seeds: [1, 2], not_in_remote: [student]}")
    source = "student: {package: tiny, version: 0.1.0, sha256: abc}\n"
    (root / "studies" / "b.yaml").write_text(away + source)
    assert do(root, "tools.study", "run", "b").returncode == 0
    computed = files(root, "b")
    done = do(root, "tools.study", "push", "b")
    assert done.returncode == 0, done.stderr
    shutil.rmtree(root / ".dvc" / "cache")
    for top in ("data", "models"):
        shutil.rmtree(root / top / "b")
    done = do(root, "tools.study", "pull", "b")
    assert done.returncode == 0, done.stderr
    assert {path: data for path, data in computed.items() if path != "models/b/student"} == files(root, "b")
    lines = [line for line in done.stdout.splitlines() if line.startswith("models/b/student")]
    assert lines == ["models/b/student is not in the remote: pip download tiny==0.1.0, sha256 abc: .venv/bin/python -m stages.student b"]
    assert do(root, "tools.study", "run", "b").returncode == 0  # which makes the student again, and nothing else
    assert files(root, "b") == computed


@pytest.mark.dvc
def test_a_run_says_where_its_results_lie(root: Path) -> None:
    (root / "data" / "corpus" / "corpus").mkdir(parents=True)
    done = do(root, "tools.study", "run", "corpus")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "corpora, one folder an arm (train.jsonl, valid.jsonl): data/corpus/corpus"
    (root / "pause.sh").write_text("exit 3\n")
    (root / "studies" / "corpus.yaml").write_text(STUDIES["corpus"].replace("of-corpus", "changed"))
    assert "data/corpus/corpus" not in do(root, "tools.study", "run", "corpus").stdout  # a run that fails has no results


@pytest.mark.dvc
def test_status_lists_what_would_run_for_a_new_arm(root: Path) -> None:
    """Where `dvc repro --dry` may fail: no run has made what the new cells read."""
    assert "up to date" in do(root, "tools.study", "status").stdout
    (root / "studies" / "a.yaml").write_text(STUDIES["b"].replace("of-b", "of-a"))
    (root / "params.yaml").write_text(PARAMS.replace("arms: [r1]", "arms: [r1, r2]"))
    done = do(root, "tools.study", "status")
    assert done.returncode == 0, done.stderr
    assert [line for line in done.stdout.splitlines() if not line[:1].isspace()] == ["train@a-r2-1:", "report@a:"]
    assert "`make status` lists the stale stages" in (ROOT / "docs" / "reruns.md").read_text(encoding="utf-8")


def activated_text(root: Path, name: str) -> str:
    run = yaml.safe_load((root / "studies" / f"{name}.yaml").read_text())["run"]
    values = {"papers": ["a"], "corpora": [name], "students": [name], "arms": run["arms"], "seeds": run["seeds"]}
    return yaml.safe_dump(values)


@pytest.mark.dvc
def test_a_study_that_fails_gives_its_code_and_params_back(root: Path) -> None:
    (root / "pause.sh").write_text("exit 3\n")
    done = do(root, "tools.study", "run", "b")
    assert done.returncode != 0
    assert "failed to reproduce 'fetch@b'" in done.stderr
    assert (root / "params.yaml").read_text() == PARAMS
    assert not (root / activation.ACTIVE).exists()


def paused(root: Path, *rest: str) -> subprocess.Popen[str]:
    """Start a run and return while its stage `fetch` waits."""
    (root / "pause").touch()
    process = start(root, *rest)
    deadline = time.monotonic() + 30
    while not (root / "paused").exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return process


@pytest.mark.dvc
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_a_signal_ends_the_run_and_gives_params_back(number: signal.Signals, root: Path) -> None:
    process = paused(root, "tools.study", "run", "b")
    assert yaml.safe_load((root / "params.yaml").read_text())["corpora"] == ["b"]
    process.send_signal(number)
    process.communicate(timeout=20)
    assert process.returncode != 0
    assert (root / "params.yaml").read_text() == PARAMS
    assert not (root / activation.ACTIVE).exists()


@pytest.mark.dvc
def test_after_a_kill_the_next_target_restores_params_once_nothing_runs(root: Path) -> None:
    process = paused(root, "tools.study", "run", "b")
    process.kill()
    process.wait(timeout=20)
    # DVC goes on without its parent, and holds the lock
    refused = do(root, "tools.study", "status", "b")
    assert refused.returncode == 2
    assert "`make study S=b` runs in this clone as process " in refused.stderr
    assert do(root, "tools.activation").returncode == 0
    assert (root / activation.ACTIVE).exists()
    (root / "pause").unlink()
    deadline = time.monotonic() + 30
    while (root / activation.ACTIVE).exists():
        done = do(root, "tools.activation")
        assert time.monotonic() < deadline
    assert done.stderr == f"the run of study b (process {process.pid}) was killed; params.yaml is restored\n"
    assert (root / "params.yaml").read_text() == PARAMS
    process.communicate(timeout=20)
    assert "up to date" in do(root, "tools.study", "status", "b").stdout


@pytest.mark.dvc
def test_only_one_study_is_active_at_a_time(root: Path) -> None:
    process = paused(root, "tools.study", "run", "b")
    for rest in (("tools.study", "run", "corpus"), ("tools.study", "pull"), ("tools.run_lock", "repro")):
        second = do(root, *rest)
        assert second.returncode == 2
        assert second.stderr.split(": ", 1)[1].startswith("`make study S=b` runs in this clone as process ")
        assert len(second.stderr.splitlines()) == 1
    (root / "pause").unlink()
    process.communicate(timeout=60)
    assert process.returncode == 0


def test_a_params_file_that_was_changed_after_a_kill_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    activation.ACTIVE.parent.mkdir()
    activation.ACTIVE.write_text("1 b\n" + PARAMS)
    activation.PARAMS.write_text("mine: 1\n")
    activation.restore()
    assert activation.PARAMS.read_text() == "mine: 1\n"
    assert not activation.ACTIVE.exists()


@pytest.fixture
def plain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Study files alone, no DVC."""
    (tmp_path / "studies").mkdir()
    for name, text in STUDIES.items():
        (tmp_path / "studies" / f"{name}.yaml").write_text(text)
    (tmp_path / "params.yaml").write_text(PARAMS)
    monkeypatch.chdir(tmp_path)
    study_file.study.cache_clear()
    return tmp_path


def test_active_params_are_those_of_the_study(plain: Path) -> None:
    with run_lock.exclusive("test"), activation.activated("corpus"):
        values = yaml.safe_load((plain / "params.yaml").read_text())
        assert values == {"papers": ["a"], "corpora": ["corpus"], "students": [], "arms": ["r1"], "seeds": [1], "long_run": "r1"}
    assert (plain / "params.yaml").read_text() == PARAMS


BAD_RUNS = {
    "an arm that it lacks": (STUDIES["b"].replace("[r1, r2]", "[r1, r9]"), "no arm 'r9'; arms here: r1, r2"),
    "no arms": (STUDIES["b"].replace("[r1, r2]", "[]"), "arms and seeds must not be empty"),
    "a seed that is no number": (STUDIES["b"].replace("[1, 2]", "[one]"), "Expected `int`, got `str`"),
    "no section run": (STUDIES["b"].replace("run:", "runs:"), "no section 'run'"),
}


@pytest.mark.parametrize(("text", "message"), BAD_RUNS.values(), ids=BAD_RUNS)
def test_a_study_that_cannot_run_is_one_line(text: str, message: str, plain: Path) -> None:
    (plain / "studies" / "b.yaml").write_text(text)
    with pytest.raises(InputError, match=message):
        activation.settings("b")


NAMES = {
    "none": ("", "say which study"),
    "unknown": ("nowhere", "no such study file; studies here: "),
    "a path": ("../x", "study '../x': a name is letters"),
    "a command": ("a; touch planted", "study 'a; touch planted': a name is letters"),
}


@pytest.mark.parametrize(("name", "message"), NAMES.values(), ids=NAMES)
def test_a_name_that_is_none_is_one_line(name: str, message: str) -> None:
    done = do(ROOT, "tools.study", "run", name)
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1


def _make(folder: Path, script: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run make in a folder that holds the Makefile and a Python that is a shell script."""
    shutil.copy(ROOT / "Makefile", folder)
    (folder / "tools").mkdir()
    (folder / "tools" / "setup.sh").write_text("")
    python = folder / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f"#!/bin/sh\n{script}\n")
    python.chmod(0o755)
    environment = {key: value for key, value in os.environ.items() if key not in ("MAKEFLAGS", "MAKELEVEL")}
    return subprocess.run(["make", *words], cwd=folder, env=environment, capture_output=True, text=True)


METACHARACTERS = [
    "$(touch planted)",
    "`touch planted`",
    '"; touch planted; "',
    "'; touch planted; '",
    "$(shell touch planted)",
    "a\ntouch planted",
]


@pytest.mark.parametrize("name", METACHARACTERS)
@pytest.mark.parametrize("target", ["study", "study FORCE", "pull", "status", "check", "new-study", "new-study FROM"])
def test_nothing_in_a_name_is_executed(target: str, name: str, tmp_path: Path) -> None:
    target, _, key = target.partition(" ")
    key = key or ("NAME" if target == "new-study" else "S")
    done = _make(tmp_path, 'printf "%s\\0" "$@" > got', target, f"{key}={name}")
    assert not (tmp_path / "planted").exists(), done.stderr
    assert name in (tmp_path / "got").read_text().split("\0")


@pytest.mark.parametrize("target", ["help", "setup", "test", "report"])
def test_every_target_restores_params_after_a_kill(target: str, tmp_path: Path) -> None:
    (tmp_path / ".work").mkdir()
    (tmp_path / ".work" / "params.yaml.active").touch()
    done = _make(tmp_path, 'echo "$@" >> called', target)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "called").read_text().splitlines()[0] == "-m tools.activation"
