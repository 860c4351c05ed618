"""Study `gsm8k` up to its corpora: the study file's own rules and split on invented rows of the data set's shape, in a mirror.

With JOB_MIRROR set also on the real files, at the study's own sizes.
"""

import hashlib
import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from distill.core import study_file
from distill.core.errors import InputError
from distill.core.files import read_json, read_records, write_text
from distill.records.assignment import Assignment
from distill.records.example import Example
from distill.records.problem import Problem
from stages import benchmarks, condense, contamination, curate, extract, fetch, import_traces, solve, split, verify
from tests import trees
from tests.pipeline import ROOT
from tools import check_study, reference_faults

MIRROR = os.environ.get("JOB_MIRROR", "")
Row = dict[str, Any]
NAMES = ("test", "train")


def row(number: int) -> Row:
    """Return a row in the data set's form; every ninth has no calculator note."""
    pens, price = number + 3, 1000 + 7 * number
    note = "" if number % 9 == 0 else f"<<{pens}*{price}={pens * price}>>"
    total = f"{pens * price:,}"
    return {
        "question": f"Shop {number} sells {pens} pens at ${price} each. How much does it earn with order number {number * 31}?",
        "answer": f"It sells {pens} pens.\nSo it earns {pens} * {price} = ${note}{total} <in all>.\n#### {total}",
    }


def sections() -> Row:
    loaded: Row = yaml.safe_load((ROOT / "studies" / "gsm8k.yaml").read_text(encoding="utf-8"))
    return loaded


def put(root: Path, keys: Row, path: str, body: bytes) -> Row:
    """Write a file of a mirror; return how a study pins it."""
    target = root / "mirror" / keys["repository"] / keys["commit"] / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(body)
    return {"path": path, "size": len(body), "sha256": hashlib.sha256(body).hexdigest()}


def small(root: Path, rows: dict[str, list[Row]]) -> Row:
    """Return the study's sections with smaller sizes, on invented files in a mirror; everything else is as committed."""
    study = sections()
    lines = {name: "".join(json.dumps(each) + "\n" for each in rows[name]).encode() for name in NAMES}
    study["fetch"]["files"] = [put(root, study["fetch"], f"grade_school_math/data/{name}.jsonl", lines[name]) for name in NAMES]
    study["extract"]["sample"]["rows"] = {"*/train.jsonl": 40, "*/test.jsonl": 6}
    study["split"] |= {"train": 30, "valid": 5, "heldout_least": 6, "seen": 4}
    for arm in study["arms"].values():
        arm["n"] //= 8
    tables = {
        "svamp": [
            {"ID": f"chal-{n}", "Body": f" Ann has {n} pens ", "Question": "How many? ", "Answer": n + 0.0, "Type": "Sum"} for n in (1, 2)
        ],
        "multiarith": [{"iIndex": n, "sQuestion": f" Bob has {n} cups. How many? ", "lSolutions": [n + 0.5]} for n in (1, 2)],
    }
    for name, table in tables.items():
        keys = study["benchmarks"][name]
        study["benchmarks"][name] = keys | put(root, keys, keys["path"], json.dumps(table, indent=4).encode()) | {"rows": 2, "first": 0}
    return study


def run(root: Path, study: Row, monkeypatch: pytest.MonkeyPatch, mirror: Path) -> dict[str, dict[str, Example]]:
    """Run the stages up to the corpora; return each arm's training examples by problem."""
    monkeypatch.setenv("JOB_MIRROR", str(mirror))
    paths = trees.below(root, "gsm8k")
    write_text(paths.study_file, yaml.safe_dump(study))
    study_file.study.cache_clear()
    for stage in (fetch, extract, import_traces, solve, verify, condense, split, benchmarks, contamination):
        stage.main(paths)
    found = {}
    for arm in study["arms"]:
        own = trees.below(root, "gsm8k", arm)
        curate.main(own, arm)
        found[arm] = {each.id: each for each in read_records(own.corpus / "train.jsonl", Example)}
    return found


