"""`make check` names all faults of a study file at once; the committed ones have none; a new study begins as the template."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import msgspec
import pytest
import yaml
from msgspec import Meta

from distill.cli.layout import layout
from distill.core import study_file
from distill.core.errors import InputError
from tests.dvc_sandbox import ROOT
from tools import check_study, new_study, section_faults, study

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
    study_file.study.cache_clear()
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
    "keys that do not go together": (
        "template",
        {
            "sample__refill_window": 1, "sample__samples": 2, "student__heads": 3, "student__kv_heads": 2, "levels": ["r1", "r1"],
            "extract__names__two-person": "(",
        },
        [
            "sample.refill_window: 1 is less than sample.batch_size, ",
            "sample.samples: 2 at temperature 0 are all the same",
            "student.hidden: ",
            "student.heads: 3 is no multiple of student.kv_heads, 2",
            "extract.names.two-person: '(' is no regular expression: missing )",
            "levels: 'r1' is there twice",
        ],
    ),
    "a name that moves the terminal": (
        "template", {"run__arms": ["r1", "a\x1b[2J\nb"]}, ["run.arms: no arm 'a\\x1b[2J b'; arms here: "]
    ),
    "a kind that is a list": ("template", {"fetch__kind": []}, ["fetch: kind is []; allowed: "]),
    "no teacher": ("template", {"solve": {}}, ["solve: teacher is None; allowed: symbolic, recorded, chat"]),
    "a rule that is none": (
        "template", {"claims__ledger__cot_beats_answer__rule__kind": "over"},
        ["claims.ledger.cot_beats_answer.rule: kind is 'over'; allowed: "],
    ),
    "a level that is none": ("template", {"arms__r1__level": "r7"}, ["arms.r1.level: no level 'r7'; allowed: r1, r2, r3,"]),
    "unknown arms": (
        "template",
        {"run__arms": ["r1", "r9"], "report__arms": ["r8"], "claims__ledger__cot_beats_answer__rule__comparator": "r7"},
        [
            "run.arms: no arm 'r9'; arms here: r1, answer",
            "report.arms: no arm 'r8'; arms here: r1, answer",
            "claims.ledger.cot_beats_answer.rule: no arm 'r7'; arms here: r1, answer",
        ],
    ),
    "texts that are not scored": (
        "template",
        {
            "likelihood__parts": {"seen": 8, "aime": 8}, "likelihood__common": "r9",
            "claims__ledger__cot_beats_answer__rule": {
                "kind": "likelihood_gap", "measure": "chain_common", "arm": "r1", "comparator": "base",
            },
        },
        [
            "likelihood.parts: no part 'aime'; allowed: seen, heldout, transfer",
            "likelihood.common: no level 'r9'; allowed: r1, r2, r3",
            "claims.ledger.chains_likelier_than_before.rule: likelihood.parts has no 'heldout'; parts here: seen, aime",
            "claims.ledger.cot_beats_answer.rule: likelihood.parts has no 'heldout'; parts here: seen, aime",
        ],
    ),
    "a measure that is none": (
        "template", {"claims__ledger__chains_likelier_than_before__rule__measure": "chains"},
        ["claims.ledger.chains_likelier_than_before.rule.measure: Invalid enum value 'chains'"],
    ),
    "a measure of one arm alone": (
        "template",
        {
            "claims__ledger__chains_likelier_than_before__rule": {
                "kind": "likelihood_above", "measure": "chain", "part": "heldout", "arm": "r1", "comparator": "answer",
            },
        },
        ["claims.ledger.chains_likelier_than_before.rule: measure chain is of the arm's own text"],
    ),
    "claims on texts that no stage scores": (
        "template", {"likelihood": {}},
        ["claims.ledger.chains_likelier_than_before.rule: likelihood.parts has no 'heldout'; parts here: none"],
    ),
    "unknown benchmarks": (
        "template",
        {"sample__benchmarks": ["math500"], "claims__ledger__cot_beats_answer__rule__benchmark": "transfer"},
        [
            "sample.benchmarks: no benchmark 'math500'; benchmarks here: transfer",
            "contamination.against: benchmark 'transfer' is not asked; allowed: math500",
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
    "a benchmark that is compared and not made": (
        "template", {"contamination__against": ["aime"]}, ["contamination.against: benchmark 'aime' is not asked; allowed: transfer"]
    ),
    "a rule of contamination that is none": (
        "template", {"contamination__rules": [{"kind": "same", "drop": True}]}, ["contamination.rules[0]: kind is 'same'; allowed: exact"]
    ),
    "an arm and a benchmark that are not there": (
        "template", {"train__per_arm": {"r7": {"batch_size": 2}}, "sample__per_benchmark": {"aime": {"samples": 2}}},
        ["train.per_arm: no arm 'r7'; arms here: r1, answer", "sample: per_benchmark.aime: not asked; asked are competition, transfer"],
    ),
    "samples that are all the same": ("template", {"sample__samples": 2}, ["sample: 2 samples at temperature 0 are all the same"]),
    "no long run": ("template", {"run__arms": ["answer"]}, ["run.arms: no 'r1', which overfit.arm names"]),
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
        "job", {"arms__answer__protocol": "published"}, ["arms.answer: protocol published needs curate.published.answer"]
    ),
    "students without their sections": (
        "new", {"run__students": True}, [f"no section '{name}'" for name in check_study.STUDENTS if name != "sample"]
    ),
}  # fmt: skip


RANGES: dict[str, tuple[Any, str]] = {  # key of template.yaml: (a value out of its range, the end of the line)
    "claims__alpha": (5.0, "Expected `float` < 1.0, got 5.0"),
    "claims__power": (0.0, "Expected `float` > 0.0, got 0.0"),
    "claims__confidence": (95, "Expected `float` < 1.0, got 95"),
    "claims__resamples": (99999999999, "Expected `int` <= 10000000, got 99999999999"),
    "claims__seed": (-1, "Expected `int` >= 0, got -1"),
    "claims__ledger__cot_beats_answer__tolerance": (-0.1, "Expected `float` >= 0.0, got -0.1"),
    "claims__ledger__cot_beats_answer__rule__split": ("heldot", "Invalid enum value 'heldot'"),
    "summarise__resamples": (0, "Expected `int` >= 100, got 0"),
    "summarise__confidence": (95, "Expected `float` < 1.0, got 95"),
    "split__train": (-540, "Expected `int` >= 0, got -540"),
    "split__near": (1.5, "Expected `float` <= 1.0, got 1.5"),
    "arms__r1__n": (-5, "Expected `int` >= 0, got -5"),
    "sample__temperature": (-1.0, "Expected `float` >= 0.0, got -1.0"),
    "sample__top_p": (1.1, "Expected `float` <= 1.0, got 1.1"),
    "grade__workers": (0, "Expected `int` >= 1, got 0"),
    "grade__time_limit": (-5.0, "Expected `float` > 0.0, got -5.0"),
    "report__examples": (-1, "Expected `int` >= 0, got -1"),
    "fetch__scan_dpi": (0, "Expected `int` >= 50, got 0"),
    "extract__limits__pages": (0, "Expected `int` >= 1, got 0"),
    "benchmarks__transfer__n": (0, "Expected `int` >= 1, got 0"),
    "audit__similar": ([2.0], "Expected `float` <= 1.0, got 2.0"),
    "sample__seed": (-1, "Expected `int` >= 0, got -1"),
    "pretraining__seed": (-1, "Expected `int` >= 0, got -1"),
    "run__seeds": ([-1], "Expected `int` >= 0, got -1"),
}


@pytest.mark.parametrize(("key", "case"), RANGES.items(), ids=RANGES)
def test_a_value_out_of_its_range_is_named_with_the_range(
    key: str, case: tuple[Any, str], tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    value, message = case
    _edit("template", tree / "studies" / "x.yaml", **{key: value})
    with pytest.raises(SystemExit):
        check_study.main("x")
    place = key.replace("__", ".")
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith(f"studies/x.yaml: {place}")]
    assert len(lines) == 1
    assert lines[0].endswith(message)


UNBOUNDED = {
    "Claim.published",
    "TestedClaim.published",
    "table_problems.Params.filters",
}  # a published figure, and a value of a column, has any size and sign


def _numbers(kind: Any, name: str, bounded: bool = False) -> Iterator[tuple[str, bool]]:
    """Yield each numeric field of a section's type, at any depth, and whether it has a range."""
    if isinstance(kind, section_faults.Choice):
        for each in kind.types.values():
            yield from _numbers(each, name)
    elif isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        for key, hint in get_type_hints(kind, include_extras=True).items():
            if key in kind.__struct_fields__:
                yield from _numbers(hint, f"{kind.__module__}.{kind.__qualname__}.{key}")
    elif get_origin(kind) is Annotated:
        limits = [each for each in kind.__metadata__ if isinstance(each, Meta)]
        found = any(limit is not None for each in limits for limit in (each.gt, each.ge, each.lt, each.le))
        yield from _numbers(get_args(kind)[0], name, found)
    elif kind in (int, float):
        yield name, bounded
    elif get_origin(kind) is not Literal:
        for each in get_args(kind):
            yield from _numbers(each, name)


