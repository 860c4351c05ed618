"""The authors' recorded answers, where a mirror folder holds them: our verdicts of 37 rows and of MATH-500's 500, checked by hand.

Of the authors' files only keys and verdicts are here. A row's verdict by hand was made from its question, gold answer and whole response.
"""

import csv
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from distill.answers.final_answer import Profile, final_answer
from distill.answers.grade_pairs import outcome
from distill.answers.verify_pool import compare
from distill.sampling.recorded_answers import cut_off
from tests.pipeline import ROOT

MIRROR = Path(os.environ.get("JOB_MIRROR") or "-", "TempGaurab/Distillation.John-O-Bryan")
LEVELS = MIRROR / "7f0a5cfd3608c72376500355c261ee399219bd35/runs/filtered_accuracy_results.csv"
MATH = MIRROR / "e4d951e393dad259b85d03cadb7f3e4b4479f82b/qwen_tuned_math500_results.csv"
pytestmark = [pytest.mark.skipif(not (LEVELS.is_file() and MATH.is_file()), reason="JOB_MIRROR names no folder with the recorded answers")]
CUT_FROM = {
    LEVELS: 1200,
    MATH: 2000,
}  # characters, as in studies/job.yaml

FS, JS = "freshman_sophomore_test", "junior_senior_test"
# Of runs/filtered_accuracy_results.csv, all of level reasoning_1: (year, section, question): strict, lenient, the judge's word, and the
# reason where that differs from strict.
BY_HAND = {
    ("2011", FS, "1"): ("correct", "correct", "CORRECT", ""),
    ("2011", FS, "2"): ("correct", "correct", "CORRECT", ""),
    ("2011", FS, "3"): ("correct", "correct", "CORRECT", ""),
    ("2011", FS, "4"): ("correct", "correct", "CORRECT", ""),
    ("2011", FS, "6"): ("correct", "correct", "CORRECT", ""),
    ("2011", FS, "9"): ("correct", "correct", "CORRECT", ""),
    ("2011", FS, "10"): (
        "truncated",
        "truncated",
        "CORRECT",
        "cut off in the equation that gives k",
    ),
    ("2011", FS, "11"): ("correct", "correct", "CORRECT", ""),
    ("2011", FS, "12"): ("truncated", "truncated", "INCORRECT", ""),
    ("2011", FS, "13"): ("wrong", "wrong", "INCORRECT", ""),
    ("2011", FS, "14"): ("truncated", "truncated", "INCORRECT", ""),
    ("2011", FS, "15"): (
        "truncated",
        "truncated",
        "CORRECT",
        "cut off before it answers; the value stands above",
    ),
    ("2011", FS, "16"): ("truncated", "truncated", "INCORRECT", ""),
    ("2011", FS, "17"): ("truncated", "truncated", "INCORRECT", ""),
    ("2011", FS, "18"): ("correct", "correct", "CORRECT", ""),
    ("2011", FS, "20"): ("truncated", "truncated", "INCORRECT", ""),
    ("2011", JS, "1"): ("correct", "correct", "CORRECT", ""),
    ("2011", JS, "2"): ("wrong", "wrong", "INCORRECT", ""),
    ("2011", JS, "3"): ("correct", "correct", "CORRECT", ""),
    ("2011", JS, "4"): ("truncated", "truncated", "INCORRECT", ""),
    ("2011", JS, "5"): ("correct", "correct", "CORRECT", ""),
    ("2011", JS, "6"): ("truncated", "truncated", "INCORRECT", ""),
    ("2011", JS, "7"): ("truncated", "truncated", "INCORRECT", ""),
    ("2011", JS, "8"): ("truncated", "truncated", "INCORRECT", ""),
    ("2011", JS, "9"): ("correct", "correct", "CORRECT", ""),
    ("2011", JS, "10"): ("correct", "correct", "CORRECT", ""),
    ("2011", JS, "11"): ("correct", "correct", "CORRECT", ""),
    ("2011", JS, "12"): ("truncated", "truncated", "INCORRECT", ""),
    ("2011", JS, "13"): ("wrong", "wrong", "INCORRECT", ""),
    ("2011", JS, "15"): ("truncated", "truncated", "INCORRECT", ""),
    ("2011", JS, "16"): ("truncated", "truncated", "INCORRECT", ""),
    ("2011", JS, "17"): ("correct", "correct", "CORRECT", ""),
    ("2011", JS, "18"): ("correct", "correct", "CORRECT", ""),
    ("2011", JS, "19"): ("truncated", "truncated", "INCORRECT", ""),
    ("2012", FS, "1"): ("correct", "correct", "CORRECT", ""),
    ("2012", FS, "3"): ("correct", "correct", "CORRECT", ""),
    ("2012", FS, "4"): ("no_answer", "wrong", "INCORRECT", ""),  # the one word of the response, without a box, is the wrong one
}
# Of MATH-500: right by hand, and failed by the judge. All are in a box.
FAILED_RIGHT = {
    "intermediate_algebra/1000": "the gold answer itself",
    "counting_and_probability/377": "the gold fraction, not reduced",
    "intermediate_algebra/2022": "the gold answer itself",
    "precalculus/659": "the gold plane times -1",
    "algebra/1787": "the gold answer itself",
    "number_theory/1065": "the gold answer itself",
    "prealgebra/260": "the gold answer itself",
    "counting_and_probability/870": "the gold answer itself",
    "precalculus/826": "the gold answer itself",
    "intermediate_algebra/860": "the gold answer itself",
    "number_theory/1185": "the gold answer itself",
}
# Right by hand, passed by the judge, without a box; and whether profile lenient finds the answer.
UNBOXED_RIGHT = {
    "prealgebra/1747": False,  # in a subordinate clause
    "prealgebra/105": True, "algebra/1332": True, "algebra/2199": True, "algebra/291": True, "algebra/1529": True,
    "prealgebra/1991": False,  # the name is the subject of the last sentence
    "prealgebra/1784": True, "prealgebra/2037": True, "prealgebra/846": True,
}  # fmt: skip