@pytest.fixture(scope="module")
def invented(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, dict[str, Example]]]:
    root = tmp_path_factory.mktemp("gsm8k")
    rows = {"train": [row(number) for number in range(1, 51)], "test": [row(number) for number in range(101, 121)]}
    with pytest.MonkeyPatch.context() as patch:
        return root, run(root, small(root, rows), patch, root / "mirror")


def texts(example: Example) -> tuple[str, str]:
    assert [message.role for message in example.messages] == ["user", "assistant"]
    return example.messages[0].content, example.messages[1].content


def test_the_levels_are_by_rule(invented: tuple[Path, dict[str, dict[str, Example]]]) -> None:
    _, corpora = invented
    assert sorted(corpora["cot"]) == sorted(corpora["equations"]) == sorted(corpora["answer"])  # the same problems at every level
    for name, example in corpora["cot"].items():
        question, solution = texts(example)
        pens, price = (int(word.lstrip("$")) for word in (question.split()[3], question.split()[6]))
        total = f"{pens * price:,}"
        assert solution == f"It sells {pens} pens.\nSo it earns {pens} * {price} = ${total} <in all>.\n#### {total}"
        assert texts(corpora["equations"][name]) == (question, f"{pens}*{price}={pens * price}\n#### {total}")
        assert texts(corpora["answer"][name]) == (question, f"#### {total}")


def test_a_smaller_arm_is_the_beginning_of_a_larger_one(invented: tuple[Path, dict[str, dict[str, Example]]]) -> None:
    _, corpora = invented
    few, all_of_them = list(corpora["cot-n40"]), list(corpora["cot"])
    assert (len(few), len(all_of_them)) == (5, 20)
    assert few == all_of_them[:5]


def test_only_training_rows_are_trained_on_and_only_test_rows_are_asked(invented: tuple[Path, dict[str, dict[str, Example]]]) -> None:
    root, corpora = invented
    paths = trees.below(root, "gsm8k")
    source = {each.id: each.source.rpartition("/")[2] for each in read_records(paths.problems, Problem)}
    sides = Counter((each.split, source[each.id], each.evaluate) for each in read_records(paths.split, Assignment))
    assert sides["heldout", "test.jsonl", True] == 6
    assert {(side, file) for side, file, _ in sides} == {
        ("train", "train.jsonl"), ("valid", "train.jsonl"), ("heldout", "train.jsonl"), ("heldout", "test.jsonl"),
    }  # fmt: skip
    assert not any(evaluate for side, file, evaluate in sides if (side, file) == ("heldout", "train.jsonl"))
    assert {source[name] for arm in corpora.values() for name in arm} == {"train.jsonl"}
    assert read_json(paths.extract_metrics) == {
        "problems": 46,
        "dropped_no_answer": 0,
        "dropped_no_statement": 0,
        "dropped_not_sampled": 24,
    }


def test_the_transfer_problems_are_as_kojima_et_al_ask_them(invented: tuple[Path, dict[str, dict[str, Example]]]) -> None:
    folder = trees.below(invented[0], "gsm8k").benchmarks
    found = [each for name in ("svamp", "multiarith") for each in read_records(folder / f"{name}.jsonl", Problem)]
    assert [(each.number, each.section, each.statement, each.gold) for each in found] == [
        ("chal-1", "Sum", "Ann has 1 pens How many?", "1"), ("chal-2", "Sum", "Ann has 2 pens How many?", "2"),
        ("1", "", "Bob has 1 cups. How many?", "1.5"), ("2", "", "Bob has 2 cups. How many?", "2.5"),
    ]  # fmt: skip


