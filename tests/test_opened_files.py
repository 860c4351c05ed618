"""The whole pipeline on a new study, the template as it is: it runs, and each stage opens what dvc.yaml declares, no more and no less."""

import json
import os
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path, PurePosixPath

import pytest
import yaml

from tests import dvc_sandbox
from tests.pipeline import LAUNCHER, ROOT, Cell, cells

HOOK = ROOT / "tests" / "opened"
# What only another kind of study reads: a model is asked, work was recorded, a published table is counted.
OTHER_KINDS = {
    "audit": {"raw"},
    "claims": {"likelihood.jsonl.gz"},
    "condense": {"prompts/condense", "problems.jsonl", "recorded_traces.jsonl"},
    "contamination": {"levels.jsonl.gz"},
    "curate": {"recorded_traces.jsonl"},
    "import_traces": {"raw", "problems.jsonl"},
    "llm_judge": {"prompts/judge", "completions", "extracted.jsonl", "benchmarks"},
    "multiverse": {"likelihood.jsonl.gz"},
    "page": {"likelihood.jsonl.gz"},
    "solve": {"prompts/solve", "recorded_traces.jsonl"},
    "transcribe": {"raw", "prompts/transcribe"},
    "verify": {"prompts/verify", "extracted.jsonl"},
}


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, dict[str, set[str]]]]:
    """Begin a study and run it whole; return the tree, and by command and mode the files that were opened."""
    run = yaml.safe_load((ROOT / "studies" / "template.yaml").read_text(encoding="utf-8"))["run"]
    params = {"papers": [], "corpora": ["mine"], "students": ["mine"], "arms": run["arms"], "seeds": run["seeds"]}
    base = tmp_path_factory.mktemp("opened")
    root = dvc_sandbox.copy(base / "tree", params).resolve()
    before = (root / "params.yaml").read_bytes()
    log = base / "opened.tsv"
    environment = os.environ | dvc_sandbox.GIT | {
        "PATH": os.pathsep.join([str(dvc_sandbox.BIN), os.environ["PATH"]]),
        "PYTHONPATH": str(HOOK), "OPENED_LOG": str(log), "OPENED_ROOT": str(root), "DVC_NO_ANALYTICS": "1",
    }  # fmt: skip
    for words in ("tools.new_study mine", "tools.check_study mine", "tools.study run mine", "tools.study status mine"):
        done = subprocess.run([sys.executable, "-m", *words.split()], cwd=root, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, words + done.stdout[-3000:] + done.stderr[-3000:]
    assert "up to date" in done.stdout
    assert (root / "params.yaml").read_bytes() == before
    found: dict[str, dict[str, set[str]]] = defaultdict(lambda: {"r": set(), "w": set()})
    for line in log.read_text(encoding="utf-8").splitlines():
        cell, how, path = line.split("\t")
        found[cell][how].add(path)
    return root, found


def _within(path: str, folders: list[str]) -> bool:
    return any(PurePosixPath(path).is_relative_to(folder) for folder in folders)


def _source(path: str) -> str:
    """Return the source of a compiled module."""
    return re.sub(r"__pycache__/([^.]+)\.cpython-\d+\.pyc.*", r"\1.py", path)


def _command(cell: Cell) -> str:
    return cell.cmd.removeprefix("python -m ")


@pytest.mark.dvc
class TestOpenedFiles:
    """One cell after another."""

    def test_the_template_runs_from_its_exams_to_its_report(self, opened: tuple[Path, dict[str, dict[str, set[str]]]]) -> None:
        root, _ = opened
        summary = json.loads((root / "metrics" / "mine" / "summary.json").read_text())
        assert set(summary["arms"]) == {"base", "r1", "answer"}
        claims = json.loads((root / "metrics" / "mine" / "claims.json").read_text())
        assert set(claims) == {"distilled_above_base", "chains_likelier_than_before", "cot_beats_answer"}
        assert "## Likelihood" in (root / "report" / "mine" / "report.md").read_text()
        assert (root / "report" / "mine" / "report.md").is_file()

    def test_every_cell_ran(self, opened: tuple[Path, dict[str, dict[str, set[str]]]]) -> None:
        root, found = opened
        assert {_command(cell) for cell in cells(root)} == set(found)

    def test_a_stage_reads_only_what_it_declares(self, opened: tuple[Path, dict[str, dict[str, set[str]]]]) -> None:
        root, found = opened
        strays = []
        for cell in cells(root):
            allowed = [*cell.deps, *cell.params, *cell.outs, LAUNCHER, ".work", "stages/__init__.py", "distill/__init__.py"]
            read = {_source(path) for path in found[_command(cell)]["r"] if (root / path).is_file()}
            strays += [
                f"{cell.name} reads {path}" for path in sorted(read) if not _within(path, allowed) and not path.endswith("__init__.py")
            ]
        assert "\n".join(strays) == ""

    def test_a_stage_writes_only_what_it_declares(self, opened: tuple[Path, dict[str, dict[str, set[str]]]]) -> None:
        root, found = opened
        strays = []
        for cell in cells(root):
            written = {path for path in found[_command(cell)]["w"] if ".tmp" not in path and "__pycache__" not in path}
            strays += [f"{cell.name} writes {path}" for path in sorted(written) if not _within(path, [*cell.outs, ".work"])]
        assert "\n".join(strays) == ""

    def test_a_stage_opens_everything_that_it_declares(self, opened: tuple[Path, dict[str, dict[str, set[str]]]]) -> None:
        root, found = opened
        unread, unwritten = [], []
        for cell in cells(root):
            read, written = (found[_command(cell)][how] for how in "rw")
            others = tuple(OTHER_KINDS.get(cell.stage, ()))
            data = [dep for dep in cell.deps if dep not in cell.code and not (others and dep.endswith(others))]
            unread += [f"{cell.name}: {dep}" for dep in data if not any(_within(path, [dep]) for path in read)]
            unwritten += [f"{cell.name}: {out}" for out in cell.outs if not any(_within(path, [out]) for path in written)]
        assert "\n".join([*unread, *unwritten]) == ""
