"""`make claim`: what it prints of each claim, which cells it computes again, and whether it sees a difference."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from distill.core.errors import InputError
from tests.dvc_sandbox import call
from tests.pipeline import ROOT
from tests.small_project import ENVIRONMENT, do, make, publish
from tools import claim, claim_cells, costs, pipeline

STUDIES = ("mini", "job")
LEDGERS = [  # read by path: tests may run in another folder
    (study, name)
    for study in STUDIES
    for section in ("claims", "reported_counts")
    for name in yaml.safe_load((ROOT / "studies" / f"{study}.yaml").read_text(encoding="utf-8")).get(section, {}).get("ledger", {})
]


@pytest.fixture(autouse=True)
def _in_the_tree(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


@pytest.mark.parametrize(("study", "name"), dict.fromkeys(LEDGERS), ids=lambda value: value)
def test_every_judged_claim_is_printed(study: str, name: str) -> None:
    for found in claim.find(name, study):
        text = "\n".join(claim.lines(found))
        assert found.claim.says in text
        assert f"{found.figures}: {name}" in text
        assert found.result.rationale.reason in text
        assert "RUN=1 " in text or "dvc.lock does not keep this run" in text


def test_a_claim_is_looked_for_in_the_study_that_params_names_first() -> None:
    assert [found.study for found in claim.find("distilled_above_base")] == ["mini"]
    assert [(found.study, found.stage) for found in claim.find("distilled_above_base", "job")] == [
        ("job", "claims"),
        ("job", "reported_counts"),
    ]
    assert [found.stage for found in claim.find("aime_tuned_above_base")] == ["reported_counts"]


def _behind(name: str, study: str = "mini") -> list[pipeline.Cell]:
    found = claim.find(name, study)[0]
    return claim.behind_of(found, claim.every_cell(found))


# Claim -> the cells of train and sample that it rests on, without their seeds, and the words of RUN that differ.
RESTS_ON = {
    "distilled_above_base": ({"train r1", "sample r1", "sample-base"}, ["1", "grade", "sample", "train", "all"]),
    "teacher_above_student": ({"sample-base"}, ["1", "grade", "sample", "all"]),
    "more_data_helps": ({"train r1", "train r1-n100", "sample r1", "sample r1-n100"}, ["1", "grade", "sample", "train", "all"]),
    "speed_hurt_most": ({"train r1", "train r6", "sample r1", "sample r6"}, ["1", "grade", "sample", "train", "all"]),
    "long_run_overfits": ({"overfit"}, ["1", "grade", "train", "all"]),
}


@pytest.mark.parametrize(("name", "cells", "words"), [(name, *rest) for name, rest in RESTS_ON.items()], ids=RESTS_ON)
def test_a_claim_rests_on_the_arms_of_its_rule(name: str, cells: set[str], words: list[str]) -> None:
    behind = _behind(name)
    heavy = {"train", "sample", "sample-base", "overfit"}
    assert {costs.key(cell) for cell in behind if cell.stage in heavy} == cells
    assert claim_cells.words_for(behind) == words


def test_each_word_computes_a_stage_and_all_that_follow_it() -> None:
    behind = _behind("distilled_above_base")
    stages = {word: list(dict.fromkeys(cell.stage for cell in claim_cells.since(behind, word))) for word in claim_cells.LEVELS}
    assert stages["1"] == ["claims"]
    assert stages["grade"] == ["grade", "llm_judge", "summarise", "claims"]
    assert stages["sample"] == ["sample-base", "sample", *stages["grade"]]
    assert stages["train"] == ["train", "sample", *stages["grade"]]
    assert stages["all"][0] == "fetch"
    assert len([cell for cell in claim_cells.since(behind, "train") if cell.stage == "train"]) == 5


def test_what_is_not_computed_is_fetched_of_every_arm() -> None:
    """`summarise` reads the adapters of all arms, whatever the claim names."""
    found = claim.find("distilled_above_base", "mini")[0]
    cells = claim.every_cell(found)
    chosen = claim_cells.since(claim.behind_of(found, cells), "train")
    stored = claim_cells.stored(chosen, cells)
    assert {"models/mini/student", "models/mini/adapters/r6-1", "data/mini/completions/r6-1.jsonl.gz", "data/mini/corpus/r1"} <= set(stored)
    assert not {"models/mini/adapters/r1-1", "data/mini/completions/r1-1.jsonl.gz", "metrics/mini/claims.json"} & set(stored)


REFUSED = {
    "misspelt": (("distiled_above_base",), r"no claim 'distiled_above_base' in mini, .*; near: distilled_above_base"),
    "no name": (("", "mini"), r"say which: make claim C=NAME; claims of mini: teacher_above_student, "),
    "no such study": (("transfer", "nope"), "studies/nope.yaml: no such study file; studies here: "),
    "a study that was not run": (("transfer", "openr1"), "study openr1 was not run: make study S=openr1; studies with results: mini, "),
    "no such word": (("transfer", "mini", "2"), "RUN=2: expected one of 1, grade, sample, train, all"),
    "no such stage behind it": (("teacher_above_student", "mini", "train"), "rests on no such stage; here: 1, grade, sample, all"),
    "a run that dvc.lock does not keep": (("clean_distilled_above_base", "job", "1"), "dvc.lock keeps no run of study job to compare with"),
}


@pytest.mark.parametrize(("words", "message"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_shown_is_refused_in_one_line(words: tuple[str, ...], message: str) -> None:
    with pytest.raises(InputError) as refused:
        claim.main(*words)
    assert re.search(message, str(refused.value))
    assert "\n" not in str(refused.value)


def test_paths_are_written_as_a_shell_takes_them() -> None:
    assert claim.braced(["a/r1-1.gz", "a/r1-2.gz"]) == "a/r1-{1,2}.gz"
    assert claim.braced(["a/b"]) == "a/b"
    assert claim.braced(["a", "aa"]) == "a{,a}"


COMPUTE = """
from pathlib import Path
from tools import claim_run
print(claim_run.run("{study}", ["train@{study}-r1-1", "report@{study}"], {needed}, Path("report/{study}/list")))
"""


@pytest.fixture(scope="module")
def committed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project in which study b was run too, which params.yaml does not name."""
    root = make(tmp_path_factory.mktemp("claim") / "tree")
    do(root, "tools.study", "run", "b")
    return publish(root)


