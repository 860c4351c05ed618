"""A repository in the layout of the paper's authors, of invented problems: printed exams with keys, a transcription, recorded chains."""

import csv
import hashlib
import io
import json
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from reportlab.lib.pagesizes import letter
from reportlab.pdfgen.canvas import Canvas

YEAR = 2015
PLACEHOLDER = "content not visible"
SYSTEM = {"r1": "Think it through, then state the answer.", "r2": "Solve it step by step."}
LEVELS = [f"reasoning_{number}" for number in range(1, 6)]


class Test(NamedTuple):
    """One printed test."""

    file: str
    title: str
    section: str  # as the transcription names it
    keys: list[str]  # question_K


TESTS = [
    Test("2015 FR-SO Exam.pdf", "Freshman-Sophomore Test", "freshman_sophomore_test", [str(number) for number in range(1, 15)]),
    Test("2015 JR-SR Exam.pdf", "Junior-Senior Test", "junior_senior_test", [str(number) for number in range(1, 15)]),
    Test("2015 2-Person Exam.pdf", "Two-Person Speed Event", "two_person_speed_event", [*"12345678", "T1", "T2"]),
]


class Row(NamedTuple):
    """One transcribed problem."""

    test: Test
    key: str
    question: str
    answer: str

    def chain(self, steps: int) -> str:
        """Return work of some steps that ends in the answer line."""
        return "\n".join([*(f"Step {n}: one more number is counted in." for n in range(1, steps + 1)), f"Answer: {self.answer}"])


def rows() -> list[Row]:
    """Return the problems in the transcription's order; the last of the junior-senior test is a placeholder."""
    found = []
    for index, test in enumerate(TESTS):
        for number, key in enumerate(test.keys):
            a, b = 11 + 3 * number + index, 20 + 7 * number + 2 * index
            question = (
                f"Find the sum of {a} and {b}." if number % 2 else f"A box holds {a} red and {b} blue beads. How many beads are in it?"
            )
            found.append(Row(test, key, question, str(a + b)))
    place = max(place for place, row in enumerate(found) if row.test is TESTS[1])
    found[place] = found[place]._replace(question=PLACEHOLDER, answer="")
    return found


def write(folder: Path) -> list[dict[str, Any]]:
    """Write the repository; return what a study pins of each file."""
    made = rows()
    files = {f"Raw PDF Files/{test.file}": printed(test, [row for row in made if row.test is test]) for test in TESTS}
    transcribed: dict[str, dict[str, dict[str, str]]] = {}
    for row in made:
        transcribed.setdefault(row.test.section, {})[f"question_{row.key}"] = {"question": row.question, "answer": row.answer}
    files[f"datafile/{YEAR}.json"] = json.dumps(transcribed).encode()
    files["reasoning_chain.csv"] = table(
        ["year", "section", "question_id", "question", "true_answer", *LEVELS],
        [[YEAR, row.test.section, f"question_{row.key}", row.question, row.answer, *(row.chain(5 - n) for n in range(5))] for row in made],
    )
    real = [row for row in made if row.question != PLACEHOLDER]
    files |= corpus("data", SYSTEM["r1"], [(row.question, row.chain(6)) for row in real], 42)
    for number, level in enumerate(LEVELS):
        files |= corpus(f"runs/{level}/data", SYSTEM["r2"], [(row.question, row.chain(5 - number)) for row in made], 7)
    verdicts = [["CORRECT", 30, 75], ["INCORRECT", 7, 25]]
    files["verdict_overall_no_skipped.csv"] = table(["deepseek_verdict", "Count", "Percentage (%)"], verdicts)
    summary = table(["level", "breakdown", "group", "correct", "total"], [[level, "overall", "all", 20, 37] for level in LEVELS])
    files |= dict.fromkeys(["runs/accuracy_summary.csv", "runs/accuracy_summary_filtered.csv"], summary)
    files["math500_output.csv"] = table(
        ["problem", "solution", "answer", "subject", "level", "unique_id"],
        [[f"Compute ${n}+{n}.$", "so", str(2 * n), "Algebra", 1, f"test/algebra/{n}.json"] for n in range(1, 5)],
    )
    for name, body in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(body)
    return [{"path": name, "size": len(body), "sha256": hashlib.sha256(body).hexdigest()} for name, body in sorted(files.items())]


def table(head: list[str], lines: list[list[Any]]) -> bytes:
    """Return a CSV file."""
    text = io.StringIO(newline="")
    csv.writer(text).writerows([head, *lines])
    return text.getvalue().encode()


def corpus(folder: str, system: str, pairs: list[tuple[str, str]], seed: int) -> dict[str, bytes]:
    """Return a corpus as chat records: shuffled, then cut into train, valid and test."""
    Random(seed).shuffle(pairs)
    cuts = {"train": pairs[:-10], "valid": pairs[-10:-5], "test": pairs[-5:]}
    return {f"{folder}/{part}.jsonl": "".join(map(_record, [(system, *pair) for pair in chosen])).encode() for part, chosen in cuts.items()}


def _record(turns: Sequence[str]) -> str:
    messages = [{"role": role, "content": text} for role, text in zip(("system", "user", "assistant"), turns, strict=True)]
    return json.dumps({"messages": messages}) + "\n"


def printed(test: Test, made: list[Row]) -> bytes:
    """Return a test of one page and its key, with a text layer."""
    stream = io.BytesIO()
    canvas = Canvas(stream, pagesize=letter, invariant=True)
    height = letter[1]
    canvas.setFont("Helvetica", 12)
    canvas.drawString(180, height - 60, f"{YEAR} John O'Bryan Mathematics Competition")
    canvas.drawString(220, height - 90, test.title)
    for place, row in enumerate(made):
        canvas.drawString(72, height - 180 - 36 * place, f"{_label(row.key)} {row.question}")
    canvas.showPage()
    canvas.setFont("Helvetica", 12)
    canvas.drawString(72, height - 50, "Name: KEY")
    canvas.drawString(220, height - 90, test.title)
    for place, row in enumerate(made):
        canvas.drawString(72, height - 180 - 36 * place, _label(row.key))
        canvas.drawString(130, height - 180 - 36 * place, row.answer)
    canvas.showPage()
    canvas.save()
    return stream.getvalue()


def _label(key: str) -> str:
    return f"{key}."
