"""How far a model judge is to be trusted: agreement with the grader, Cohen's kappa, and the share of wrong answers that it passes."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from distill.judging.judgement import Judgement
from distill.judging.probes import FALSE, KINDS
from distill.stats.intervals import wilson

DECISIONS = ("correct", "wrong", "undecided")


def kappa(table: Sequence[Sequence[int]]) -> float | None:
    """Cohen's kappa of two raters' square table of counts (Cohen 1960); None where chance alone agrees always, or of nothing.

    >>> kappa([[20, 5], [10, 15]])
    0.4
    """
    n = sum(map(sum, table))
    margins = sum(sum(row) * sum(column) for row, column in zip(table, zip(*table, strict=True), strict=True))
    if margins == n * n:  # both raters gave one and the same verdict throughout; n = 0 among it
        return None
    return (n * sum(row[place] for place, row in enumerate(table)) - margins) / (n * n - margins)


def figures(rows: Sequence[Judgement], confidence: float) -> dict[str, Any]:
    """Return what the metric says of the judge; a share of nothing is left out.

    agreement: over the drawn answers that the judge decided; the table's rows are the grader's outcomes, its columns the judge's.
    false_positive_rate: share of planted wrong answers that the judge calls correct, by kind, with the upper end of Wilson's interval;
    false_negative_rate: share of planted gold answers that it calls wrong or leaves undecided.
    """
    parts = {part: [row for row in rows if row.part == part] for part in ("ungradable", "agreement", "probe")}
    found: dict[str, Any] = {"asked": len(parts["ungradable"]), "decided": _counts(parts["ungradable"])}
    found["undecided"] = dict(sorted(Counter(row.reason for row in rows if row.reason).items()))
    if parts["agreement"]:
        found["agreement"] = _agreement(parts["agreement"])
    planted = {kind: [row for row in parts["probe"] if row.kind == kind] for kind in KINDS}
    planted["all"] = [row for kind in FALSE for row in planted[kind]]
    planted = {kind: own for kind, own in planted.items() if own}
    found["probes"] = {kind: len(own) for kind, own in planted.items()}
    passed = {kind: sum(row.decision == "correct" for row in own) for kind, own in planted.items()}
    false = [kind for kind in planted if kind != "gold"]
    found["false_positive_rate"] = {kind: passed[kind] / len(planted[kind]) for kind in false}
    found["false_positive_high"] = {kind: wilson(passed[kind] / len(planted[kind]), len(planted[kind]), confidence).high for kind in false}
    if "gold" in planted:
        found["false_negative_rate"] = 1 - passed["gold"] / len(planted["gold"])
    return found


def _counts(rows: Sequence[Judgement]) -> dict[str, int]:
    counts = Counter(row.decision for row in rows)
    return {name: counts[name] for name in DECISIONS}


def _agreement(rows: Sequence[Judgement]) -> dict[str, Any]:
    table = {outcome: _counts([row for row in rows if row.grader == outcome]) for outcome in DECISIONS[:2]}
    square = [[counts[name] for name in DECISIONS[:2]] for counts in table.values()]
    decided = sum(map(sum, square))
    found: dict[str, Any] = {"answers": len(rows), "as_the_key_has_it": sum(row.answer.strip() == row.gold.strip() for row in rows)}
    if decided:
        found |= {"decided": decided, "share": (square[0][0] + square[1][1]) / decided, "kappa": kappa(square)}
    return found | {"grader": table}
