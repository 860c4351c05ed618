"""A published judge against the grader: agreement, errors in both directions, denominators; and the whole analysis of recorded answers."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from msgspec.structs import replace

from distill.claims import basis, printed_means
from distill.claims.claim import ClaimResult
from distill.claims.printed_means import Printed
from distill.cli.layout import layout
from distill.core import study_file
from distill.core.errors import InputError
from distill.core.files import read_json, read_records, write_text
from distill.judging import disagreement_page, published_judge
from distill.judging.disagreement_page import Shown
from distill.judging.judgement import Judgement
from distill.judging.published_judge import PublishedJudge
from distill.records.claim_record import ClaimRecord, Rationale
from distill.records.problem import Problem
from distill.records.verdict import Verdict
from distill.stats.intervals import wilson
from stages import claims, drops, grade, llm_judge, multiverse, other_graders, overfit, report, summarise
from tests import rendered, upstream_fixture
from tests.pipeline import ROOT
from tests.test_recorded_answers import tree as tree

PARAMS = PublishedJudge(0.95, "teacher", ["r2"], 40)
PROFILES = ["strict", "lenient"]


def verdicts(arm: str, rows: list[tuple[str, str, str]], benchmark: str = "competition") -> list[Verdict]:
    """Return one verdict for each (strict outcome, lenient outcome, published word)."""
    return [
        Verdict(arm, 1, benchmark, f"p{n:02}", 0, strict, "7", 4, 0, word, {"lenient": lenient})
        for n, (strict, lenient, word) in enumerate(rows)
    ]


ROWS = [
    *[("correct", "correct", "correct")] * 6, *[("correct", "correct", "incorrect")] * 2, *[("wrong", "wrong", "incorrect")] * 4,
    ("no_answer", "correct", "correct"), ("truncated", "truncated", "correct"), ("no_answer", "wrong", "incorrect"),
    ("correct", "correct", "error"), ("ungradable", "ungradable", "error"),
]  # fmt: skip


def test_agreement_and_errors_in_both_directions_by_profile() -> None:
    found = published_judge.figures(verdicts("r1", ROWS), PROFILES, PARAMS)["arms"]["r1"]["competition"]
    assert found["published"] == {"correct": 8, "incorrect": 7, "error": 2}
    strict, lenient = found["agreement"].values()
    assert strict["table"]["correct"] == {"correct": 6, "incorrect": 2, "error": 1}
    assert strict["table"]["no_answer"] == {"correct": 1, "incorrect": 1, "error": 0}
    assert (strict["decided"], strict["share"]) == (15, 11 / 15)
    assert strict["kappa"] == pytest.approx((15 * 11 - (8 * 8 + 7 * 7)) / (225 - (8 * 8 + 7 * 7)))
    assert {key: strict["passed_wrong"][key] for key in ("count", "n", "rate")} == {"count": 2, "n": 7, "rate": 2 / 7}
    assert {key: strict["failed_right"][key] for key in ("count", "n", "rate")} == {"count": 2, "n": 8, "rate": 0.25}
    assert (strict["failed_right"]["low"], strict["failed_right"]["high"]) == wilson(0.25, 8, 0.95)
    assert (lenient["share"], lenient["passed_wrong"]["count"], lenient["passed_wrong"]["n"]) == (12 / 15, 1, 6)


def test_errors_count_in_the_denominator_and_the_authors_denominators_are_beside_it() -> None:
    solved = [("correct", "correct", word) for word in ("correct", "incorrect", "error", *["correct"] * 14)]
    rows = [*verdicts("r1", ROWS), *verdicts("r2", ROWS), *verdicts("teacher", solved)]
    found = published_judge.figures(rows, PROFILES, PARAMS)["arms"]
    counts = {name: [(line["count"], line["n"]) for line in part.values()] for name, part in found["r2"]["competition"]["accuracy"].items()}
    assert counts == {"all": [(8, 17), (9, 17), (10, 17)], "judged": [(8, 15), (8, 15), (9, 15)], "solved": [(6, 13), (6, 13), (7, 13)]}
    assert list(found["r1"]["competition"]["accuracy"]) == ["all", "judged"]  # no filtered arm


def test_nothing_is_said_about_nothing() -> None:
    unmarked = [replace(row, published=Verdict.__struct_defaults__[0]) for row in verdicts("r1", ROWS)]
    assert published_judge.figures(unmarked, PROFILES, PARAMS) == {"unjudged": {"r1": 17}, "arms": {}}
    only = published_judge.figures(verdicts("r1", [("wrong", "wrong", "error")]), PROFILES, PARAMS)["arms"]["r1"]["competition"]
    assert set(only["agreement"]["strict"]) == {"table", "decided"}
    assert list(only["accuracy"]) == ["all"]
    alike = published_judge.figures(verdicts("r1", [("correct", "correct", "correct")] * 3), PROFILES, PARAMS)
    assert alike["arms"]["r1"]["competition"]["agreement"]["strict"]["kappa"] is None


def test_an_unknown_word_of_the_judge_is_one_line() -> None:
    with pytest.raises(InputError, match=r"r1: p00: published verdict 'maybe'; allowed: correct, incorrect, error"):
        published_judge.figures(verdicts("r1", [("wrong", "wrong", "maybe")]), PROFILES, PARAMS)


def test_a_disagreement_under_any_profile_is_listed_and_an_error_is_none() -> None:
    listed = published_judge.disagreements(verdicts("r1", ROWS), PROFILES)
    assert [row.id for row in listed] == ["p06", "p07", "p12", "p13"]


def test_foreign_text_on_the_page_of_disagreements_opens_nothing() -> None:
    hostile = "Zq " + rendered.HOSTILE
    rows = [replace(row, extracted=hostile) for row in published_judge.disagreements(verdicts("r1", ROWS), PROFILES)]
    known = {(row.benchmark, row.id): Problem(row.id, row.benchmark, "", 0, hostile, hostile, hostile, "", 0, "text") for row in rows}
    texts = {(row.arm, row.benchmark, row.id): hostile * 50 for row in rows}
    found = published_judge.figures(verdicts("r1", ROWS), PROFILES, PARAMS)
    page = disagreement_page.page("s", found, rows, Shown(PROFILES, known, texts, 400))
    html, links = rendered.opened(page)
    assert (html, [link for link in links if link.startswith(("http", "javascript"))]) == ([], [])
    assert page.count("gold `") == 4
    assert len(page) < 4 * 2500


PRINTED = {
    "one run of the one file": (452, 651, 0, Printed("69.43", "0.17", 5), "shown"),
    "a judge's error left out": (365, 499, 1, Printed("73.1", "0.18", 5), "shown"),
    "the same with the error": (365, 500, 0, Printed("73.1", "0.18", 5), "opposite"),
    "another digit": (452, 651, 0, Printed("69.44", "0.17", 5), "opposite"),
}


@pytest.mark.parametrize(("right", "of", "errors", "printed", "state"), PRINTED.values(), ids=PRINTED)
def test_a_printed_mean_is_the_count_of_one_file(right: int, of: int, errors: int, printed: Printed, state: str) -> None:
    assert printed_means.finding(right, of, errors, printed).state == state


def test_how_often_one_run_prints_as_the_mean_of_all() -> None:
    assert printed_means.by_chance(5, 10, Printed("50", "0.0", 3)) == pytest.approx(1)  # runs that do not differ
    # Of two runs with counts -1, 0, 1 the first prints as their mean where both are equal; and where a half is rounded its way.
    pair = printed_means.by_chance(50, 100, Printed("50.00", "0.5", 2))
    assert 0.3 < pair < 0.6
    assert printed_means.by_chance(452, 651, Printed("69.43", "0.17", 5)) == pytest.approx(0.079, abs=0.001)


def claim(verdict: str, ours: float | None, published: float | None = 0.5) -> ClaimResult:
    record = ClaimRecord(verdict, published, ours, None, None, None, None, None, None, None, None, {})
    return ClaimResult(record, Rationale("rule", "because"))


def test_each_claim_names_its_basis_and_the_printed_counts_stand_in_where_answers_are_missing() -> None:
    results = {"a": claim("reproduced", 0.4), "b": claim("not run", None), "c": claim("not run", None)}
    found = basis.with_basis(results, basis.RECORDED, {"a": claim("supported", 0.3), "b": claim("inconclusive", 0.3, None)})
    assert [(r.record.verdict, r.record.ours, r.record.basis or "") for r in found.values()] == [
        ("reproduced", 0.4, "recorded answers"), ("inconclusive", 0.3, "printed counts"), ("not run", None, ""),
    ]  # fmt: skip
    assert found["b"].record.published == 0.5
    assert found["b"].rationale.reason == "by the printed counts (of the run: because): because"
    assert basis.with_basis(results, basis.OWN, {})["a"].record.basis == "own run"


@pytest.fixture(scope="module")
def judged(tree: Path) -> Iterator[Path]:
    """The tree of recorded answers, graded, judged, summed up, tested and reported."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tree)
        analyse()
        yield tree


