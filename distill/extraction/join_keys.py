"""Tests whose printed text is the text of record: problems joined with the answers of their key."""

from collections import Counter
from pathlib import Path
from typing import NamedTuple

from distill.core.errors import InputError
from distill.extraction.segment import Booklet
from distill.records.extracted_item import ExtractedItem
from distill.records.problem import CODES, OWN, Problem

REASONS = ("answer_repeated", "no_answer", "no_key_page", "no_problem", "no_statement")


class Test(NamedTuple):
    """One file's test."""

    year: int
    section: str
    booklet: Booklet


def join(tests: dict[Path, Test]) -> tuple[list[Problem], list[ExtractedItem], dict[str, int]]:
    """Join the problems of each file with its key's answers; return both records by id, and counts of what was kept and dropped."""
    problems: list[Problem] = []
    items: list[ExtractedItem] = []
    dropped: Counter[str] = Counter(dict.fromkeys(REASONS, 0))
    for path, (year, section, test) in tests.items():
        if not test.problems:
            raise InputError(f"{path}: no numbered problem found; check the file, or remove it from the sources")
        dropped.update(test.dropped)
        dropped["no_problem"] += len(test.answers.keys() - {problem.number for problem in test.problems})
        for problem in test.problems:
            gold = test.answers.get(problem.number, "")
            if not gold:
                dropped["no_answer" if test.key_pages else "no_key_page"] += 1
                continue
            name = f"{year}-{CODES[section]}-{problem.number.zfill(2)}"
            problems.append(Problem(name, OWN, section, year, problem.number, problem.text, gold, path.name, problem.page, problem.reader))
            items.append(ExtractedItem(name, path.name, problem.page, problem.region, problem.text, gold, 1.0, [], True, name, 0, []))
    readers = Counter(problem.reader for problem in problems)
    counts = {f"dropped_{reason}": count for reason, count in dropped.items()}
    counts |= {"problems": len(problems), "problems_ocr": readers["ocr"], "problems_text": readers["text"]}
    return sorted(problems, key=lambda each: each.id), sorted(items, key=lambda each: each.id), counts
