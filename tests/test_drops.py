"""The problems that each step leaves out: every step adds up, and one that does not is named."""

from collections.abc import Callable
from contextlib import chdir
from pathlib import Path
from typing import Any

import pytest

from distill.cli.layout import Paths, layout
from distill.core import files
from distill.core.errors import InputError
from distill.drops import steps
from distill.drops.steps import Corpus
from distill.records.assignment import Assignment
from distill.records.problem import Problem
from distill.report import drops_section
from stages import claims, drops, summarise
from tests import synthetic
from tests.pipeline import ROOT

EXTRACTED = {
    "as printed": (
        {"expected": 100, "missing": 3, "dropped_no_answer": 2, "dropped_no_key_page": 5, "dropped_no_problem": 9, "problems": 90}, 90,
        (100, {"no answer in its key": 2, "no page of answers": 5, "not found on its page": 3}),
    ),
    "a transcription": (
        {"transcribed_real": 651, "items": 714, "flag_unprinted": 20, "flag_untranscribed": 63, "problems": 671}, 671,
        (734, {"printed, not transcribed": 63}),
    ),
    "a table": (
        {"problems": 8, "dropped_no_answer": 1, "dropped_beyond_the_first": 4}, 8, (13, {"beyond the first": 4, "no answer": 1}),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("counts", "problems", "expected"), EXTRACTED.values(), ids=EXTRACTED)
def test_the_source_reconciles_with_the_problems(counts: dict[str, int], problems: int, expected: tuple[int, dict[str, int]]) -> None:
    found = steps.extract(counts, problems)
    assert (found.input, found.drops, found.output) == (*expected, problems)
    with pytest.raises(ValueError, match=rf"extract: {expected[0]} in, .* {problems - 1} out: \+1 unexplained"):
        steps.extract(counts, problems - 1)


def test_a_step_that_does_not_add_up_is_named() -> None:
    with pytest.raises(ValueError, match=r"grade of r1: 10 in, 3 dropped \(late: 1, lost: 2\), 8 out: -1 unexplained"):
        steps.step("grade", "r1", 10, {"lost": 2, "late": 1, "none": 0}, 8)


def test_a_published_corpus_starts_from_its_own_rows_and_over_long_examples_are_counted() -> None:
    counts = {"train": 5, "valid": 2, "test": 3, "dropped": {"beyond the arm's n": 1}}
    assert steps.curate("r1", Corpus(counts, 7, published=True), 100).input == 11
    assert steps.curate("r1", Corpus(counts, 7, published=False), 11).output == 7
    dropped = {"dropped": {"train": {"examples": 5, "longer_than_max_seq_length": 2}}}
    assert [(each.of, each.input, each.output) for each in steps.train("r1", counts, {"1": dropped, "2": {}})] == [("r1, seed 1", 5, 3)]
    with pytest.raises(ValueError, match="train of r1, seed 1: 6 in"):
        steps.train("r1", counts | {"train": 6}, {"1": dropped})


ABOVE = {"kind": "above", "benchmark": "competition", "split": "heldout", "arm": "r1", "comparator": "base"}
CLAIM = {"says": "up", "source": "abstract", "published": None, "tolerance": None, "by_construction": "", "note": ""}
SPREAD = ABOVE | {"kind": "spread_small", "ratio": 0.5}
STUDY = {
    "summarise": {"confidence": 0.9, "resamples": 200, "seed": 5}, "curate": {"seed": 1, "system": "", "same_problems": True},
    "claims": {
        "vocabulary": "pattern", "alpha": 0.05, "power": 0.8, "confidence": 0.9, "resamples": 200, "seed": 6,
        "ledger": {"gain": CLAIM | {"rule": ABOVE}, "spread": CLAIM | {"rule": SPREAD}},
    },
}  # fmt: skip


def write() -> Paths:
    """Write the study up to its claims: 76 problems, 12 trained on by r1, a near-duplicate of one, 4 validated on, 60 held out."""
    paths = synthetic.write(STUDY, {"r1": 12}, lambda arm, seed, benchmark, number: number % 3 < (2 if arm == "r1" else 1))
    text = paths.study_file.read_text().replace("r1: {}", "r1: {level: r1, protocol: clean, corrected: false, n: 12}")
    files.write_text(paths.study_file, text)
    problems = files.read_records(paths.problems, Problem)
    asked = {row.id for row in files.read_records(paths.split, Assignment) if row.evaluate}
    files.write_records(paths.benchmarks / "competition.jsonl", [each for each in problems if each.id in asked])
    files.write_json(paths.extract_metrics, {"expected": 80, "missing": 4, "dropped_no_answer": 0, "dropped_no_key_page": 0})
    files.write_json(
        paths.teacher_metrics, {"problems": 76, "verified_correct": 70, "accuracy": 70 / 76, "verdicts": {"blank": 6, "correct": 70}}
    )
    files.write_json(paths.audit_metrics, {"problems": {"split": {"heldout": 60, "train": 12, "valid": 4}}})
    files.write_json(paths.corpora / "r1" / "counts.json", {"train": 12, "valid": 4, "test": 55, "dropped": {"no verified work": 5}})
    files.write_json(paths.grade_metrics, {"outcomes": {}})
    files.write_json(paths.overfit_metrics, {})
    summarise.main(paths)
    claims.main(paths)
    return paths


@pytest.fixture
def paths(tmp_path: Path) -> Any:
    with chdir(tmp_path):
        yield write()


def test_a_study_reconciles_from_its_source_to_its_claims(paths: Paths) -> None:
    drops.main(paths)
    found = files.read_json(paths.drops)["steps"]
    assert all(each["input"] - sum(each["drops"].values()) == each["output"] for each in found)
    rows = {(each["stage"], each["of"], each.get("benchmark", "")): each for each in found}
    assert rows["extract", "", ""]["drops"] == {"not found on its page": 4}
    assert rows["summarise", "r1", "competition"]["drops"] == {"near-duplicate of one trained on": 1, "trained on": 12, "validated on": 4}
    gain = rows["claims", "gain", "competition"]
    assert (gain["input"], gain["output"]) == (76, 59)
    assert gain["drops"] == {"r1: near-duplicate of one trained on": 1, "r1: trained on": 12, "r1: validated on": 4}
    assert ("claims", "spread", "competition") not in rows  # its n counts seeds
    text = drops_section.section(files.read_json(paths.drops))
    assert "| grade      | base, r1 | transfer" in text
    assert "not found on its page: 4" in text


def lose(key: str, *names: str) -> Callable[[Paths], None]:
    """Return what takes one from a figure of a JSON file."""

    def change(paths: Paths) -> None:
        path = getattr(paths, key)
        document = part = files.read_json(path)
        for name in names[:-1]:
            part = part[name]
        part[names[-1]] -= 1
        files.write_json(path, document)

    return change


def lose_record(paths: Paths) -> None:
    files.write_records(paths.benchmarks / "competition.jsonl", files.read_records(paths.benchmarks / "competition.jsonl", Problem)[1:])


BROKEN = {
    "a page's problem": (lose("extract_metrics", "missing"), r"extract: 80 in, 3 dropped .* 76 out: \+1 unexplained"),
    "a verdict of the teacher": (lose("teacher_metrics", "verdicts", "blank"), r"verify: 76 in, 5 dropped .* 70 out: \+1"),
    "a held-out problem": (lose("audit_metrics", "problems", "split", "heldout"), r"split: 76 in, 16 dropped .* 59 out: \+1"),
    "a problem that is asked": (lose_record, r"benchmarks: 76 in, 0 dropped \(none\), 75 out: \+1"),
    "an answered problem": (
        lose("summary", "arms", "r1", "competition", "heldout", "n"), r"summarise of r1: 76 in, 17 dropped .* 58 out: \+1",
    ),
    "a unit of a claim": (lose("claims", "gain", "n"), r"claims of gain: 76 in, 17 dropped .* 58 out: \+1"),
}  # fmt: skip


@pytest.mark.parametrize(("change", "message"), BROKEN.values(), ids=BROKEN)
def test_a_lost_problem_stops_the_stage_and_names_the_step(change: Callable[[Paths], None], message: str, paths: Paths) -> None:
    change(paths)
    with pytest.raises(InputError, match=message):
        drops.main(paths)
    assert not paths.drops.exists()


COMMITTED = ROOT / "metrics" / "mini" / "drops.json"


@pytest.mark.skipif(not COMMITTED.exists(), reason="the steps of mini were not counted yet")
def test_the_committed_steps_add_up_and_end_in_the_committed_denominators() -> None:
    found = files.read_json(COMMITTED)["steps"]
    assert [each for each in found if each["input"] - sum(each["drops"].values()) != each["output"]] == []
    summary, ledger = (files.read_json(ROOT / "metrics" / "mini" / f"{name}.json") for name in ("summary", "claims"))
    for each in found:
        if each["stage"] == "summarise":
            assert each["output"] == summary["arms"][each["of"]]["competition"]["heldout"]["n"]
        if each["stage"] == "claims":
            assert each["output"] == ledger[each["of"]]["n"]
    assert layout("mini").drops == COMMITTED.relative_to(ROOT)