def analyse() -> None:
    study_file.study.cache_clear()
    paths = layout("job")
    overfit.main(paths, "r1")
    for stage in (grade, llm_judge, other_graders, summarise, claims, multiverse, drops, report):
        stage.main(paths)


REAL = len(upstream_fixture.rows()) - 1  # competition problems with a text


def test_what_was_not_recorded_is_counted_by_arm_and_is_never_wrong(judged: Path) -> None:
    found = read_json(judged / "metrics/job/grade.json")
    missing = found["not_recorded"]
    assert missing["base"] == {"competition": REAL, "math500": 4}
    assert missing["published-r2"] == {"competition": 1, "math500": 4}  # the question with two answers
    assert "published-r1" not in missing
    assert sum(found["outcomes"]["published-r2"].values()) == REAL - 1
    assert "base" not in found["outcomes"]
    assert set(found["profiles"]) == {"lenient"}
    assert found["outcomes"]["published-r2"]["truncated"] == 1


def test_the_published_word_is_beside_each_verdict_and_changes_none(judged: Path) -> None:
    rows = read_records(judged / "data/job/verdicts.jsonl.gz", Verdict)
    assert rows == read_records(judged / "data/job/resolved.jsonl.gz", Verdict)
    assert {row.published for row in rows} == {"correct", "incorrect", "error"}
    failed = [row for row in rows if (row.outcome, row.published) == ("correct", "incorrect")]
    assert [(row.arm, row.benchmark, row.id) for row in failed] == [("published-r1", "math500", "math500-0003")]


