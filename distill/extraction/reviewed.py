"""What a review found, put into the problems of a study whose text of record is what was read: they change for every arm."""

from collections import Counter
from collections.abc import Mapping, Sequence

from msgspec import UNSET
from msgspec.structs import replace

from distill.extraction import key_agreement, read_item, text_similarity
from distill.extraction.corrections import Row
from distill.records.correction import Correction, correct
from distill.records.extracted_item import ExtractedItem
from distill.records.problem import OWN, Problem

Extracted = tuple[list[Problem], list[ExtractedItem], dict[str, int]]
DROPPED = "dropped_in_review"  # a count


def apply(extracted: Extracted, rows: Sequence[Row]) -> Extracted:
    """Return problems, items and counts after the rows of a review; ValueError where one does not fit.

    A changed item keeps its text and its key as read, for the next review; an accepted one loses its doubts; a dropped one is no problem.
    """
    rows = [row for row in rows if row.by is not UNSET]
    if not rows:
        return extracted
    before, items, counts = extracted
    known = {item.id: item for item in items}
    if strange := [name for row in rows for name in row.ids() if name not in known]:
        raise ValueError(f"corrections: {strange[0]} is no item of this study; see the ids in extracted.jsonl")
    marks = {name: row.mark for row in rows if row.mark is not UNSET for name in row.ids()}
    problems = {problem.id: problem for problem in before}
    for each in (row.correction() for row in rows if row.mark is UNSET):
        if known[each.item].flags and "untranscribed" in known[each.item].flags:
            raise ValueError(f"corrections: {each.item} is not in the transcription, which is the text of record")
        problems[each.item] = changed(problems.get(each.item) or unkeyed(known[each.item]), each)
    kept = {name: problem for name, problem in problems.items() if problem.gold and marks.get(name) != "dropped"}
    found = [_item(item, problems.get(item.id), marks.get(item.id, "")) for item in items]
    return sorted(kept.values(), key=lambda each: each.id), found, counts | _counts(before, kept, problems, counts)


def changed(problem: Problem, row: Correction) -> Problem:
    """Return a problem after one change."""
    if row.before or getattr(problem, row.field):
        return correct({problem.id: problem}, [row])[problem.id]
    return replace(problem, **{row.field: row.after})


def unkeyed(item: ExtractedItem) -> Problem:
    """Return the problem that an item without an answer becomes when somebody gives it one."""
    year, section, number = read_item.parts(item.id)
    return Problem(item.id, OWN, section, year, number, item.text, item.key, item.source, item.page, "person")


def _item(item: ExtractedItem, problem: Problem | None, mark: str) -> ExtractedItem:
    flags = [flag for flag in item.flags if mark != "accepted" or (flag == "key_missing" and not (problem and problem.gold))]
    if mark == "needs_figure" and mark not in flags:
        flags = [*flags, mark]
    if problem is None or (problem.statement == item.text and problem.gold == item.key):
        return replace(item, flags=flags)
    similarity = round(text_similarity.similarity(problem.statement, item.text), 4)
    agrees = key_agreement.agree(problem.gold, item.key)
    return replace(item, similarity=similarity, agrees=agrees, flags=[flag for flag in flags if flag != "key_missing" or not problem.gold])


def _counts(
    before: Sequence[Problem], kept: Mapping[str, Problem], all_: Mapping[str, Problem], counts: Mapping[str, int]
) -> dict[str, int]:
    """Return the counts that a review changes: an answer that was given is missing no more, and what was dropped has a reason."""
    given = len(kept.keys() - {problem.id for problem in before})
    readers = Counter(problem.reader for problem in kept.values())
    found = {name: readers[name.removeprefix("problems_")] for name in counts if name.startswith("problems_")}
    lost = sum(name not in kept for name in {problem.id for problem in before})
    found |= {"problems": len(kept), DROPPED: lost} if lost else {"problems": len(kept)}
    if given:
        reason = next((name for name in ("dropped_key_missing", "dropped_no_answer", "dropped_no_key_page") if counts.get(name)), "")
        found |= {reason: counts[reason] - given} if reason else {}
    return found
