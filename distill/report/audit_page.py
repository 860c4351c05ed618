"""The audit's page: what a study's corpora rest on, for a reviewer to read. It shows ids, pages and tokens, and no problem's text."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tabulate import tabulate

from distill.core.markdown import escape
from distill.records.assignment import Assignment
from distill.records.contamination_match import ContaminationMatch
from distill.records.correction import Correction
from distill.records.extracted_item import ExtractedItem

Row = Mapping[str, Any]
PAIRS = 60  # of a problem and a benchmark's that are shown

PROBLEMS = {
    "rows": "rows of problems",
    "placeholders": "of these without a text (placeholders)",
    "real": "real problems",
    "distinct_texts": "distinct texts of all rows",
    "distinct_texts_real": "distinct texts of the real problems",
    "clusters": "clusters of near-duplicates (a problem alone is one)",
    "clusters_of_several": "of these with more than one problem",
    "problems_in_clusters_of_several": "problems in those",
    "largest_cluster": "problems in the largest",
}
PUBLISHED = {
    "rows": "rows", "train": "train", "valid": "valid", "test": "test", "distinct_questions": "distinct questions",
    "placeholders": "placeholders", "asked_and_trained_on": "real problems trained on", "near_and_trained_on": "or near one",
    "unseen_rows_trained_on": "valid or test rows trained on", "clusters_on_two_sides": "clusters on two sides", "words": "words a text",
}  # fmt: skip


def page(
    study: str,
    found: Row,
    items: Sequence[ExtractedItem],
    assignments: Sequence[Assignment],
    corrections: Sequence[Correction],
    matches: Sequence[ContaminationMatch],
) -> str:
    """Return the page in Markdown."""
    parts = [f"# Audit of study `{escape(study)}`", "Written by `dvc repro audit`; every figure is counted from the study's own files."]
    parts += ["## Problems", _grid(["figure", "count"], [[label, found["problems"][key]] for key, label in PROBLEMS.items()])]
    parts += [_splits(found["problems"]), *_clusters(assignments)]
    parts += ["## Pages against the text of record", *_reading(found["reading"])]
    parts += _suspects(items, corrections)
    if "published" in found:
        head = ["level", *PUBLISHED.values()]
        rows = [[level, *(_figure(row[key]) for key in PUBLISHED)] for level, row in found["published"].items()]
        parts += ["## Corpora as published", _grid(head, rows)]
        parts += ["Where real problems that are trained on are also asked, an accuracy over all of them measures memory too."]
    parts += ["## The teacher's texts", *_levels(found["levels"])]
    if "denominators" in found:
        rows = [[name, count] for name, count in found["denominators"].items()]
        parts += ["## Questions that the published verdicts count", _grid(["verdicts", "questions"], rows)]
    parts += _contamination(matches)
    parts += ["## Corpora of this run", *_arms(found["arms"])]
    return "\n\n".join(parts) + "\n"


def _splits(problems: Row) -> str:
    names = sorted(problems["split"])
    rows = [[name, problems["split"][name], problems["asked"].get(name, 0)] for name in names]
    return "The study's own split, by cluster:\n\n" + _grid(["split", "problems", "asked of every student"], rows)


def _clusters(assignments: Sequence[Assignment]) -> list[str]:
    members: dict[str, list[str]] = defaultdict(list)
    for each in assignments:
        members[each.cluster].append(each.id)
    split = {each.id: each.split for each in assignments}
    rows = [[split[cluster], " ".join(ids)] for cluster, ids in sorted(members.items()) if len(ids) > 1]
    return ["### Near-duplicates", "Each is on one side of the split:", _grid(["split", "problems"], rows)] if rows else []


def _reading(reading: Row) -> list[str]:
    labels = {
        "real": "real problems",
        "found": "found on a page",
        "keys_read": "answers found in a key",
        "keys_agree": "of these equal to the gold answer",
    }
    labels |= {key: f"read with similarity >= {key.partition('_')[2]}" for key in reading if key.startswith("similarity_")}
    rows = [[label, reading[key]] for key, label in labels.items()]
    flags = [[flag, count] for flag, count in reading["flags"].items()]
    return [_grid(["figure", "count"], rows), *(["Flags:", _grid(["flag", "items"], flags)] if flags else [])]


def _suspects(items: Sequence[ExtractedItem], corrections: Sequence[Correction]) -> list[str]:
    """Return tables of the suspect texts by rank, of the suspect answers, of the corrections, and of what is on one side only."""
    corrected = {(each.item, each.field) for each in corrections}
    texts = sorted((each for each in items if each.rank), key=lambda each: each.rank)
    answers = [each for each in items if "suspect_answer" in each.flags]
    lone = [(each, flag) for each in items for flag in ("unprinted", "untranscribed") if flag in each.flags]
    parts = []
    if texts:
        rows = [
            [each.rank, *_where(each), f"{each.similarity:.2f}", _tokens(each.differs), _yes((each.id, "statement") in corrected)]
            for each in texts
        ]
        head = ["rank", "problem", "file", "page", "similarity", "differs (- record, + page)", "corrected"]
        parts += ["### Suspect texts", _grid(head, rows)]
    if answers:
        rows = [[*_where(each), each.key, _yes((each.id, "gold") in corrected)] for each in answers]
        parts += ["### Suspect answers", _grid(["problem", "file", "page", "key as read", "corrected"], rows)]
    if corrections:
        rows = [[each.item, each.field, each.before, each.after, each.page, each.reason] for each in corrections]
        parts += ["### Corrections", _grid(["problem", "field", "from", "to", "page", "reason"], rows)]
    if lone:
        parts += [
            "### On the page only, or in the record only",
            _grid(["problem", "file", "page", "flag"], [[*_where(e), flag] for e, flag in lone]),
        ]
    return parts


def _levels(levels: Row) -> list[str]:
    keys = list(dict.fromkeys(key for row in levels.values() for key in row))
    rows = [[level, *(_figure(row.get(key, "")) for key in keys)] for level, row in levels.items()]
    grid = _grid(["level", *(key.replace("_", " ") for key in keys)], rows)
    if "truncated" not in keys:
        return [grid]
    return [
        grid,
        "Our verdict on each recorded text, by its own conclusion: it states the gold answer; it is incorrect (another final answer),"
        " truncated (it stops before it concludes) or undecided (no final answer that we could read). A text that breaks off may have"
        " stated its answer before; one that never mentions it holds the gold answer nowhere, in no notation that we know.",
    ]


def _arms(arms: Row) -> list[str]:
    rows = [[arm, row["train"], row["valid"], row["test"], _counts(row["dropped"]), _counts(row["flaws"])] for arm, row in arms.items()]
    return [_grid(["arm", "train", "valid", "test", "dropped", "flaws kept"], rows)]


def _contamination(matches: Sequence[ContaminationMatch]) -> list[str]:
    """Return a table of the pairs that were found, the most alike first; a study without one has no such section."""
    pairs: dict[tuple[str, str, str], list[ContaminationMatch]] = defaultdict(list)
    for each in matches:
        pairs[each.benchmark, each.item, each.id].append(each)
    if not pairs:
        return []
    shown = sorted(pairs.items(), key=lambda pair: (-max(each.score for each in pair[1]), pair[0]))[:PAIRS]
    rows = [
        [item, name, ", ".join(f"{each.rule} {each.score:.2f}" for each in found), _yes(any(each.drop for each in found))]
        for (_, item, name), found in shown
    ]
    said = f"{len(pairs)} pairs of a problem of the study and one of a benchmark match by a rule" + (
        f"; the {PAIRS} most alike:" if len(pairs) > PAIRS else ":"
    )
    return ["## Problems of the benchmarks", said, _grid(["benchmark's", "study's", "rules and scores", "left out of clean arms"], rows)]


def _tokens(tokens: Sequence[str]) -> str:
    """Write the first dozen: where more differ, the page was read badly or shows another problem."""
    return " ".join(tokens[:12]) + (f" and {len(tokens) - 12} more" if len(tokens) > 12 else "")


def _where(each: ExtractedItem) -> list[Any]:
    return [each.id, each.source, each.page]


def _yes(true: bool) -> str:
    return "yes" if true else ""


def _counts(counts: Mapping[str, int]) -> str:
    return "; ".join(f"{what}: {count}" for what, count in counts.items())


def _figure(value: object) -> object:
    return f"{value:.1f}" if isinstance(value, float) else value


def _grid(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    cells = [["" if cell is None else escape(str(cell)).replace("|", "\\|") for cell in row] for row in [head, *rows]]
    return tabulate(cells[1:], cells[0], tablefmt="pipe", disable_numparse=True)
