"""Results files in the layout of the paper's authors: invented answers to the problems of `upstream_fixture`, faults among them."""

import hashlib
from pathlib import Path
from typing import Any

from tests import upstream_fixture

TEACHER = ["agent1_answer", "agent1_reasoning", "agent2_verdict", "agent2_justification", "correct_flag"]
STUDENT = ["qwen_response", "qwen_extracted_answer", "deepseek_verdict"]
COMPETITION = ["year", "section", "question_id", "question", "true_answer", *TEACHER, *STUDENT]
MATH = ["unique_id", "subject", "level", "problem", "solution", "true_answer", *TEACHER, *STUDENT]
SHARE = {
    "published-r1": 9,
    "published-r1-1000": 8,
    "published-r2": 7,
    "published-r3": 6,
    "published-r4": 5,
    "published-r5": 4,
    "published-r6": 3,
}
CUT = "We add the red beads to the blue beads and write \\( 11 + " + "1 + " * 300


def write(mirror: Path, repository: str, arms: dict[str, list[dict[str, Any]]]) -> None:
    """Write the files that the arms of a section `student` name under MIRROR/REPOSITORY/COMMIT, and pin each by its blob id."""
    made: dict[Path, bytes] = {}
    for arm, files in arms.items():
        for file in files:
            path = mirror / repository / file["commit"] / file["path"]
            if path not in made:
                made[path] = math(arm) if file["benchmark"] == "math500" else competition(arm)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(made[path])
            file.pop("size", None)
            file["blob"] = blob(made[path])


def blob(body: bytes) -> str:
    """Return the id that git gives a file of this content."""
    return hashlib.sha1(b"blob %d\0" % len(body) + body).hexdigest()


def competition(arm: str) -> bytes:
    """Return an arm's table: SHARE of ten answers are right; of R2 some rows are faulty.

    Of R2, row 1 is blank, row 2 cut off, row 3 an error of the judge, row 4 there twice, row 5 twice with answers that differ, and two more
    rows are no problems of the study.
    """
    lines = []
    for place, row in enumerate(upstream_fixture.rows()):
        if row.question == upstream_fixture.PLACEHOLDER:
            continue
        right = place % 10 < SHARE.get(arm, 10)
        lines.append(
            [2015, row.test.section, f"question_{row.key}", row.question, row.answer, *_teacher(row.answer), *_student(row.answer, right)]
        )
    if arm == "published-r2":
        lines[0][-3:] = ["", "", "INCORRECT"]
        lines[1][-3:] = [CUT, "", "Incorrect."]
        lines[2][-1] = "JUDGE_ERROR: Connection error."
        lines[3][3] = f" {lines[3][3].replace(' ', '  ')}\n"
        twice, differ, strange = [*lines[3]], [*lines[4]], [*lines[5]]
        differ[-3] = "It is \\boxed{7}."
        strange[3] = "How many beads are in no box?"
        placeholder = [2015, "junior_senior_test", "question_14", upstream_fixture.PLACEHOLDER, "", *_teacher(""), "", "", "SKIPPED"]
        lines += [twice, differ, strange, placeholder]
    return upstream_fixture.table(COMPETITION, lines)


def math(_: str) -> bytes:
    """Return the table of MATH-500: four rows, of which the judge fails one that is right; the teacher's last answer is blank."""
    lines = []
    for n in range(1, 5):
        gold = str(2 * n)
        student = _student(gold, n != 2)
        if n == 3:
            student[-1] = "INCORRECT"
        lines.append(
            [f"test/algebra/{n}.json", "Algebra", 1, f"Compute ${n}+{n}.$", "so", gold, *_teacher(gold if n < 4 else ""), *student]
        )
    return upstream_fixture.table(MATH, lines)


def _teacher(answer: str) -> list[Any]:
    return [answer, "We are asked to add them." if answer else "We are asked to add them, and so", "CORRECT", "The same.", 1]


def _student(answer: str, right: bool) -> list[Any]:
    said = answer if right else f"{answer}0"
    return [f"Adding them gives {said}.\n\n\\[\n\\boxed{{{said}}}\n\\]", said, "CORRECT" if right else "INCORRECT"]
