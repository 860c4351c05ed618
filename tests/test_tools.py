"""What the make targets say: results, claims, equality with the committed run, and what may not be committed."""

import ast
import json
import os
import re
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import msgspec
import pytest
import yaml

from distill.records.claim_record import ClaimRecord
from tests import dvc_sandbox
from tools import check_repo, compare_head, lock, show_results

ROOT = Path(__file__).parents[1]


def _lock(**hashes: str) -> dict[str, object]:
    """One stage an output: `a` is made of nothing, `b` of a."""
    stages: dict[str, object] = {}
    for name, digest in hashes.items():
        deps = [{"path": "a", "md5": hashes["a"], "size": 1}] if name == "b" and "a" in hashes else []
        stages[f"make-{name}"] = {"cmd": f"python {name}", "deps": deps, "outs": [{"path": name, "md5": digest}]}
    return {"schema": "2.0", "stages": stages}


COMPARED = {
    "equal": (_lock(a="1", b="2"), _lock(a="1", b="2"), []),
    "other bytes": (_lock(a="1", b="3"), _lock(a="1", b="2"), ["b: 3, in HEAD 2 (stage make-b: the same inputs gave other bytes)"]),
    "handed on": (
        _lock(a="9", b="3"),
        _lock(a="1", b="2"),
        [
            "a: 9, in HEAD 1 (stage make-a: the same inputs gave other bytes)",
            "b: 3, in HEAD 2 (stage make-b: its inputs differ too)",
        ],
    ),
    "one more": (_lock(a="1", b="2"), _lock(a="1"), ["b: only here (stage make-b)"]),
    "one less": (_lock(a="1"), _lock(a="1", b="2"), ["b: only in HEAD (stage make-b)"]),
    "nothing": ({}, _lock(a="1"), ["a: only in HEAD (stage make-a)"]),
}


@pytest.mark.parametrize(("ours", "theirs", "expected"), COMPARED.values(), ids=COMPARED)
def test_locks_are_compared(ours: dict[str, object], theirs: dict[str, object], expected: list[str]) -> None:
    assert [str(difference) for difference in lock.compare(ours, theirs)] == expected


CELL = {"accuracy": 0.7312, "low": 0.691, "high": 0.7701, "n": 400, "sd": 0.007}
SUMMARY = {
    "arms": {
        "base": {"competition": {"heldout": CELL | {"accuracy": 0.45}}, "transfer": {"all": CELL}, "words": 20.25},
        "r1": {"competition": {"heldout": CELL}, "words": 40.0},
    },
    "teacher": {"accuracy": 0.985},
}


def test_the_result_table_has_a_row_an_arm() -> None:
    """In the report's order, which is that of params.yaml, not of the summary's keys."""
    more = SUMMARY | {"arms": {"answer": SUMMARY["arms"]["r1"]} | SUMMARY["arms"]}
    assert [line.split()[0] for line in show_results.results(more, ["r1", "answer"]).splitlines()[2:5]] == ["base", "r1", "answer"]
    lines = show_results.results(SUMMARY, ["r1"]).splitlines()
    assert [line.split() for line in lines[2:]] == [
        ["base", "45.0", "[69.1,", "77.0]", "73.1", "[69.1,", "77.0]", "20.2"],
        ["r1", "73.1", "[69.1,", "77.0]", "-", "40.0"],
        ["teacher:", "98.5", "on", "the", "study's", "own", "problems"],
    ]


def test_the_result_table_names_the_benchmarks_that_the_study_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    cells = {"competition": {"heldout": CELL}, "svamp": {"all": CELL}, "multiarith": {"all": CELL}}
    for name, kind in (("rows", {"kind": "table"}), ("exams", {"ocr": "lines"})):
        for file, value in ((f"metrics/{name}/summary.json", {"arms": {"base": cells}}), (f"studies/{name}.yaml", {"extract": kind})):
            (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / file).write_text(json.dumps(value))
    (tmp_path / "params.yaml").write_text(json.dumps({"students": ["rows", "exams"], "arms": []}))
    show_results.main()
    heads = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines() if line.startswith("arm ")]
    assert heads == ["arm rows, held out multiarith svamp words", "arm competition, held out multiarith svamp words"]


def test_the_claims_table_has_a_row_a_claim() -> None:
    records = {
        "gain": ClaimRecord("holds", 0.0476, 0.253, 0.253, None, None, 9, 0.0, 0.0261, None, None, {}),
        "teacher": ClaimRecord("fails", 0.2673, 0.1, 0.1, None, None, 9, None, None, None, None, {}),
    }
    lines = show_results.verdicts(msgspec.json.encode(records)).splitlines()
    assert lines[2].split() == ["|", "gain", "|", "pattern", "holds", "|", "0.0476", "|", "0.2530", "|", "0.0261", "|"]
    assert lines[3].split() == ["|", "teacher", "|", "pattern", "fails", "|", "0.2673", "|", "0.1000", "|", "|"]