def test_the_disagreements_are_on_a_page_and_in_a_file(judged: Path) -> None:
    rows = read_records(judged / "data/job/judgements.jsonl", Judgement)
    assert ("published-r1", "math500-0003", "correct", "wrong") in [(row.kind, row.id, row.grader, row.decision) for row in rows]
    page = (judged / "report/job/disagreements.md").read_text(encoding="utf-8")
    assert page.count("published: ") == len(rows)
    assert "**math500-0003** (`test/algebra/3.json`): gold `6`; final answer `6`; published: incorrect; strict: correct" in page


def test_accuracy_by_profile_has_intervals_and_the_denominators_move_it(judged: Path) -> None:
    summary = read_json(judged / "metrics/job/summary.json")
    line = summary["arms"]["published-r2"]["competition"]["all"]
    assert line["n"] == REAL - 1
    assert line["low"] <= line["accuracy"] <= line["high"]
    assert {"accuracy", "low", "high", "n", "sd"} <= set(line["profiles"]["lenient"])
    assert "tokens" not in summary["arms"]["published-r2"]  # nobody knows how many
    assert summary["recorded"]["published-r6"]["files"][0]["path"] == "runs/reasoning_5/results.csv"
    assert "base" not in summary["arms"]
    r2 = read_json(judged / "metrics/job/llm_judge.json")["arms"]["published-r2"]["competition"]["accuracy"]
    assert (r2["all"]["strict"]["n"], r2["judged"]["strict"]["n"], r2["solved"]["strict"]["n"]) == (REAL - 1, REAL - 2, REAL - 2)