def _compute(root: Path, study: str, needed: list[str]) -> tuple[int, str, str]:
    code = COMPUTE.format(study=study, needed=needed)
    done = subprocess.run([sys.executable, "-c", code], cwd=root, env=ENVIRONMENT, capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


NEEDED = {
    "a study that params.yaml names": ("a", ["data/a/raw", "models/a/student"], "r1-1\\nstudent\\n"),
    "a study that it does not name": (
        "b",
        ["data/b/raw", "models/b/student", "models/b/r1-2", "models/b/r2-1", "models/b/r2-2"],
        "r1-1\\nr1-2\\nr2-1\\nr2-2\\nstudent\\n",
    ),
}


@pytest.mark.dvc
@pytest.mark.parametrize(("study", "needed", "listed"), NEEDED.values(), ids=NEEDED)
def test_only_the_named_cells_run_and_the_rest_is_fetched(
    study: str, needed: list[str], listed: str, committed: Path, tmp_path: Path
) -> None:
    call(tmp_path, "git", "clone", "-q", str(committed), "clone")
    shutil.copytree(committed / ".dvc" / "cache", tmp_path / "clone" / ".dvc" / "cache")  # study b is not in the remote
    code, out, error = _compute(tmp_path / "clone", study, needed)
    assert code == 0, error
    assert f"(2, b'{listed}')" in out
    assert [line for line in out.splitlines() if line.startswith("Running")] == [
        f"Running stage 'train@{study}-r1-1':",
        f"Running stage 'report@{study}':",
    ]
    assert not (tmp_path / "clone" / ".work" / "claim").exists()
    assert not (tmp_path / "clone" / "models" / study / "r1-1").exists()


@pytest.mark.dvc
def test_an_output_that_is_not_the_committed_one_is_named(committed: Path, tmp_path: Path) -> None:
    call(tmp_path, "git", "clone", "-q", str(committed), "clone")
    root = tmp_path / "clone"
    text = (root / "dvc.lock").read_text()
    md5 = yaml.safe_load(text)["stages"]["train@a-r1-1"]["outs"][0]["md5"]
    (root / "dvc.lock").write_text(text.replace(md5, "f" * 32))
    call(root, "git", "commit", "-qam", "another hash")
    code, out, error = _compute(root, "a", ["data/a/raw", "models/a/student"])
    assert code == 1
    assert f"models/a/r1-1: {md5[:8]}, in HEAD ffffffff (stage train@a-r1-1: the same inputs gave other bytes)" in out
    assert "claim: 1 of 2 outputs differ; the copy is kept in .work/claim" in error


@pytest.mark.dvc
def test_verify_computes_everything_and_compares(committed: Path, tmp_path: Path) -> None:
    call(tmp_path, "git", "clone", "-q", str(committed), "clone")
    shutil.rmtree(tmp_path / "clone" / "remote")
    lock = yaml.safe_load((tmp_path / "clone" / "dvc.lock").read_text())
    lock["stages"] = {name: body for name, body in lock["stages"].items() if not name.partition("@")[2].startswith("b")}
    (tmp_path / "clone" / "dvc.lock").write_text(yaml.safe_dump(lock))
    call(tmp_path / "clone", "git", "commit", "-qam", "study a alone")
    done = do(tmp_path / "clone", "tools.verify")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "verify: equal: all 5 outputs were computed again and have the hashes of HEAD's dvc.lock"


def test_times_are_sums_of_what_was_measured(tmp_path: Path) -> None:
    (tmp_path / "metrics").mkdir()
    rows = {"studies": {"mini": {"claims": {"cells": 1, "cpu_seconds": 3.4, "megabytes": 100}}}, "commands": {}, "measured": {}}
    (tmp_path / costs.RECORD).write_text(json.dumps(rows))
    cells = [cell for cell in _behind("distilled_above_base") if cell.stage in ("summarise", "claims")]
    assert costs.total(cells, "mini", tmp_path) == "3 s, without summarise (not measured)"
    assert costs.total(cells[:1], "mini", tmp_path) == "not measured"
