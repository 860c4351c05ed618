"""The table of endings: what each profile finds in them, and that none finds an answer where there is none."""

import json
import os
import time
from collections import Counter
from pathlib import Path

import pytest

from distill.answers.final_answer import PROFILES, Profile, final_answer
from distill.core.errors import InputError
from tools import grade_pairs

TABLE = (Path(__file__).parent / "endings.txt").read_text(encoding="utf-8").splitlines()
ROWS = [line for line in TABLE if line and not line.startswith("#")]

SOLUTIONS = Path(
    os.environ.get("JOB_MIRROR") or "-", "openai/grade-school-math/3101c7d5072418e28b9008a6636bde82a006892c/grade_school_math/data"
)


def expected(row: str) -> tuple[str, str, dict[Profile, str]]:
    """Return a row's text, finish, and answer by profile."""
    text, _, found = row.rpartition(" ⇒ ")
    answers: dict[Profile, str] = dict.fromkeys(PROFILES, "")
    for group in [] if found == "none" else found.split(" ‖ "):
        profiles, _, answer = group.partition(" ")
        answers |= {name: answer for name in PROFILES if name[0] in profiles}
    return text.removesuffix("✂").replace("⏎", "\n"), "length" if text.endswith("✂") else "stop", answers


@pytest.mark.parametrize("row", ROWS)
def test_each_profile_finds_the_answer_and_invents_none(row: str) -> None:
    text, finish, answers = expected(row)
    assert {name: final_answer(text, "Answer:", finish, name) for name in PROFILES} == answers


def test_the_table_has_enough_endings_with_and_without_an_answer() -> None:
    kinds = Counter("answer" if expected(row)[2]["lenient"] else "none" for row in ROWS)
    assert kinds["answer"] >= 400
    assert kinds["none"] >= 200


@pytest.mark.skipif(not SOLUTIONS.is_dir(), reason="JOB_MIRROR names no folder with GSM8K")
@pytest.mark.parametrize(
    ("form", "profile"), [("#### {}", "gsm8k"), ("#### {}", "lenient"), ("A: {}", "lenient"), ("The answer is {}.", "lenient")]
)
def test_the_answer_of_every_solution_of_gsm8k_is_found(form: str, profile: Profile) -> None:
    lines = [line for name in ("train", "test") for line in (SOLUTIONS / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]
    solutions = [json.loads(line)["answer"].rpartition("#### ") for line in lines]
    found = [(final_answer(body + form.format(gold), "Answer:", "stop", profile), gold) for body, _, gold in solutions]
    assert len(found) == 8792
    assert [pair for pair in found if pair[0] != pair[1]] == []


LONG = [
    "The answer is ", "**", "#### ", "So ", "Thus, x = ", "\\[", "$$", "1. ", "= 1 ", "a\n", "A: ", "the final correct answer ",
    "answer to ", ". ", "Q: ", "<think>", "</think>", "\\boxed{", "(", "<<", "$", "if ", "Answer:", " ", "\n", "1", "=", "So a is ",
    "<answer>", '"answer": "', "So a b=5 1 and ", "So 1 a = 1, ", "'a", "1 111 ", "is ",
]  # fmt: skip


@pytest.mark.parametrize("profile", PROFILES)
def test_a_long_text_costs_no_more_than_its_length(profile: Profile) -> None:
    start = time.process_time()
    for piece in LONG:
        final_answer(piece * (1_000_000 // len(piece)), "Answer:", "stop", profile)
    assert time.process_time() - start < 20


def test_grade_pairs_takes_a_profile(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text(
        '{"id": 1, "gold": "18", "completion": "So 9 * 2 = 18.\\n#### 18"}\n{"id": 2, "gold": "5", "completion": "The answer is 5."}\n'
    )
    said = {}
    for name in PROFILES:
        grade_pairs.main(str(source), str(target), "--profile", name)
        said[name] = capsys.readouterr().out.strip()
    assert said == {"strict": "no_answer: 2", "gsm8k": "correct: 1, no_answer: 1", "lenient": "correct: 2"}
    with pytest.raises(InputError, match="--profile is loose; allowed: strict, gsm8k, lenient"):
        grade_pairs.main(str(source), str(target), "--profile", "loose")
