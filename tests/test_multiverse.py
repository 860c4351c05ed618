"""Claims under other choices: the options, the table under each, what flips a verdict, other graders, and a planted fault of a grader."""

import csv
from collections.abc import Callable
from contextlib import chdir
from pathlib import Path
from typing import Any

import msgspec
import pandas as pd
import pytest

from distill.cli.layout import Paths, layout
from distill.core import files, study_file
from distill.core.errors import InputError
from distill.likelihood.row import Likelihood
from distill.multiverse import choices, graders, robustness, score_tables
from distill.multiverse.choices import Choice
from distill.multiverse.graders import Answer, Grading
from distill.multiverse.outcomes import OtherOutcomes
from distill.records.claim_record import ClaimRecord
from distill.records.completion import Completion
from distill.records.problem import Problem
from distill.records.verdict import Verdict
from distill.report import multiverse_section
from stages import claims, multiverse, other_graders, summarise
from tests import synthetic
from tests.pipeline import ROOT

OPTIONS: dict[str, Any] = {
    "grader": ["strict", "lenient", "math-verify", "last-number"], "truncated": ["wrong", "dropped"], "ungradable": ["wrong", "dropped"],
    "seeds": ["mean", "each"], "units": ["clusters", "problems"], "near": ["apart", "heldout", "one"], "resamples": 200,
}  # fmt: skip
GRADE = {"profiles": ["strict"], "answer_line": "Answer:", "time_limit": 5.0, "memory_limit": 1024, "workers": 2, "max_chars": 400}
OWN = choices.ledger("strict")


def params(**changes: Any) -> choices.Params:
    return msgspec.convert(OPTIONS | changes, choices.Params)


def test_the_grid_begins_with_the_ledgers_choice_and_has_each_combination_once() -> None:
    grid = choices.grid(choices.axes(params(grader=["lenient", "strict"]), [1, 2], "strict"))
    assert grid[0] == OWN
    assert len(grid) == len(set(grid)) == 2 * 2 * 2 * 3 * 2 * 3
    assert {choice.seeds for choice in grid} == {"mean", "seed 1", "seed 2"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"grader": ["lenient"]}, "grader lacks 'strict', the ledger's own choice; options here: lenient"),
        ({"seeds": ["each"]}, "seeds lacks 'mean'"),
        ({"units": ["clusters", "clusters"]}, "units has an option twice"),
    ],
)
def test_options_that_cannot_be_are_named(change: dict[str, list[str]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        choices.axes(params(**change), [1], "strict")


# Two clusters of two problems; r1 has two seeds, the base one. The other grader calls the last answer correct.
ROWS = [
    # arm, seed, id, cluster, split_role, outcome, by the other grader
    ("base", 0, "p1", "p1", "heldout", "correct", "correct"),
    ("base", 0, "p2", "p1", "heldout", "truncated", "truncated"),
    ("r1", 1, "p1", "p1", "heldout", "ungradable", "wrong"),
    ("r1", 1, "p2", "p1", "near", "correct", "correct"),
    ("r1", 2, "p3", "p3", "heldout", "wrong", "correct"),
]
UNDER = {
    "the ledger's": ({}, ["p1 1", "p2 0", "p1 0", "p2 1", "p3 0"]),
    "another grader": ({"grader": "other"}, ["p1 1", "p2 0", "p1 0", "p2 1", "p3 1"]),
    "truncated dropped": ({"truncated": "dropped"}, ["p1 1", "p1 0", "p2 1", "p3 0"]),
    "ungradable dropped": ({"ungradable": "dropped"}, ["p1 1", "p2 0", "p2 1", "p3 0"]),
    "ungradable by the grader in question": ({"ungradable": "dropped", "grader": "other"}, ["p1 1", "p2 0", "p1 0", "p2 1", "p3 1"]),
    "one seed, against the base's only one": ({"seeds": "seed 2"}, ["p1 1", "p2 0", "p3 0"]),
    "one problem a cluster": ({"near": "one"}, ["p1 1", "p1 0", "p3 0"]),
}


def scores() -> pd.DataFrame:
    rows = pd.DataFrame(ROWS, columns=["arm", "seed", "id", "cluster", "split_role", "outcome", "other"])
    table = rows.assign(benchmark="competition", sample=0, correct=(rows["outcome"] == "correct").astype(float))
    others = [OtherOutcomes(arm, seed, "competition", name, 0, {"other": said}) for arm, seed, name, *_, said in ROWS]
    return score_tables.with_graders(table.drop(columns="other"), "strict", others)


@pytest.mark.parametrize(("change", "expected"), UNDER.values(), ids=UNDER)
def test_the_table_under_a_choice(change: dict[str, str], expected: list[str]) -> None:
    found = score_tables.under(scores(), OWN._replace(**change))
    assert [f"{name} {right:.0f}" for name, right in zip(found["id"], found["correct"], strict=True)] == expected


def test_units_and_near_duplicates_change_labels_alone() -> None:
    table = scores()
    assert set(score_tables.under(table, OWN._replace(units="problems"))["cluster"]) == {f"competition/p{n}" for n in (1, 2, 3)}
    assert set(score_tables.under(table, OWN._replace(near="heldout"))["split_role"]) == {"heldout"}
    prints = {change: score_tables.fingerprint(score_tables.under(table, OWN._replace(**{axis: change}))) for axis, change in (
        ("units", "clusters"), ("units", "problems"), ("near", "heldout"), ("near", "one"), ("grader", "other"))}  # fmt: skip
    assert len(set(prints.values())) == 5


def test_an_answer_that_no_other_grader_has_is_an_error() -> None:
    with pytest.raises(InputError, match=r"1 answers are graded by no other grader, first .*'p1'.*run `dvc repro other_graders`"):
        score_tables.with_graders(scores()[:1], "strict", [])


SCORED = [("base", 0, "p1"), ("base", 0, "p2"), ("r1", 1, "p1"), ("r1", 1, "p2"), ("r1", 2, "p1"), ("r1", 2, "p2")]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"grader": "other", "truncated": "dropped", "near": "heldout"}, SCORED),
        ({"seeds": "seed 2"}, [*SCORED[:2], *SCORED[4:]]),
        ({"near": "one"}, SCORED[::2]),
    ],
)
def test_likelihoods_follow_seeds_units_and_near_duplicates(change: dict[str, str], expected: list[tuple[str, int, str]]) -> None:
    rows = [
        Likelihood(arm, seed, "competition", name, "heldout", "p1", "answer_direct", "", -1.0, 1, 0.0, 1, 0.0) for arm, seed, name in SCORED
    ]
    found = score_tables.likelihoods(rows, OWN._replace(**change))
    assert [(row.arm, row.seed, row.id) for row in found] == expected
    assert {row.cluster for row in score_tables.likelihoods(rows, OWN._replace(units="problems"))} == {"competition/p1", "competition/p2"}


