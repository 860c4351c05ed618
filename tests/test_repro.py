"""What `make repro` says of a run: computed, not computed and why, equal to HEAD or not."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from distill.core.errors import InputError
from tests.dvc_sandbox import call
from tests.small_project import do, make, publish, start
from tools import repro, run_lock

STAGES = {
    "fetch": {"outs": ["data/raw"]},
    "student": {"outs": ["models/student"]},
    "sum": {"outs": ["data/sum"], "metrics": [{"m.json": {"cache": False}}]},
    "report": {"outs": [{"report.md": {"cache": False}}], "metrics": [{"r.json": {"cache": False}}]},
}
LOCK = {
    "stages": {
        "fetch@a": {"outs": [{"path": "data/raw"}]},
        "student@a": {"outs": [{"path": "models/student"}]},
        "sum@a": {"outs": [{"path": "data/sum"}, {"path": "m.json"}]},
        "report@a": {"outs": [{"path": "report.md"}, {"path": "r.json"}]},
        "fetch@b": {"outs": [{"path": "of a study that is not active"}]},
    }
}
GIT = "in git, so that DVC takes them as done, on a fresh clone too; `make repro FORCE=1` computes them"
CACHED = "in this clone's .dvc/cache since an earlier run or pull; `make repro FORCE=1` computes them"
IN_GIT = f"not computed: 2 outputs of 1 stage: {GIT} (report)"
ACCOUNTS = {
    "all ran": (repro.Run(["fetch@a", "student@a", "sum@a", "report@a"], [], []), [], ["computed in this run: 6 outputs of 4 stages"]),
    "a fresh clone": (
        repro.Run(["fetch@a", "sum@a"], ["student@a", "report@a"], []),
        ["student@a"],
        ["computed in this run: 3 outputs of 2 stages", "not computed: 1 output of 1 stage: pulled from the remote (student)", IN_GIT],
    ),
    "nothing to do": (
        repro.Run([], ["fetch@a", "student@a", "sum@a", "report@a"], []),
        [],
        [
            "computed in this run: 0 outputs of 0 stages",
            IN_GIT,
            "not computed: 4 outputs of 3 stages: here already, and nothing that they depend on has changed (fetch, student, sum)",
        ],
    ),
    "an output that was deleted": (
        repro.Run(["fetch@a", "student@a", "report@a"], [], ["sum@a"]),
        [],
        [
            "computed in this run: 4 outputs of 3 stages",
            f"not computed: 2 outputs of 1 stage: {CACHED} (sum)",
        ],
    ),
}


@pytest.mark.parametrize(("run", "pulled", "lines"), ACCOUNTS.values(), ids=ACCOUNTS)
def test_a_run_says_what_was_not_computed_and_why(run: repro.Run, pulled: list[str], lines: list[str]) -> None:
    assert repro.account(run, pulled, STAGES, LOCK) == lines


def test_a_stage_that_ran_in_one_of_two_passes_has_run() -> None:
    first = ["Stage 'a' didn't change, skipping", "Running stage 'b@x-1':", "> sh b"]
    assert repro.parse([*first, "Running stage 'a':", "> sh a"]) == repro.Run(["b@x-1", "a"], [], [])


@pytest.fixture(scope="module")
def committed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose run is committed and pushed."""
    root = make(tmp_path_factory.mktemp("repro") / "tree")
    return publish(root)


@pytest.fixture
def clone(committed: Path, tmp_path: Path) -> Path:
    call(tmp_path, "git", "clone", "-q", str(committed), "clone")
    return tmp_path / "clone"


@pytest.mark.dvc
def test_a_fresh_clone_computes_all_but_the_student_and_what_git_holds(clone: Path) -> None:
    done = do(clone, "tools.repro")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("pulling models/a/student, the one output that is not computed")
    assert done.stdout.splitlines()[-4:] == [
        "computed in this run: 2 outputs of 2 stages",
        "not computed: 1 output of 1 stage: pulled from the remote (student)",
        f"not computed: 2 outputs of 2 stages: {GIT} (paper, report)",
        "equal: all 5 outputs (2 of them computed in this run) have the hashes of HEAD's dvc.lock",
    ]
    done = do(clone, "tools.repro", "--force")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-3:] == [
        "computed in this run: 4 outputs of 4 stages",
        "not computed: 1 output of 1 stage: here already, and nothing that they depend on has changed (student)",
        "equal: all 5 outputs (4 of them computed in this run) have the hashes of HEAD's dvc.lock",
    ]
    (clone / "models" / "a" / "r1-1").unlink()
    assert (
        "in this clone's .dvc/cache since an earlier run or pull; `make repro FORCE=1` computes them (train)"
        in do(clone, "tools.repro").stdout
    )


@pytest.mark.dvc
def test_after_the_loss_of_the_cache_the_student_is_pulled_again(clone: Path) -> None:
    do(clone, "tools.repro")
    shutil.rmtree(clone / ".dvc" / "cache")
    done = do(clone, "tools.repro")
    assert done.stdout.startswith("pulling models/a/student, the one output that is not computed"), done.stderr
    assert "Running stage 'student@a'" not in done.stdout
    assert "not computed: 1 output of 1 stage: pulled from the remote (student)" in done.stdout.splitlines()


@pytest.mark.dvc
@pytest.mark.parametrize("words", [("tools.repro", "report"), ("tools.study", "run", "a")], ids=["make report", "make study"])
def test_every_target_that_runs_stages_pulls_the_student(words: tuple[str, ...], clone: Path) -> None:
    done = do(clone, *words)
    assert done.returncode == 0, done.stderr
    assert "pulling models/a/student" in done.stdout
    assert "Running stage 'student@a'" not in done.stdout


