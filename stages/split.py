"""split: which problems a study trains on, which it holds out, and which it asks of every student."""

import sys
from collections import Counter

from distill.cli import command
from distill.cli.layout import Paths
from distill.core import study_file
from distill.core.errors import InputError
from distill.core.files import read_records, write_records
from distill.corpus.splits import Params, assign
from distill.records.extracted_item import ExtractedItem
from distill.records.problem import Problem


def main(paths: Paths) -> None:
    """Assign every problem; one without statement or gold, or with a flag of `exclude`, is neither trained on nor asked."""
    params = study_file.section(paths.study_file, "split", Params)
    problems = read_records(paths.problems, Problem)
    excluded = {each.id for each in read_records(paths.extracted, ExtractedItem) if not set(params.exclude).isdisjoint(each.flags)}
    try:
        assignments = assign(problems, params, excluded)
    except ValueError as error:
        raise InputError(f"{paths.study_file}: section 'split': {error}") from None
    wrote = write_records(paths.split, assignments)
    sizes = Counter(assignment.split for assignment in assignments)
    asked = Counter(assignment.split for assignment in assignments if assignment.evaluate)
    found = [f"{side} {sizes[side]} ({asked[side]} asked)" for side in ("train", "valid", "heldout")]
    print(f"split: {', '.join(found)}", file=sys.stderr)
    command.closing("split", len(problems), wrote)


if __name__ == "__main__":
    command.run(main)
