"""`make check` names all faults of a study file at once; the committed ones have none; a new study begins as the template."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from distill.core import study_file
from distill.core.errors import InputError
from tests.dvc_sandbox import ROOT
from tools import check_study, new_study

STUDIES = sorted(path.stem for path in (ROOT / "studies").glob("*.yaml"))


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Study files and prompts alone."""
    shutil.copytree(ROOT / "studies", tmp_path / "studies")
    shutil.copytree(ROOT / "prompts", tmp_path / "prompts")
    monkeypatch.chdir(tmp_path)
    study_file.study.cache_clear()
    return tmp_path


@pytest.mark.parametrize("name", STUDIES)
def test_the_committed_studies_have_no_fault(name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    check_study.main(name)
    document = yaml.safe_load((ROOT / "studies" / f"{name}.yaml").read_text())
    assert capsys.readouterr().out == f"studies/{name}.yaml: ok, {len(document)} sections, {len(document['arms'])} arms\n"


@pytest.mark.parametrize("name", STUDIES)
def test_dvc_can_compare_the_values_of_a_study(name: str) -> None:
    """A mapping with numbers as keys stops `dvc params diff`."""

    def numbered(value: Any) -> list[Any]:
        if isinstance(value, dict):
            return [key for key in value if not isinstance(key, str)] + [key for item in value.values() for key in numbered(item)]
        return [key for item in value for key in numbered(item)] if isinstance(value, list) else []

    assert numbered(yaml.safe_load((ROOT / "studies" / f"{name}.yaml").read_text())) == []


def _edit(name: str, path: Path, **changes: Any) -> None:
    """Set keys of a study, named by their path: train__rank=8; None removes."""
    document = yaml.safe_load(path.with_name(f"{name}.yaml").read_text())
    for key, value in changes.items():
        *sections, last = key.split("__")
        inner = document
        for section in sections:
            inner = inner[section]
        if value is None:
            del inner[last]
        else:
            inner[last] = value
    path.write_text(yaml.safe_dump(document, sort_keys=False))


FAULTS: dict[str, tuple[str, dict[str, Any], list[str]]] = {  # name: (the study that is edited, the edits, the faults)
    "several": (
        "template",
        {"split": None, "train__rank": "8", "train__learning_rate": None, "train__speed": 1, "grade__workers": 1.5, "splits": {}},
        [
            "no section 'split'",
            "unknown section 'splits'; allowed: ",
            "train: no key 'learning_rate'",
            "train: unknown key 'speed'; allowed: ",
            "train.rank: Expected `int`, got `str`",
            "grade.workers: Expected `int`, got `float`",
        ],
    ),
    "a float that YAML reads as text": (
        "template", {"train__learning_rate": "1e-4"}, ["train.learning_rate: Expected `float`, got `str`; write"]
    ),
    "a kind that is none": ("template", {"student__kind": "big"}, ["student: kind is 'big'; allowed: scratch, hub"]),
    "no teacher": ("template", {"solve": {}}, ["solve: teacher is None; allowed: symbolic, recorded, chat"]),
    "a rule that is none": (
        "template", {"claims__ledger__cot_beats_answer__rule__kind": "over"},
        ["claims.ledger.cot_beats_answer.rule: kind is 'over'; allowed: "],
    ),
    "a level that is none": ("template", {"arms__r1__level": "r7"}, ["arms.r1.level: Invalid enum value 'r7'"]),
    "unknown arms": (
        "template",
        {"run__arms": ["r1", "r9"], "report__arms": ["r8"], "claims__ledger__cot_beats_answer__rule__comparator": "r7"},
        [
            "run.arms: no arm 'r9'; arms here: r1, answer",
            "report.arms: no arm 'r8'; arms here: r1, answer",
            "claims.ledger.cot_beats_answer.rule: no arm 'r7'; arms here: r1, answer",
        ],
    ),
    "unknown benchmarks": (
        "template",
        {"sample__benchmarks": ["math500"], "claims__ledger__cot_beats_answer__rule__benchmark": "transfer"},
        [
            "sample.benchmarks: no benchmark 'math500'; benchmarks here: transfer",
            "claims.ledger.cot_beats_answer.rule: benchmark 'transfer' is not asked; allowed: competition, math500",
        ],
    ),
    "more than there are": (
        "template",
        {"split__train": 60, "split__seen": 61, "arms__r1__n": 61},
        [
            "split: train 60, valid 8 and 12 held out are 80 problems; fetch brings 72",
            "split.seen: 61 is more than split.train, 60",
            "arms.r1: n 61 is more than split.train, 60",
        ],
    ),
    "no long run": ("template", {"run__arms": ["answer"]}, ["run.arms: no 'r1', which stage overfit trains on"]),
    "an endpoint, a price and a prompt that are not there": (
        "new",
        {"solve__endpoint": "other", "verify__model": "m", "condense__prompt": "prompts/none.md"},
        [
            "solve.endpoint: no endpoint 'other'; endpoints here: together",
            "verify.model: endpoints.together.prices has no 'm'; add its price",
            "condense.prompt: no such file: prompts/none.md",
        ],
    ),
    "a published arm without a prompt": (
        "template", {"arms__answer__protocol": "published"}, ["arms.answer: protocol published needs curate.published.answer"]
    ),
    "students without their sections": (
        "new", {"run__students": True}, [f"no section '{name}'" for name in check_study.STUDENTS if name != "sample"]
    ),
}  # fmt: skip


@pytest.mark.parametrize(("base", "changes", "lines"), FAULTS.values(), ids=FAULTS)
def test_every_fault_is_one_line(
    base: str, changes: dict[str, Any], lines: list[str], tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _edit(base, tree / "studies" / "x.yaml", **changes)
    with pytest.raises(SystemExit) as stop:
        check_study.main("x")
    assert stop.value.code == 2
    printed = capsys.readouterr().err.splitlines()
    missing = [line for line in lines if not any(each.startswith(f"studies/x.yaml: {line}") for each in printed)]
    assert missing == [], printed


def test_arms_of_params_are_checked_where_the_study_is_active(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tree / "params.yaml").write_text("corpora: [template]\nstudents: [template]\narms: [r1, r5]\nseeds: [1]\n")
    with pytest.raises(SystemExit):
        check_study.main("template")
    assert capsys.readouterr().err == "studies/template.yaml: params.yaml: arms: no arm 'r5'; arms here: r1, answer\n"


@pytest.mark.parametrize(("name", "message"), [("", "say which study"), ("nowhere", "no such study file"), ("../x", "a name is letters")])
def test_a_name_that_is_none_is_one_line(name: str, message: str) -> None:
    done = subprocess.run([sys.executable, "-m", "tools.check_study", name], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert message in done.stderr


def test_a_new_study_is_the_template(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    new_study.main("mine")
    assert (tree / "studies" / "mine.yaml").read_bytes() == (tree / "studies" / "template.yaml").read_bytes()
    check_study.main("mine")
    assert "studies/mine.yaml: ok" in capsys.readouterr().out
    (tree / "studies" / "mine.yaml").write_text("edited")
    with pytest.raises(InputError, match="exists already"):
        new_study.main("mine")
    assert (tree / "studies" / "mine.yaml").read_text() == "edited"


@pytest.mark.parametrize("name", ["", "../x", "a b", "-x", "x;y"])
def test_a_new_study_has_a_plain_name(name: str, tree: Path) -> None:
    before = sorted(tree.rglob("*"))
    with pytest.raises(InputError, match=r"say its name|a name is letters"):
        new_study.main(name)
    assert sorted(tree.rglob("*")) == before


def test_every_key_of_the_template_has_a_comment() -> None:
    """Of several alike, the first: arms, names of files, claims."""
    text, _, _ = (ROOT / "studies" / "template.yaml").read_text().partition("cot_beats_answer:")
    alike = ("r1: ", "answer: ", "freshman-", "junior-", "two-person: ", "note: ")
    keys = [line.strip() for line in text.splitlines() if re.match(r"\s*[\w-]+: \S", line)]
    assert [line for line in keys if "#" not in line and not line.startswith(alike)] == []