@pytest.fixture
def committed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with one committed run."""
    for path, text in {
        "params.yaml": "students: [mini]\narms: [r1]\n",
        "dvc.lock": yaml.safe_dump(_lock(a="1", b="2")),
        "metrics/mini/summary.json": json.dumps(SUMMARY),
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    dvc_sandbox.call(tmp_path, "git", "init", "-q")
    dvc_sandbox.call(tmp_path, "git", "add", ".")
    dvc_sandbox.call(tmp_path, "git", "commit", "-q", "-m", "run")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_an_equal_run_is_called_equal(committed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    compare_head.main()
    assert capsys.readouterr().out.splitlines()[-1] == "equal: all 2 outputs have the hashes of HEAD's dvc.lock"


MOVES = {"within": (0.7512, "+0.0200"), "outside": (0.7812, "+0.0500")}


@pytest.mark.parametrize("place", MOVES)
def test_a_different_run_says_how_far_the_accuracies_moved(place: str, committed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    accuracy, shift = MOVES[place]
    moved = json.loads(json.dumps(SUMMARY))
    moved["arms"]["r1"]["competition"]["heldout"]["accuracy"] = accuracy
    (committed / "metrics" / "mini" / "summary.json").write_text(json.dumps(moved))
    (committed / "dvc.lock").write_text(yaml.safe_dump(_lock(a="1", b="3")))
    compare_head.main()
    printed = capsys.readouterr().out
    assert "different: 1 of 2 outputs differ from HEAD's dvc.lock" in printed
    key = "arms.r1.competition.heldout.accuracy"
    assert f"mini: {place} the tolerance of 0.03: the largest move of an accuracy is {shift} ({key})" in printed
    assert (f"  {key}: 0.7812, in HEAD 0.7312" in printed) == (place == "outside")


def test_stages_that_did_not_take_part_are_not_compared(committed: Path) -> None:
    (committed / "dvc.lock").write_text(yaml.safe_dump(_lock(a="1", b="3")))
    lines = compare_head.equality(["mini"], {"make-a"}, ["make-a"])
    assert lines == ["equal: all 1 outputs (1 of them computed in this run) have the hashes of HEAD's dvc.lock"]


def test_without_a_committed_run_nothing_is_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert compare_head.equality(["mini"]) == ["compared: nothing, git is not installed, or this folder is no clone: there is no HEAD"]


REGISTRY = b"pip install --" + b"index-url https://py" + b"pi.org/simple"
UNTIDY = {
    "small and clean": ("notes.md", b"fine", 0),
    "large": ("data.bin", b"0" * (check_repo.FILE_LIMIT + 1), 1),
    "large, in the remote": ("remote/files/md5/00/1", b"0" * (check_repo.FILE_LIMIT + 1), 0),
    "a remote too large": ("remote/files/md5/00/1", b"0" * (check_repo.REMOTE_LIMIT + 1), 1),
    "a registry": ("Makefile", REGISTRY, 1),
    "an option of pip": ("setup.sh", b"pip install --extra-" + b"index-url there", 1),
    "an option of uv that names none": ("Makefile", b"uv pip compile --no-emit-index-url", 0),
}


@pytest.mark.parametrize(("path", "data", "count"), UNTIDY.values(), ids=UNTIDY)
def test_what_may_not_be_committed_is_named(path: str, data: bytes, count: int, tmp_path: Path) -> None:
    (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / path).write_bytes(data)
    assert len(check_repo.faults([path, "deleted"], tmp_path)) == count


def _setup(tree: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    script = (ROOT / "tools" / "setup.sh").resolve()
    return subprocess.run(["/bin/sh", str(script)], cwd=tree, env=os.environ | environment, capture_output=True, text=True)


def test_setup_refuses_an_old_python_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "requirements-dev.txt").touch()
    old = tmp_path / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    done = _setup(tmp_path, PYTHON=str(old))
    assert done.returncode == 1
    assert done.stderr.startswith("setup: Python 3.11 or newer is needed, found none as ")
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / ".venv").exists()


def test_setup_does_nothing_when_the_lock_file_is_installed(tmp_path: Path) -> None:
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / "requirements-dev.txt").write_text("x==1\n")
    (tmp_path / ".venv" / "bin" / "python").symlink_to(sys.executable)
    sum_ = subprocess.run("cksum < requirements-dev.txt", shell=True, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    (tmp_path / ".venv" / "stamp").write_text(f"requirements-dev.txt {sum_}")
    done = _setup(tmp_path, PYTHON="/nowhere/python3")
    assert (done.returncode, done.stderr) == (0, "")
    (tmp_path / "requirements-dev.txt").write_text("x==2\n")
    assert _setup(tmp_path, PYTHON="/nowhere/python3").returncode == 1


def _direct(name: str) -> set[str]:
    """Return the packages that a requirements file names itself, normalised."""
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    return {_normalised(re.split(r"[\[<;\s]", line)[0]) for line in lines if line and not line.startswith(("#", "-"))}


def _normalised(package: str) -> str:
    return package.lower().replace("_", "-")


def test_every_import_is_a_direct_dependency() -> None:
    owners = {name: set(map(_normalised, packages)) for name, packages in packages_distributions().items()}
    found = {module for folder in ("stages", "distill", "tools") for path in (ROOT / folder).rglob("*.py") for module in _imported(path)}
    foreign = found - set(sys.stdlib_module_names) - {"stages", "distill", "tools", "tests"}
    assert {module for module in foreign if not owners.get(module, set()) & _direct("requirements.in")} == set()


def _imported(path: Path) -> set[str]:
    """Return the top-level modules that a file imports, in functions too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add(str(node.module).split(".")[0])
    return found


@pytest.mark.parametrize("name", ["requirements.in", "requirements-dev.in"])
def test_every_direct_dependency_has_its_reason(name: str) -> None:
    rows = re.findall(r"^\| ([\w.-]+) \| .+ \| .+ \|", (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert _direct(name) - set(map(_normalised, rows)) == set()
    assert set(map(_normalised, rows)) - {"package", "machine"} == _direct("requirements.in") | _direct("requirements-dev.in")