def record(verdict: str, effect: float | None) -> ClaimRecord:
    return ClaimRecord(verdict, None, effect, effect, None, None, 10, None, None, None, None, {})


def cells(judge: Callable[[Choice], ClaimRecord], **changes: Any) -> dict[Choice, ClaimRecord]:
    return {choice: judge(choice) for choice in choices.grid(choices.axes(params(**changes), [1], "strict"))}


def test_what_flips_is_smallest_first_and_holds_no_smaller_flip() -> None:
    def judge(choice: Choice) -> ClaimRecord:
        flipped = choice.grader == "last-number" or (choice.truncated, choice.units) == ("dropped", "problems")
        effect = 0.5 - 0.1 * (choice.grader != "strict") - 0.01 * (choice.truncated == "dropped") - 0.001 * (choice.units == "problems")
        return record("fails" if flipped else "holds", effect)

    found = robustness.judge("claim", cells(judge), OWN, "holds")
    assert [flip["changes"] for flip in found.figures["flips"]] == [
        {"grader": "last-number"},
        {"truncated": "dropped", "units": "problems"},
    ]
    assert list(found.figures["axes"]) == ["grader", "truncated", "units"]
    assert found.figures["choices"] == 4 * 2 * 2
    assert found.figures["left_out"] == {"an axis does not apply": 192 - 16, "not testable": 0}
    assert found.figures["same"] == 3 * 3
    assert found.figures["share"] == pytest.approx(9 / 16)
    assert found.figures["axes"]["grader"]["last-number"] == 0
    assert [row["effect"] for row in found.curve] == sorted(row["effect"] for row in found.curve)


