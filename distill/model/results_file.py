"""A published table of results: one row a question, with what the model answered and what a judge said of it."""

import csv
import io
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec import UNSET, Meta

from distill.core.errors import InputError
from distill.model.recorded_student import RecordedAnswer, squeeze, unanimous

ANSWER_LINE = "Answer:"
csv.field_size_limit(1 << 24)  # characters of a cell: a teacher's chain is longer than the module's own limit


class Columns(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which column holds what; "" where there is none."""

    year: str
    section: str
    number: str  # tells questions of one text apart
    statement: Annotated[str, Meta(min_length=1)]
    text: Annotated[str, Meta(min_length=1)]
    answer: str  # stated apart from the text, which is a chain of thought: it is added in a box; where it is blank, there is no answer
    verdict: Annotated[str, Meta(min_length=1)]


class Reading(NamedTuple):
    """How a results file is read."""

    benchmark: str
    columns: Columns
    cut_from: int
    sections: Mapping[str, str]  # as the file names them -> as the problems do
    verdicts: Mapping[str, str]  # the judge's words in lower case


def read(path: Path, how: Reading) -> tuple[list[RecordedAnswer], dict[str, Any]]:
    """Return one answer a question, in the file's order, and counts; doubles are dropped as `unanimous` says.

    Another table is an InputError, whose text leaves it to the caller to name the file.
    """
    rows = _rows(path.read_bytes(), [column for column in msgspec.structs.astuple(how.columns) if column])
    answers = [_answer(row, how) for row in rows]
    asked = [each for each in answers if each.text.strip() or each.published_verdict is not UNSET]
    by_question: dict[tuple[str, ...], list[RecordedAnswer]] = {}
    for each in asked:
        by_question.setdefault((each.year, each.section, each.number, squeeze(each.statement)), []).append(each)
    found, dropped = unanimous(by_question.values())
    dropped["neither an answer nor a verdict"] = len(answers) - len(asked)
    taken = [each for each in found if each]
    counts = {
        "benchmark": how.benchmark,
        "rows": len(rows),
        "answers": len(taken),
        "dropped": {reason: count for reason, count in sorted(dropped.items()) if count},
        "blank": sum(not each.text.strip() for each in taken),
        "verdicts": dict(sorted(Counter(row[how.columns.verdict].strip()[:60] for row in rows).items())),
        "verdicts_not_read": sum(each.published_verdict is UNSET for each in taken),
    }
    return taken, counts


def _rows(data: bytes, columns: list[str]) -> list[dict[str, str]]:
    """Return a CSV file's rows; an InputError where it is no UTF-8, is not rectangular or lacks a column."""
    try:
        text = data.decode("utf-8-sig")
        reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
        head = reader.fieldnames or []
        if missing := [column for column in columns if column not in head]:
            raise InputError(f"no column '{missing[0]}'; columns here: {', '.join(head)}; fix section 'student' of the study file")
        rows = []
        for number, row in enumerate(reader, 1):
            if None in row or None in row.values():
                raise InputError(f"row {number}: its cells are more or fewer than the {len(head)} columns; take the pinned file")
            rows.append(row)
    except UnicodeDecodeError as error:
        raise InputError(f"byte {error.start} is no UTF-8; take the pinned file, or save it as UTF-8 and pin that") from None
    except csv.Error as error:
        raise InputError(f"not a CSV file: {error}; take the pinned file") from None
    if not rows:
        raise InputError("no row; take the pinned file")
    return rows


def _answer(row: dict[str, str], how: Reading) -> RecordedAnswer:
    cells = {part: row[column] if column else "" for part, column in msgspec.structs.asdict(how.columns).items()}
    text, stated = cells["text"], cells["answer"].strip()
    if how.columns.answer:  # a box in the chain is no answer
        text = f"{text.rstrip()}\n\n{ANSWER_LINE} \\boxed{{{stated}}}" if stated else ""
    return RecordedAnswer(
        benchmark=how.benchmark, year=cells["year"].strip(), section=how.sections.get(cells["section"].strip(), cells["section"].strip()),
        number=cells["number"].strip(), statement=cells["statement"], text=text,
        cut_from=0 if how.columns.answer and not stated else how.cut_from, published_verdict=_verdict(cells["verdict"], how.verdicts),
    )  # fmt: skip


def _verdict(cell: str, verdicts: Mapping[str, str]) -> Any:
    """Return the study's word for a judge's: what stands before a colon is compared, whatever its case; UNSET for another spelling.

    >>> _verdict("JUDGE_ERROR: Connection error.", {"judge_error": "error"}), _verdict("SKIPPED", {"judge_error": "error"})
    ('error', UNSET)
    """
    return verdicts.get(cell.partition(":")[0].strip().rstrip(".").lower(), UNSET)
