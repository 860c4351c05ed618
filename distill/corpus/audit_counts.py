"""What a study's corpora are made of, counted from the sources: rows, duplicates, leaks, extraction, published tables."""

import csv
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from distill.core.errors import InputError
from distill.records.assignment import Assignment
from distill.records.extracted_item import ExtractedItem
from distill.records.problem import Problem
from distill.records.recorded_trace import RecordedTrace

Row = dict[str, Any]


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a published table counts the questions that were judged: the sum of `column` over the rows whose cells are as in `rows`."""

    file: str
    column: str
    rows: dict[str, str]


def of_problems(problems: Sequence[Problem], items: Sequence[ExtractedItem], assignments: Sequence[Assignment]) -> Row:
    """Count rows, distinct texts and duplicate clusters; a placeholder is a row without a text."""
    placeholders = {each.id for each in items if "placeholder" in each.flags}
    real = [problem for problem in problems if problem.id not in placeholders]
    ids = {problem.id for problem in real}
    sizes = Counter(each.cluster for each in assignments if each.id in ids)
    several = [size for size in sizes.values() if size > 1]
    return {
        "rows": len(problems),
        "placeholders": len(problems) - len(real),
        "real": len(real),
        "distinct_texts": len({problem.statement for problem in problems}),
        "distinct_texts_real": len({problem.statement for problem in real}),
        "clusters": len(sizes),
        "clusters_of_several": len(several),
        "problems_in_clusters_of_several": sum(several),
        "largest_cluster": max(sizes.values(), default=0),
        "split": dict(sorted(Counter(each.split for each in assignments).items())),
        "asked": dict(sorted(Counter(each.split for each in assignments if each.evaluate).items())),
        "sections": dict(sorted(Counter(problem.section for problem in real).items())),
    }


def of_items(items: Sequence[ExtractedItem], similar: Sequence[float]) -> Row:
    """Count how much of the text of record the pages confirm; placeholders have no text to confirm."""
    transcribed = [each for each in items if "untranscribed" not in each.flags]
    real = [each for each in transcribed if "placeholder" not in each.flags]
    keyed = [each for each in transcribed if each.agrees is not None]
    return {
        "real": len(real),
        "found": sum(each.page > 0 for each in real),
        **{f"similarity_{least:g}": sum(each.similarity >= least for each in real) for least in similar},
        "keys_read": len(keyed),
        "keys_agree": sum(each.agrees is True for each in keyed),
        "flags": dict(sorted(Counter(flag for each in items for flag in each.flags).items())),
    }


def of_published(
    problems: Sequence[Problem], items: Sequence[ExtractedItem], traces: Sequence[RecordedTrace], assignments: Sequence[Assignment]
) -> Row:
    """Count each published corpus's rows and leaks.

    asked_and_trained_on: real problems whose very text is a training question; near_and_trained_on: whose cluster has one.
    """
    text = {problem.id: problem.statement for problem in problems}
    cluster_of = {each.id: each.cluster for each in assignments}
    placeholders = {each.id for each in items if "placeholder" in each.flags}
    corpora: dict[str, list[RecordedTrace]] = defaultdict(list)
    for each in traces:
        corpora[each.level].append(each)
    found: Row = {}
    for level, rows in sorted(corpora.items()):
        train = {row.id for row in rows if row.part == "train"}
        texts, clusters = {text[name] for name in train}, {cluster_of[name] for name in train}
        sides: dict[str, set[str]] = defaultdict(set)
        for row in rows:
            sides[cluster_of[row.id]].add(row.part)
        found[level] = {
            **{part: sum(row.part == part for row in rows) for part in ("train", "valid", "test")},
            "rows": len(rows),
            "distinct_questions": len({text[row.id] for row in rows}),
            "placeholders": sum(row.id in placeholders for row in rows),
            "asked_and_trained_on": sum(text[name] in texts for name in text if name not in placeholders),
            "near_and_trained_on": sum(cluster_of[name] in clusters for name in text if name not in placeholders),
            "unseen_rows_trained_on": sum(text[row.id] in texts for row in rows if row.part != "train"),
            "clusters_on_two_sides": sum(len(parts) > 1 for parts in sides.values()),
            "words": sum(len(row.text.split()) for row in rows) / len(rows),
        }
    return found


def denominator(raw: Path, table: Table) -> int:
    """Return the number of questions that a published table counts."""
    path = raw / table.file
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            cells = [row[table.column] for row in csv.DictReader(stream) if all(row[key] == value for key, value in table.rows.items())]
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; check audit.denominators of the study file, or run `dvc repro fetch`") from None
    except KeyError as key:
        raise InputError(f"{path}: no column {key}; check audit.denominators of the study file") from None
    if not cells:
        raise InputError(f"{path}: no row has {table.rows}; check audit.denominators of the study file")
    if strange := [cell for cell in cells if not cell.isascii() or not cell.isdigit()]:
        raise InputError(f"{path}: '{strange[0]}' in column {table.column} is no count; check audit.denominators of the study file")
    return sum(map(int, cells))