def test_a_claim_that_no_choice_touches_and_one_that_is_not_testable() -> None:
    untouched = robustness.judge("claim", cells(lambda choice: record("holds", 1.0)), OWN, "holds").figures
    assert (untouched["choices"], untouched["share"], untouched["axes"], untouched["flips"]) == (1, 1.0, {}, [])
    spread = cells(lambda choice: record("holds", 1.0) if choice.seeds == "mean" else record("not run", None))
    found = robustness.judge("claim", spread, OWN, "holds").figures
    assert (found["choices"], found["left_out"]["not testable"], found["flips"]) == (1, 1, [])
    missing = robustness.judge("claim", cells(lambda choice: record("not run", None)), OWN, "supported")
    assert missing.figures["choices"] == 0
    assert "share" not in missing.figures
    assert missing.curve == []


GRADED = {  # gold, completion, finish -> strict, lenient, math-verify, last-number
    "an answer line": ("24", "Plan: 6*4\nAnswer: 24", "stop", "correct correct correct correct"),
    "a pair": ("(37, 3)", "Answer: (37, 3)", "stop", "correct correct correct wrong"),
    "a box": (r"\frac{3}{4}", r"So \boxed{0.75} of it.", "stop", "correct correct correct correct"),
    "prose": ("42", "The answer is 42.", "stop", "no_answer correct correct correct"),
    "the unit of another size": ("5 cm", "Answer: 5 m", "stop", "wrong wrong correct correct"),
    "cut off": ("77", "Product: 7*12", "length", "truncated truncated truncated truncated"),
    "no answer at all": ("8", "I do not know", "stop", "no_answer no_answer no_answer no_answer"),
    "code for an answer": ("8", "Answer: __import__('os').system('touch planted')", "stop", None),
    "a tower of powers": ("8", "Answer: 9^9^9^9^9^9", "stop", None),
    "a long line": ("8", "x" * 200_000, "stop", None),
}


def test_other_graders_on_real_shapes_and_hostile_texts(tmp_path: Path) -> None:
    names = ["strict", "lenient", "math-verify", "last-number"]
    answers = {name: Answer(gold, text, finish) for name, (gold, text, finish, _) in GRADED.items()}
    grading = msgspec.convert(GRADE | {"time_limit": 1.0}, Grading)
    with chdir(tmp_path):
        found = graders.grade([*answers.values(), *answers.values()], names, grading)
    got = {name: " ".join(found[grader][answer] for grader in names) for name, answer in answers.items()}
    assert {name: said for name, said in got.items() if GRADED[name][3]} == {n: row[3] for n, row in GRADED.items() if row[3]}
    assert [name for name, said in got.items() if "correct" in said and not GRADED[name][3]] == []
    assert list(tmp_path.iterdir()) == []


ABOVE = {"kind": "above", "benchmark": "competition", "split": "heldout", "arm": "r1", "comparator": "base"}
CLAIM = {"says": "up", "source": "abstract", "published": None, "tolerance": None, "by_construction": "", "note": "", "rule": ABOVE}
STUDY = {
    "summarise": {"confidence": 0.95, "resamples": 200, "seed": 5}, "grade": GRADE, "benchmarks": {}, "multiverse": OPTIONS,
    "claims": {"vocabulary": "pattern", "alpha": 0.05, "power": 0.8, "confidence": 0.95, "resamples": 200, "seed": 6,
               "ledger": {"gain": CLAIM}},
}  # fmt: skip


def written(**changes: Any) -> Paths:
    """Write a study of which every gold answer is 5 cm: the base is right on a third, r1 on a third, and on another third of 5 m.

    The stored verdicts are those of a grader that ignores units, which gives r1 another third.
    """
    paths = synthetic.write(
        STUDY | changes, {"r1": 12}, lambda arm, seed, benchmark, number: number % 3 < (2 if arm == "r1" else 1), transfer=0
    )
    problems = [msgspec.structs.replace(each, gold="5 cm") for each in files.read_records(paths.problems, Problem)]
    files.write_records(paths.problems, problems)
    files.write_records(paths.benchmarks / "competition.jsonl", problems)
    files.write_records(paths.extracted, [])
    texts = ["Answer: 5 cm", "Answer: 5 m", "Answer: 9 cm"]
    for arm, seed in {(row.arm, row.seed) for row in files.read_records(paths.verdicts, Verdict)}:
        rows = [
            Completion("competition", each.id, 0, texts[2 if arm == "base" and i % 3 == 1 else i % 3], 4, "stop")
            for i, each in enumerate(problems)
        ]
        files.write_records(paths.completions / ("base.jsonl.gz" if arm == "base" else f"{arm}-{seed}.jsonl.gz"), rows)
    files.write_json(paths.overfit_metrics, {})
    return paths