def test_claims_rest_on_recorded_answers_or_on_the_printed_counts(judged: Path) -> None:
    found = read_json(judged / "metrics/job/claims.json")
    on = {name: line.get("basis", "") for name, line in found.items()}
    recorded = {name for name, what in on.items() if what == "recorded answers"}
    assert recorded == {
        "accuracy_falls", "words_fall", "speed_hurt_most", "trained_on_above_unseen", "trained_on_above_unseen_r2_r6",
        "mean_is_one_file", "math500_mean_is_one_file", "distilled_accuracy", "math500_accuracy",
    }  # fmt: skip
    printed = {name for name, what in on.items() if what == "printed counts"}
    assert printed == {"teacher_above_student", "distilled_above_base", "seed_spread_small", "transfer", "long_run_overfits"}
    assert {found[name]["verdict"] for name, what in on.items() if not what} == {"not run"}
    assert found["accuracy_falls"]["effect"] < 0
    assert {"effect", "p_holm"} <= set(found["accuracy_falls"]["secondary"]["profiles"]["lenient"])
    page = (judged / "metrics/job/claims.md").read_text(encoding="utf-8")
    assert "rests on" in page.splitlines()[2]
    assert "by profile lenient: " in page


def test_the_report_shows_the_recording_without_a_text_of_it(judged: Path) -> None:
    page = (judged / "report/job/report.md").read_text(encoding="utf-8")
    assert "## Recorded answers" in page
    assert "| published-r2" in page
    assert "Adding them gives" not in page
    assert "beads" not in page


def test_equal_recordings_give_equal_bytes(judged: Path) -> None:
    made = [*sorted((judged / "metrics/job").glob("*.json")), judged / "report/job/report.md", judged / "report/job/disagreements.md"]
    before = [path.read_bytes() for path in made]
    analyse()
    assert [path.read_bytes() for path in made] == before


def test_an_arm_without_its_file_leaves_its_claims_to_the_counts(judged: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(judged, tmp_path / "tree", symlinks=True)
    monkeypatch.chdir(tmp_path / "tree")
    completions = Path("data/job/completions")
    shutil.copyfile(completions / "base.jsonl.gz", completions / "published-r6-1.jsonl.gz")
    analyse()
    found = read_json(Path("metrics/job/claims.json"))
    assert {found[name]["basis"] for name in ("accuracy_falls", "speed_hurt_most", "transfer")} == {"printed counts"}
    assert found["math500_accuracy"]["basis"] == "recorded answers"
    assert found["words_fall"]["verdict"] == "not run"  # the counts say nothing of it
    assert "published-r6" not in read_json(Path("metrics/job/summary.json"))["arms"]


def test_a_run_of_ones_own_replaces_the_recording(judged: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(judged, tmp_path / "tree", symlinks=True)
    monkeypatch.chdir(tmp_path / "tree")
    paths = layout("job")
    document: dict[str, Any] = yaml.safe_load(paths.study_file.read_text(encoding="utf-8"))
    write_text(paths.study_file, yaml.safe_dump(document | {"student": {"kind": "hub"}}, sort_keys=False))
    study_file.study.cache_clear()
    claims.main(paths)
    assert {line.get("basis", "") for line in read_json(paths.claims).values()} == {"own run", "printed counts", ""}
    study_file.study.cache_clear()


def test_the_page_on_study_job_has_the_committed_figures() -> None:
    found = read_json(ROOT / "metrics/job/llm_judge.json")["arms"]["published-r1"]["math500"]
    assert found["published"] == {"correct": 365, "incorrect": 134, "error": 1}
    page = (ROOT / "docs" / "job.md").read_text(encoding="utf-8")

    def share(line: dict[str, float]) -> str:
        return f"{100 * line['rate']:.1f} [{100 * line['low']:.1f}, {100 * line['high']:.1f}]"

    assert f"| {share(found['accuracy']['judged']['published'])} | | | | |" in page
    for profile in PROFILES:
        line = found["agreement"][profile]
        errors = [f"{line[side]['count']} of {line[side]['n']}" for side in ("passed_wrong", "failed_right")]
        row = [share(found["accuracy"]["all"][profile]), f"{100 * line['share']:.1f} %", f"{line['kappa']:.3f}", *errors]
        assert f"profile {profile} | {' | '.join(row)} |" in page
    bases = {name: line.get("basis", "") for name, line in read_json(ROOT / "metrics/job/claims.json").items()}
    assert {name for name, basis in bases.items() if basis == "recorded answers"} == {"math500_accuracy", "math500_mean_is_one_file"}
