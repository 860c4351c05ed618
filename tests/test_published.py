"""The authors' corpora, rebuilt: over a mirror folder, named by the environment variable JOB_MIRROR."""

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from distill.answers.answer_format import read_form
from distill.core.files import read_json, read_records, write_records
from distill.records.assignment import Assignment
from distill.records.contamination_match import ContaminationMatch
from distill.records.example import Example
from distill.records.extracted_item import ExtractedItem
from distill.records.problem import CODES, Problem
from distill.sources import benchmark_tables
from stages import condense, contamination, curate, import_traces, solve, split, verify
from tests import trees
from tests.pipeline import ROOT
from tests.tiny_model import LEVELS

MIRROR = os.environ.get("JOB_MIRROR", "")
STUDY = ROOT / "studies" / "job.yaml"
SETTINGS: dict[str, Any] = yaml.safe_load(STUDY.read_text(encoding="utf-8"))
SIZES = {"r1": (510, 60, 30)} | dict.fromkeys(LEVELS[1:], (536, 67, 68))
CLEAN = ("r1", "r2", "r3", "r4", "r5", "r6", "answer", "r1-n100")

pytestmark = pytest.mark.skipif(not MIRROR, reason="JOB_MIRROR names no mirror folder of the authors' files (OWNER/REPO/COMMIT/PATH)")


@cache
def raw() -> Path:
    """Return the mirrored repository."""
    return next(path.parent for path in Path(MIRROR).glob("*/*/*/reasoning_chain.csv"))


def transcribed() -> list[Problem]:
    """Return the transcription, as `extract` makes it but for the pages."""
    found = []
    for path in sorted((raw() / "datafile").glob("*.json")):
        for name, entries in json.loads(path.read_text(encoding="utf-8")).items():
            section = SETTINGS["import_traces"]["sections"][name]
            for key, entry in entries.items():
                number = key.removeprefix("question_")
                ident = f"{path.stem}-{CODES[section]}-{number if number.startswith('T') else number.zfill(2)}"
                row = (ident, "competition", section, int(path.stem), number, entry["question"], entry["answer"], "", 0, "transcription")
                found.append(Problem(*row))
    return sorted(found, key=lambda problem: problem.id)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every corpus of the study, from the mirror."""
    folder = tmp_path_factory.mktemp("job")
    paths = msgspec.structs.replace(trees.below(folder, "job"), study_file=STUDY, raw=raw())
    problems = transcribed()
    flags = {problem.id: ["placeholder"] if "not visible" in problem.statement else [] for problem in problems}
    write_records(paths.problems, problems)
    nowhere = (0.0, 0.0, 0.0, 0.0)
    write_records(
        paths.extracted, [ExtractedItem(name, "", 0, nowhere, "", "", 0.0, [], None, name, 0, own) for name, own in flags.items()]
    )
    for stage in (import_traces, solve, verify, condense, split):
        stage.main(paths)
    table = SETTINGS["benchmarks"]["math500"]
    columns = msgspec.convert(table["columns"], benchmark_tables.Columns)
    made = benchmark_tables.problems(
        raw() / table["path"], benchmark_tables.Table(500, 0, columns), read_form(table["form"], ""), "math500"
    )
    write_records(paths.benchmarks / "math500.jsonl", made)
    contamination.main(paths)
    for arm in (*CLEAN, *(f"published-{level}" for level in LEVELS)):
        curate.main(msgspec.structs.replace(paths, corpus=paths.corpora / arm), arm)
    return paths.split.parent


@pytest.mark.parametrize("level", LEVELS)
def test_a_published_corpus_equals_the_authors_record_for_record(built: Path, level: str) -> None:
    sizes = []
    for part in ("train", "valid", "test"):
        theirs = [
            json.loads(line) for line in (raw() / SETTINGS["import_traces"]["corpora"][level] / f"{part}.jsonl").read_text().splitlines()
        ]
        ours = [json.loads(line) for line in (built / "corpus" / f"published-{level}" / f"{part}.jsonl").read_text().splitlines()]
        assert [set(row) for row in theirs] == [{"messages"}] * len(theirs)
        assert [row["messages"] for row in ours] == [row["messages"] for row in theirs]
        sizes.append(len(ours))
    assert tuple(sizes) == SIZES[level]


def test_flaws_of_the_published_corpora_are_counted(built: Path) -> None:
    flaws = {level: read_json(built / "corpus" / f"published-{level}" / "counts.json")["flaws"] for level in LEVELS}
    assert flaws["r1"].keys() == {
        "a duplicate cluster on two sides",
        "a question that is trained on too",
        "a text that does not state the answer",
    }
    assert {flaws[level]["a placeholder"] for level in LEVELS[1:]} == {20}
    assert 90 <= flaws["r2"]["a text that breaks off"] <= 140
    assert all(flaws[level]["a duplicate cluster on two sides"] == 12 for level in LEVELS[1:])


def test_clean_arms_train_on_the_same_problems_and_end_alike(built: Path) -> None:
    corpora = {arm: {part: _read(built, arm, part) for part in ("train", "valid", "test")} for arm in CLEAN}
    first = corpora["r1"]
    for arm in CLEAN[:-1]:
        assert {part: [row.id for row in rows] for part, rows in corpora[arm].items()} == {
            part: [row.id for row in rows] for part, rows in first.items()
        }
        for one, other in zip(first["train"], corpora[arm]["train"], strict=True):
            assert one.messages[:-1] == other.messages[:-1]
            assert one.messages[-1].content.rpartition("\n")[2] == other.messages[-1].content.rpartition("\n")[2]
    assert [row.id for row in corpora["r1-n100"]["train"]] == [row.id for row in first["train"]][:100]
    assert len(first["train"]) >= 290
    cluster_of = {each.id: each.cluster for each in read_records(built / "split.jsonl", Assignment)}
    train, unseen = ({cluster_of[row.id] for part in parts for row in first[part]} for parts in (["train"], ["valid", "test"]))
    assert train.isdisjoint(unseen)


def _read(built: Path, arm: str, part: str) -> list[Example]:
    return read_records(built / "corpus" / arm / f"{part}.jsonl", Example)


def test_no_problem_of_the_competition_is_dropped_for_math_500(built: Path) -> None:
    found = read_records(built / "contamination.jsonl", ContaminationMatch)
    assert [row for row in found if row.drop] == []
    assert {row.rule for row in found} == {"near"}
    dropped = [read_json(built / "corpus" / arm / "counts.json")["dropped"] for arm in CLEAN]
    assert [reason for reasons in dropped for reason in reasons if "benchmark" in reason] == []