def run(paths: Paths) -> dict[str, Any]:
    for stage in (summarise, claims, other_graders, multiverse):
        stage.main(paths)
    found: dict[str, Any] = files.read_json(paths.multiverse)
    return found


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("planted")
    with chdir(root):
        run(written())
    return root


def test_a_planted_grader_fault_is_a_flip(planted: Path) -> None:
    with chdir(planted):
        paths = layout("tiny")
        found, seen = files.read_json(paths.multiverse)["claims"]["gain"], files.read_json(paths.other_graders_metrics)
    assert found["verdict"] == "holds"
    assert found["flips"][0]["changes"] == {"grader": "lenient"}
    assert found["flips"][0]["verdict"] != "holds"
    assert found["flips"][0]["effect"] == pytest.approx(0, abs=1e-9)
    assert found["axes"]["grader"] == {"strict": 1, "lenient": 0, "math-verify": 1, "last-number": 1}  # these ignore units too
    assert seen["lenient"]["agree"] < seen["lenient"]["answers"]


def test_the_ledgers_own_choice_has_the_ledgers_figures(planted: Path) -> None:
    with chdir(planted):
        paths = layout("tiny")
        ledger = files.read_json(paths.claims)["gain"]
        with paths.multiverse_curve.open(newline="") as file:
            rows = list(csv.DictReader(file))
    own = [row for row in rows if row["changes"] == "0"]
    assert len(own) == 1
    assert {key: float(own[0][key]) for key in ("effect", "low", "high", "p_holm")} == {
        key: pytest.approx(ledger[key], abs=1e-6) for key in ("effect", "low", "high", "p_holm")
    }
    assert len(rows) == len({tuple(row[axis] for axis in Choice._fields) for row in rows})


def test_the_report_names_what_flips(planted: Path) -> None:
    text = multiverse_section.section(files.read_json(planted / "metrics" / "tiny" / "multiverse.json"))
    assert "| gain    | holds     | grader: lenient (" in text
    assert multiverse_section.section({}) == ""


def test_a_study_without_other_choices_has_empty_files(tmp_path: Path) -> None:
    with chdir(tmp_path):
        study_file.study.cache_clear()
        paths = layout("tiny")
        files.write_text(paths.study_file, "multiverse: {}\n")
        other_graders.main(paths)
        multiverse.main(paths)
        assert files.read_json(paths.multiverse) == files.read_json(paths.other_graders_metrics) == {}
        assert files.read_records(paths.other_graders, OtherOutcomes) == []
        assert paths.multiverse_curve.read_text().splitlines() == [",".join(robustness.COLUMNS)]


def test_a_bad_option_names_file_and_section(tmp_path: Path) -> None:
    with chdir(tmp_path):
        paths = written(multiverse=OPTIONS | {"grader": ["lenient"]})
        with pytest.raises(InputError, match=r"studies/tiny.yaml: section 'multiverse': grader lacks 'strict'"):
            multiverse.main(paths)


COMMITTED = ROOT / "metrics" / "mini" / "multiverse.json"


@pytest.mark.skipif(not COMMITTED.exists(), reason="mini was not judged under other choices yet")
def test_the_page_says_what_was_found_in_mini() -> None:
    found = files.read_json(COMMITTED)["claims"]
    moved = {name: claim for name, claim in found.items() if claim["same"] < claim["choices"]}
    assert (len(found), sorted(moved)) == (10, ["more_data_helps", "speed_hurt_most", "transfer"])
    assert [(flip["changes"], flip["verdict"]) for flip in moved["transfer"]["flips"]] == [({"grader": "last-number"}, "inconclusive")]
    assert {flip["verdict"] for flip in moved["more_data_helps"]["flips"]} == {"inconclusive"}
    assert len(moved["more_data_helps"]["flips"]) == 5
    assert [flip["verdict"] for flip in moved["speed_hurt_most"]["flips"]] == ["fails"] * 3
    ledger = files.read_json(ROOT / "metrics" / "mini" / "claims.json")
    assert {name: claim["verdict"] for name, claim in found.items()} == {name: claim["verdict"] for name, claim in ledger.items()}
