"""audit: what a study's corpora are made of, counted again from the sources: rows, duplicates, leaks, cut-off chains, extraction, arms.

metrics: problems.*; reading.* (the pages against the text of record); published.LEVEL.* (the corpora as published, where there are any);
levels.LEVEL.* (the teacher's texts); denominators.NAME (questions that published verdicts count); arms.ARM.* (ours).
"""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from distill.cli import command
from distill.cli.layout import Paths
from distill.core import study_file
from distill.core.files import read_json, read_records, write_json, write_text
from distill.corpus import audit_counts
from distill.extraction.corrections import Row, changes
from distill.records.assignment import Assignment
from distill.records.contamination_match import ContaminationMatch
from distill.records.extracted_item import ExtractedItem
from distill.records.problem import Problem
from distill.records.recorded_trace import RecordedTrace
from distill.report.audit_page import page

Share = Annotated[float, Meta(gt=0, le=1)]


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Section `audit` of a study file."""

    similar: list[Share]
    denominators: dict[str, audit_counts.Table] = {}  # published tables of verdicts; absent where there are none


def main(paths: Paths) -> None:
    """Write the counts and a page that shows them."""
    params, arms = study_file.section(paths.study_file, "audit", Params), study_file.section(paths.params, "arms", list[str])
    corrections = changes(study_file.section(paths.study_file, "corrections", list[Row]))
    problems, items = read_records(paths.problems, Problem), read_records(paths.extracted, ExtractedItem)
    traces, assignments = read_records(paths.recorded_traces, RecordedTrace), read_records(paths.split, Assignment)
    counts: dict[str, Any] = {
        "problems": audit_counts.of_problems(problems, items, assignments),
        "reading": audit_counts.of_items(items, params.similar),
        "published": audit_counts.of_published(problems, items, traces, assignments),
        "levels": read_json(paths.levels_metrics),
        "denominators": {name: audit_counts.denominator(paths.raw, table) for name, table in params.denominators.items()},
        "corrections": len(corrections),
        "arms": {arm: read_json(paths.corpora / arm / "counts.json") for arm in arms},
    }
    counts = {name: part for name, part in counts.items() if part != {}}
    write_json(paths.audit_metrics, counts)
    matches = read_records(paths.contamination, ContaminationMatch)
    write_text(paths.audit_page, page(paths.study, counts, items, assignments, corrections, matches))
    command.closing("audit", len(problems) + len(traces), len(counts))


if __name__ == "__main__":
    command.run(main)
