"""A published judge against the grader, on recorded answers: agreement under each extraction profile, errors in both directions, and what
the choice of the denominator moves. Its word never replaces a verdict of ours.

An answer is correct or not: none, truncated, ungradable and wrong ones are not. Where the judge failed (error) it gave no verdict.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta

from distill.core.errors import InputError
from distill.judging.judge_metrics import kappa
from distill.records.verdict import Verdict
from distill.stats.intervals import wilson

WORDS = ("correct", "incorrect", "error")
OUTCOMES = ("correct", "wrong", "no_answer", "truncated", "ungradable")
Cells = dict[tuple[str, str], list[Verdict]]  # by arm and benchmark


class PublishedJudge(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="recorded"):
    """Section `llm_judge` where the answers are recorded with somebody's verdicts."""

    confidence: Annotated[float, Meta(gt=0, lt=1)]  # of every interval
    solved_by: str  # an arm: the published accuracy of `filtered` arms counts only the problems on which its published verdict is correct
    filtered: list[str]
    text_end: Annotated[int, Meta(ge=1, le=10_000)]  # characters of an answer's end, and of a statement, shown with a disagreement


def outcome(verdict: Verdict, profile: str) -> str:
    """Return the outcome under a profile; the study's first one is not among the further ones."""
    return verdict.outcome if verdict.profiles is UNSET else verdict.profiles.get(profile, verdict.outcome)


def by_cell(verdicts: Iterable[Verdict]) -> Cells:
    """Group the verdicts that have a published one beside them."""
    cells: Cells = {}
    for verdict in verdicts:
        if verdict.published is not UNSET:
            if verdict.published not in WORDS:
                raise InputError(f"{verdict.arm}: {verdict.id}: published verdict {verdict.published!r}; allowed: {', '.join(WORDS)}")
            cells.setdefault((verdict.arm, verdict.benchmark), []).append(verdict)
    return dict(sorted(cells.items()))


def figures(verdicts: Sequence[Verdict], profiles: Sequence[str], params: PublishedJudge) -> dict[str, Any]:
    """Return what the metric says.

    unjudged.ARM: answers without a published verdict. arms.ARM.BENCHMARK: published.WORD: counts; agreement.PROFILE: the table of our
    outcomes (rows) against the judge's words (columns), `decided`: answers on which it gave a verdict, and of these `share` of agreement,
    `kappa`, `passed_wrong` (of the answers that are not correct, those it passed) and `failed_right`; accuracy.DENOMINATOR.{published,
    PROFILE}: see `denominators`.
    """
    cells = by_cell(verdicts)
    solved = {(v.benchmark, v.id) for v in verdicts if v.arm == params.solved_by and v.published == "correct"}
    arms: dict[str, dict[str, Any]] = {}
    for (arm, benchmark), rows in cells.items():
        words = Counter(str(row.published) for row in rows)
        parts = denominators(rows, solved if arm in params.filtered else None)
        arms.setdefault(arm, {})[benchmark] = {
            "published": {word: words[word] for word in WORDS},
            "agreement": {profile: agreement(rows, profile, params.confidence) for profile in profiles},
            "accuracy": {name: accuracies(part, profiles, params.confidence) for name, part in parts.items() if part},
        }
    unjudged = Counter(verdict.arm for verdict in verdicts if verdict.published is UNSET)
    return {"unjudged": dict(sorted(unjudged.items())), "arms": arms}


def agreement(rows: Sequence[Verdict], profile: str, confidence: float) -> dict[str, Any]:
    """Return the table and what follows from it; a share of nothing is left out."""
    counts = Counter((outcome(row, profile), str(row.published)) for row in rows)
    table = {name: {word: counts[name, word] for word in WORDS} for name in OUTCOMES}
    others = [sum(table[name][word] for name in OUTCOMES[1:]) for word in WORDS[:2]]
    right = [table["correct"][word] for word in WORDS[:2]]
    found: dict[str, Any] = {"table": table, "decided": sum(right) + sum(others)}
    if found["decided"]:
        found |= {"share": (right[0] + others[1]) / found["decided"], "kappa": kappa([right, others])}
    sides = {"passed_wrong": (others[0], sum(others)), "failed_right": (right[1], sum(right))}
    return found | {name: rate(count, n, confidence) for name, (count, n) in sides.items() if n}


def denominators(rows: Sequence[Verdict], solved: set[tuple[str, str]] | None) -> dict[str, list[Verdict]]:
    """Return the answers that each denominator counts: all that are recorded; judged, without the judge's errors; and of a filtered arm
    solved, those of the judged ones whose problem the other arm solved. The last is what the authors count.
    """
    judged = [row for row in rows if row.published != "error"]
    parts = {"all": list(rows), "judged": judged}
    return parts if solved is None else parts | {"solved": [row for row in judged if (row.benchmark, row.id) in solved]}


def accuracies(rows: Sequence[Verdict], profiles: Sequence[str], confidence: float) -> dict[str, Any]:
    """Return the accuracy by the published judge and by each profile on the same answers."""
    right = {"published": sum(row.published == "correct" for row in rows)}
    right |= {name: sum(outcome(row, name) == "correct" for row in rows) for name in profiles}
    return {name: rate(count, len(rows), confidence) for name, count in right.items()}


def rate(count: int, n: int, confidence: float) -> dict[str, float]:
    """Return a share of independent answers with Wilson's interval."""
    low, high = wilson(count / n, n, confidence)
    return {"count": count, "n": n, "rate": count / n, "low": low, "high": high}


def disagreements(rows: Iterable[Verdict], profiles: Sequence[str]) -> list[Verdict]:
    """Return the answers on which the judge gave a verdict that differs from ours under at least one profile."""

    def differs(row: Verdict) -> bool:
        said = row.published == "correct"
        return row.published not in (UNSET, "error") and any(said != (outcome(row, profile) == "correct") for profile in profiles)

    return [row for row in rows if differs(row)]