class Graded(NamedTuple):
    """A row's outcomes and the judge's word."""

    strict: str
    lenient: str
    judge: str


def graded(path: Path, key: Callable[[dict[str, str]], object]) -> dict[object, Graded]:
    """Grade a file as the stage does: by the limits of the study file, truncated where the recording was cut off."""
    csv.field_size_limit(1 << 24)
    limits = yaml.safe_load((ROOT / "studies" / "job.yaml").read_text(encoding="utf-8"))["grade"]
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    finish = ["length" if cut_off(row["qwen_response"], CUT_FROM[path]) else "stop" for row in rows]

    def finals(profile: Profile) -> list[str]:
        return [final_answer(row["qwen_response"], limits["answer_line"], how, profile) for row, how in zip(rows, finish, strict=True)]

    found = [finals("strict"), finals("lenient")]
    pairs = {
        (row["true_answer"], text) for texts in found for row, text in zip(rows, texts, strict=True) if 0 < len(text) <= limits["max_chars"]
    }
    equal = compare(pairs, limits["time_limit"], limits["memory_limit"], limits["workers"])
    named: dict[object, Graded] = {}
    for row, how, strict, lenient in zip(rows, finish, *found, strict=True):
        ours = [outcome(how, (row["true_answer"], text), equal) for text in (strict, lenient)]
        named[key(row)] = Graded(ours[0], ours[1], row["deepseek_verdict"].partition(":")[0])
    assert len(named) == len(rows)
    return named


def test_the_37_rows_are_as_judged_by_hand() -> None:
    found = graded(LEVELS, lambda row: (row["year"], row["section"], row["question_id"].removeprefix("question_")))
    assert found == {key: Graded(*row[:3]) for key, row in BY_HAND.items()}
    differ = {key for key, row in found.items() if (row.strict == "correct") != (row.judge == "CORRECT")}
    assert differ == {key for key, row in BY_HAND.items() if row[3]}
    assert Counter(row.strict for row in found.values()) == {"correct": 18, "truncated": 15, "wrong": 3, "no_answer": 1}


@pytest.fixture(scope="module")
def math500() -> dict[object, Graded]:
    return graded(MATH, lambda row: row["unique_id"].removeprefix("test/").removesuffix(".json"))


def test_math_500_by_the_judge_and_by_both_profiles(math500: dict[object, Graded]) -> None:
    assert Counter(row.judge for row in math500.values()) == {"CORRECT": 365, "INCORRECT": 134, "JUDGE_ERROR": 1}
    assert Counter(row.strict for row in math500.values()) == {"correct": 366, "wrong": 115, "no_answer": 10, "truncated": 9}
    assert sum(row.lenient == "correct" for row in math500.values()) == 374


def test_every_difference_from_the_judge_is_one_that_was_checked_by_hand(math500: dict[object, Graded]) -> None:
    assert {key for key, row in math500.items() if (row.strict, row.judge) == ("correct", "INCORRECT")} == set(FAILED_RIGHT)
    passed = {key: row for key, row in math500.items() if row.strict != "correct" and row.judge == "CORRECT"}
    assert {row.strict for row in passed.values()} == {"no_answer"}
    assert {key: row.lenient == "correct" for key, row in passed.items()} == UNBOXED_RIGHT
    by_hand = sum(row.strict == "correct" or key in UNBOXED_RIGHT for key, row in math500.items())
    assert by_hand == 376


def test_nothing_that_both_call_wrong_is_correct_under_a_profile(math500: dict[object, Graded]) -> None:
    both = [row for row in math500.values() if row.strict != "correct" and row.judge != "CORRECT"]
    assert (len(both), {row.lenient == "correct" for row in both}) == (124, {False})