def test_a_test_problem_among_the_training_rows_is_held_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = {"train": [row(number) for number in range(1, 41)], "test": [row(number) for number in range(101, 107)]}
    rows["train"][4] |= {"question": rows["test"][2]["question"]}
    corpora = run(tmp_path, small(tmp_path, rows), monkeypatch, tmp_path / "mirror")
    sides = {each.id: each.split for each in read_records(trees.below(tmp_path, "gsm8k").split, Assignment)}
    assert sides["row-000003"] == sides["row-000011"] == "heldout"  # the third test row, and the fifth training row, after six test rows
    assert not any("row-000011" in arm for arm in corpora.values())


WRONG: dict[str, tuple[str, Row, str]] = {  # name: (section, keys, part of the message)
    "a sample that is too large": ("extract", {"sample": {"seed": 1, "rows": {"*/test.jsonl": 21}}}, "20 rows .* wanted are 21"),
    "a sample of no file": ("extract", {"sample": {"seed": 1, "rows": {"*.csv": 1}}}, r"0 rows .* in files '\*\.csv'"),
    "no such file to hold out": ("split", {"files": ["*/dev.jsonl"]}, r"files: no problem is of a file '\*/dev\.jsonl'; files here: grade"),
    "a pattern that is none": (
        "import_traces",
        {"levels": {"cot": {"kind": "solution", "column": "answer", "rules": [{"kind": "replace", "pattern": "(", "by": ""}]}}},
        "missing \\), unterminated subpattern",
    ),
    "an answer line of a trace": ("condense", {"answer": "trace"}, "answer_line goes with `answer: gold`"),
}


@pytest.mark.parametrize(("section", "keys", "message"), WRONG.values(), ids=WRONG)
def test_a_fault_is_one_line(section: str, keys: Row, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = {"train": [row(number) for number in range(1, 51)], "test": [row(number) for number in range(101, 121)]}
    study = small(tmp_path, rows)
    study[section] |= keys
    with pytest.raises(InputError, match=message) as fault:
        run(tmp_path, study, monkeypatch, tmp_path / "mirror")
    assert "\n" not in str(fault.value)


def test_the_study_file_has_no_fault() -> None:
    document = sections()
    found, good = check_study.sections(document)
    assert found + reference_faults.references(good, []) == []
    assert document["run"]["arms"] == list(document["arms"])
    least = document["arms"]["cot-n40"]["n"]
    assert document["likelihood"]["parts"]["seen"] <= least < document["arms"]["cot"]["n"]
    assert document["train"]["iterations"] * document["train"]["batch_size"] == document["arms"]["cot"]["n"]  # each example once


def test_the_page_shows_the_search_as_recorded() -> None:
    page = (ROOT / "docs" / "gsm8k.md").read_text(encoding="utf-8")
    rows = [
        f"| {each['learning_rate']:g} | {each['blocks']} | {each['batch']} | "
        + ", ".join(f"{at}: {loss:.3f}" for at, loss in each["curve"].items())
        + f" | {each['cpu_seconds']:.0f} |"
        for each in read_json(ROOT / "metrics" / "gsm8k_search.json")["trials"]
    ]
    assert page.partition("<!-- search -->")[2].partition("<!-- /search -->")[0].strip().splitlines()[2:] == rows


@pytest.mark.skipif(not Path(MIRROR or "-", sections()["fetch"]["repository"]).is_dir(), reason="JOB_MIRROR has no GSM8K")
def test_the_real_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpora = run(tmp_path, sections(), monkeypatch, Path(MIRROR))
    assert {arm: len(found) for arm, found in corpora.items()} == {"cot": 160, "equations": 160, "answer": 160, "cot-n40": 40}
    paths = trees.below(tmp_path, "gsm8k")
    assert read_json(paths.teacher_metrics)["verified_correct"] == 240
    assert sum(each.evaluate for each in read_records(paths.split, Assignment)) == 48
    for arm, found in corpora.items():
        for example in found.values():
            solution = texts(example)[1]
            assert "<<" not in solution, arm
            assert solution.rpartition("\n")[2].startswith("#### "), arm
            assert solution.count("####") == 1, arm
