"""review: each item as read against its transcription, flagged and ranked, and by what it was looked at.

Nothing changes a problem here: `corrections` of the study file do, where a person wrote them. metrics, none where nobody looked: items;
looked_at: by a person, by the transcriber alone, by none; corrections: by a person, by mark and changed field; transcription: flags.
"""

from collections import Counter
from typing import Any

from msgspec import UNSET

from distill.cli import command
from distill.cli.layout import Paths
from distill.core import files, study_file
from distill.extraction.corrections import Row
from distill.extraction.read_item import read_items
from distill.records.extracted_item import ExtractedItem
from distill.records.problem import Problem
from distill.review import audit
from distill.transcriber.transcription import Transcription


def main(paths: Paths) -> None:
    """Write the comparison, and who looked at how many items."""
    rows = [row for row in study_file.section(paths.study_file, "corrections", list[Row]) if row.by is not UNSET]
    transcribed = files.read_records(paths.transcriptions, Transcription)
    problems = files.read_records(paths.problems, Problem)
    items = read_items(files.read_records(paths.extracted, ExtractedItem), problems)
    checked: list[audit.Checked] = []
    found: dict[str, Any] = {}
    if transcribed:
        exact = {problem.id for problem in problems if problem.reader == "text"}
        checked, unplaced = audit.audit(items, exact, transcribed)
        found["transcription"] = audit.counted(checked) | {"answers_of_no_item": unplaced}
    if rows or transcribed:
        person = {name for row in rows for name in row.ids()} & {item.id for item in items}
        model = {each.id for each in checked if each.text} & {item.id for item in items} - person
        looked = {"person": len(person), "transcriber": len(model), "none": len(items) - len(person) - len(model)}
        kinds = Counter(str(row.field if row.mark is UNSET else row.mark) for row in rows for _ in row.ids())
        found = {"items": len(items), "looked_at": looked, "corrections": dict(sorted(kinds.items())), **found}
    files.write_records(paths.review, checked)
    files.write_json(paths.review_metrics, found)
    command.closing("review", len(items), len(checked))


if __name__ == "__main__":
    command.run(main)
