"""audit: what a study's corpora rest on, counted again from the sources: rows, duplicates, leaks, cut-off chains, extraction, arms.

metrics: problems.*; reading.* (the pages against the text of record); published.LEVEL.* (the corpora as published, where there are any);
levels.LEVEL.* (the teacher's texts); denominators.NAME (questions that published verdicts count); arms.ARM.* (ours).
"""

import csv
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from distill.cli import command
from distill.core import study_file
from distill.core.errors import InputError
from distill.core.files import read_json, read_records, write_json, write_text
from distill.records.assignment import Assignment
from distill.records.correction import Correction
from distill.records.extracted_item import ExtractedItem
from distill.records.problem import Problem
from distill.records.recorded_trace import RecordedTrace
from distill.report.audit_page import page

Row = dict[str, Any]


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a published table counts the questions that were judged: the sum of `column` over the rows whose cells are as in `rows`."""

    file: str
    column: str
    rows: dict[str, str]


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Section `audit` of a study file."""

    similar: list[float]
    denominators: dict[str, Table]


def main(
    study: str,
    params: str,
    raw: str,
    problems: str,
    reading: str,
    recordings: str,
    levels: str,
    split: str,
    corpus: str,
    metrics: str,
    out: str,
) -> None:
    """Write the counts and a page that shows them."""
    own, arms = study_file.section(study, "audit", Params), study_file.section(params, "arms", list[str])
    corrections = study_file.section(study, "corrections", list[Correction])
    asked = read_records(Path(problems), Problem)
    read, texts = read_records(Path(reading), ExtractedItem), read_records(Path(recordings), RecordedTrace)
    places = read_records(Path(split), Assignment)
    found: Row = {
        "problems": of_problems(asked, read, places),
        "reading": of_reading(read, own.similar),
        "published": of_published(asked, read, texts, places),
        "levels": read_json(Path(levels)),
        "denominators": {name: denominator(Path(raw), table) for name, table in own.denominators.items()},
        "corrections": len(corrections),
        "arms": {arm: read_json(Path(corpus) / arm / "counts.json") for arm in arms},
    }
    found = {name: part for name, part in found.items() if part != {}}
    write_json(Path(metrics), found)
    write_text(Path(out), page(Path(study).stem, found, read, places, corrections))
    command.closing("audit", len(asked) + len(texts), len(found))


def of_problems(problems: Sequence[Problem], reading: Sequence[ExtractedItem], places: Sequence[Assignment]) -> Row:
    """Count rows, distinct texts and duplicate clusters; a placeholder is a row without a text."""
    placeholders = {each.id for each in reading if "placeholder" in each.flags}
    real = [problem for problem in problems if problem.id not in placeholders]
    ids = {problem.id for problem in real}
    sizes = Counter(place.cluster for place in places if place.id in ids)
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
        "split": dict(sorted(Counter(place.split for place in places).items())),
        "asked": dict(sorted(Counter(place.split for place in places if place.evaluate).items())),
        "sections": dict(sorted(Counter(problem.section for problem in real).items())),
    }


def of_reading(reading: Sequence[ExtractedItem], similar: Sequence[float]) -> Row:
    """Count how much of the text of record the pages confirm; placeholders have no text to confirm."""
    items = [each for each in reading if "untranscribed" not in each.flags]
    real = [each for each in items if "placeholder" not in each.flags]
    keyed = [each for each in items if each.agrees is not None]
    return {
        "real": len(real),
        "found": sum(each.page > 0 for each in real),
        **{f"similarity_{least:g}": sum(each.similarity >= least for each in real) for least in similar},
        "keys_read": len(keyed),
        "keys_agree": sum(each.agrees is True for each in keyed),
        "flags": dict(sorted(Counter(flag for each in reading for flag in each.flags).items())),
    }


def of_published(
    problems: Sequence[Problem], reading: Sequence[ExtractedItem], recordings: Sequence[RecordedTrace], places: Sequence[Assignment]
) -> Row:
    """Count each published corpus's rows and leaks.

    asked_and_trained_on: real problems whose very text is a training question; near_and_trained_on: whose cluster has one.
    """
    text = {problem.id: problem.statement for problem in problems}
    home = {place.id: place.cluster for place in places}
    placeholders = {each.id for each in reading if "placeholder" in each.flags}
    corpora: dict[str, list[RecordedTrace]] = defaultdict(list)
    for each in recordings:
        corpora[each.level].append(each)
    found: Row = {}
    for level, rows in sorted(corpora.items()):
        train = {row.id for row in rows if row.part == "train"}
        texts, clusters = {text[name] for name in train}, {home[name] for name in train}
        sides: dict[str, set[str]] = defaultdict(set)
        for row in rows:
            sides[home[row.id]].add(row.part)
        found[level] = {
            **{part: sum(row.part == part for row in rows) for part in ("train", "valid", "test")},
            "rows": len(rows),
            "distinct_questions": len({text[row.id] for row in rows}),
            "placeholders": sum(row.id in placeholders for row in rows),
            "asked_and_trained_on": sum(text[name] in texts for name in text if name not in placeholders),
            "near_and_trained_on": sum(home[name] in clusters for name in text if name not in placeholders),
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
        raise InputError(f"{path}: no such file; look at audit.denominators of the study file, or run `dvc repro fetch`") from None
    except KeyError as key:
        raise InputError(f"{path}: no column {key}; look at audit.denominators of the study file") from None
    if not cells:
        raise InputError(f"{path}: no row has {table.rows}; look at audit.denominators of the study file")
    if strange := [cell for cell in cells if not cell.isascii() or not cell.isdigit()]:
        raise InputError(f"{path}: '{strange[0]}' in column {table.column} is no count; look at audit.denominators of the study file")
    return sum(map(int, cells))


if __name__ == "__main__":
    command.run(main)