@pytest.mark.dvc
def test_the_log_is_kept(clone: Path) -> None:
    do(clone, "tools.repro", "--force")
    assert (clone / ".work" / "repro.log").read_text().count("Running stage") == 4


@pytest.mark.dvc
def test_without_a_remote_the_student_is_computed_and_a_difference_is_counted(clone: Path) -> None:
    shutil.rmtree(clone / "remote")
    (clone / "studies" / "a.yaml").write_text((clone / "studies" / "a.yaml").read_text().replace("of-a", "changed"))
    done = do(clone, "tools.repro")
    assert done.returncode == 0, done.stderr
    assert "it could not be pulled (.work/pull.log)" in done.stdout
    lines = done.stdout.splitlines()
    assert "computed in this run: 5 outputs of 5 stages" in lines
    assert "different: 2 of 5 outputs (5 of them computed in this run) differ from HEAD's dvc.lock" in lines


@pytest.mark.dvc
def test_a_second_run_in_one_clone_is_refused_in_one_line(clone: Path) -> None:
    (clone / "pause").touch()
    process = start(clone, "tools.repro")
    try:
        for line in process.stdout or ():
            if "cp studies/a.yaml" in line:
                break
        second = do(clone, "tools.repro")
    finally:
        (clone / "pause").unlink()
        process.communicate(timeout=60)
    assert second.returncode == 2
    assert re.match(
        r"repro: `make repro` runs in this clone as process \d+ since \d{4}-\d\d-\d\dT\d\d:\d\d; wait for its end", second.stderr
    )
    assert len(second.stderr.splitlines()) == 1
    assert process.returncode == 0


@pytest.mark.dvc
def test_a_run_that_fails_gives_dvcs_code_and_keeps_the_log(clone: Path) -> None:
    (clone / "pause.sh").write_text("exit 3\n")
    done = do(clone, "tools.repro")
    assert done.returncode == 255
    assert "Running stage 'fetch@a'" in (clone / ".work" / "repro.log").read_text()


PAID = """
  asking:
    matrix: {study: "${corpora}"}
    cmd: touch paid data/${item.study}/asked
    outs: ["data/${item.study}/asked"]
  split:
    matrix: {study: "${corpora}"}
    cmd: cp data/${item.study}/raw data/${item.study}/split && echo 3 problems are too few >&2 && exit 2
    deps: ["data/${item.study}/raw"]
    outs: ["data/${item.study}/split"]
"""


@pytest.mark.dvc
@pytest.mark.parametrize("words", [(), ("report",), ("--force",)], ids=["make repro", "make report", "FORCE=1"])
def test_no_call_is_paid_before_a_split_that_fails(words: tuple[str, ...], clone: Path) -> None:
    pipeline = clone / "dvc.yaml"
    pipeline.write_text(pipeline.read_text().rstrip() + PAID)
    do(clone, "tools.repro", *words)
    assert words == ("report",) or (clone / "paid").exists()  # DVC alone asks first
    (clone / "paid").unlink(missing_ok=True)
    (clone / "data" / "a" / "asked").unlink(missing_ok=True)
    with (clone / "studies" / "a.yaml").open("a") as study:
        study.write("solve: {teacher: chat}\n")
    done = do(clone, "tools.repro", *words)
    assert done.returncode == 255
    assert "3 problems are too few" in done.stderr
    assert not (clone / "paid").exists()


@pytest.mark.parametrize(("text", "kept"), [("", False), ('{"a": {"wri', False), ("{}", True)], ids=["empty", "half", "whole"])
def test_a_lock_record_that_a_kill_cut_off_is_removed(text: str, kept: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run_lock.DVC_LOCKS.parent.mkdir(parents=True)
    run_lock.DVC_LOCKS.write_text(text)
    with run_lock.exclusive("test"):
        assert run_lock.DVC_LOCKS.exists() is kept


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="what a process is in is read from /proc")
def test_a_killed_process_that_nobody_waits_for_holds_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run_lock.DVC_LOCKS.parent.mkdir(parents=True)
    other = subprocess.Popen(["sleep", "60"])
    run_lock.DVC_LOCKS.write_text(json.dumps({"write": {"/x": {"pid": other.pid, "cmd": "dvc repro"}}, "read": {}}))
    with pytest.raises(InputError, match=f"`dvc repro` runs in this clone as process {other.pid}"), run_lock.exclusive("test"):
        pass
    other.kill()
    os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and stays until it is waited for
    with run_lock.exclusive("test"):
        assert not run_lock.DVC_LOCKS.exists()
    other.wait()


@pytest.mark.dvc
def test_a_plain_dvc_at_work_is_named(clone: Path) -> None:
    other = subprocess.Popen(["sleep", "60"])
    record = clone / run_lock.DVC_LOCKS
    record.parent.mkdir(parents=True, exist_ok=True)
    try:
        record.write_text(json.dumps({"write": {"/x": {"pid": other.pid, "cmd": "dvc repro"}}, "read": {}}))
        done = do(clone, "tools.repro")
    finally:
        other.kill()
        other.wait()
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"repro: `dvc repro` runs in this clone as process {other.pid}; wait for its end or stop it\n"
    assert yaml.safe_load((clone / "params.yaml").read_text())["corpora"] == ["a"]