def test_every_number_of_a_section_has_a_range() -> None:
    sections = {**check_study.CORPUS, **check_study.STUDENTS, **check_study.OPTIONAL, "asked": check_study.CORPUS["sample"]}
    found = {name: bounded for section, kind in sections.items() for name, bounded in _numbers(kind, section)}
    open_ = {name for name, bounded in found.items() if not bounded and not name.endswith(tuple(UNBOUNDED))}
    assert len(found) > 120
    assert open_ == set()


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


def test_problems_without_an_answer_do_not_count_for_the_split(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [f'{{"id": "p{number}", "statement": "a", "gold": "{"" if number % 2 else 7}"}}' for number in range(20)]
    (tree / "mine.jsonl").write_text("\n\n".join(lines))
    _edit("new", tree / "studies" / "x.yaml", fetch__path="mine.jsonl", split__train=8, split__valid=2, split__heldout_least=2)
    with pytest.raises(SystemExit):
        check_study.main("x")
    assert "split: train 8, valid 2 and 2 held out are 12 problems; fetch brings 10" in capsys.readouterr().err


def test_a_study_with_paid_calls_is_split_before_them(tree: Path) -> None:
    assert study.commands("run", "new") == [["repro", "split@new"], ["repro"]]
    assert study.commands("run", "template") == [["repro"]]
    assert study.commands("pull", "new") == [["pull"]]
    assert study.commands("run", "template", "student") == [["repro", "--force", "--single-item", "student@template"], ["repro"]]
    assert study.splits(["new", "template"]) == ["split@new"]
    _edit("template", tree / "studies" / "x.yaml", condense__teacher="chat")
    assert study.splits(["x"]) == ["split@x"]
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    reads = {str(dep) for name in ("split", "extract", "fetch") for dep in stages[name]["deps"]}
    asked = {next(iter(out)) if isinstance(out, dict) else out for name in ("solve", "verify", "condense") for out in stages[name]["outs"]}
    assert reads.isdisjoint(asked)  # so `dvc repro split` calls no model


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


@pytest.mark.parametrize(("section", "key"), [("fetch", "kind"), ("solve", "teacher"), ("llm_judge", "kind")])
def test_a_stage_refuses_a_kind_that_is_a_list_in_one_line(section: str, key: str, tree: Path) -> None:
    _edit("template", tree / "studies" / "x.yaml", **{f"{section}__{key}": ["symbolic"]})
    with pytest.raises(InputError, match=rf"studies/x.yaml: section '{section}': {key} is \['symbolic'\]; allowed: "):
        import_module(f"stages.{section}").main(layout("x"))
