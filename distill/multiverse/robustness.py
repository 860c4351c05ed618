"""How far each claim's verdict depends on choices: the share of them with the ledger's verdict, and the changes that flip it."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from distill.multiverse.choices import Choice
from distill.records.claim_record import ClaimRecord

NOT_RUN = "not run"
COLUMNS = (
    "claim",
    *Choice._fields,
    "effect",
    "low",
    "high",
    "p_holm",
    "verdict",
    "same",
    "changes",
)  # changes: axes that differ from the ledger's choice
Cells = Mapping[Choice, ClaimRecord]  # one claim under every choice
Row = dict[str, Any]


class Judged(NamedTuple):
    """One claim."""

    figures: Row  # as in multiverse.json
    curve: list[Row]  # one row a choice that applies, by effect: COLUMNS


def judge(claim: str, cells: Cells, own: Choice, verdict: str) -> Judged:
    """Compare a claim's verdict under every choice with the ledger's.

    An axis without any influence on the claim's figures does not apply to it, and the choices that only it tells apart are one.
    """
    applies = [axis for axis in Choice._fields if _matters(axis, cells)]
    kept = {choice: record for choice, record in cells.items() if not set(choice.changes(own)) - set(applies)}
    judged = {choice: record for choice, record in kept.items() if record.verdict != NOT_RUN}
    figures: Row = {
        "verdict": verdict, "choices": len(judged), "same": sum(record.verdict == verdict for record in judged.values()),
        "left_out": {"an axis does not apply": len(cells) - len(kept), "not testable": len(kept) - len(judged)},
        "verdicts": dict(sorted(Counter(record.verdict for record in judged.values()).items())),
    }  # fmt: skip
    if not judged:
        return Judged(figures, [])
    effects = [record.effect for record in judged.values() if record.effect is not None]
    figures |= {"share": figures["same"] / len(judged)} | ({"least": min(effects), "most": max(effects)} if effects else {})
    figures["axes"] = {axis: _by_option(axis, judged, verdict) for axis in applies}
    figures["flips"] = flips(judged, own, verdict)
    rows = [
        {"claim": claim, **choice._asdict(), **_figures(record), "verdict": record.verdict, "same": int(record.verdict == verdict),
         "changes": len(choice.changes(own))}
        for choice, record in judged.items()
    ]  # fmt: skip
    return Judged(figures, sorted(rows, key=lambda row: (row["effect"] is None, row["effect"] or 0.0)))


def flips(judged: Cells, own: Choice, verdict: str) -> list[Row]:
    """Return the smallest changes that flip the verdict: those of which no part flips it, the smallest first."""
    found: list[Row] = []
    for choice, record in sorted(judged.items(), key=lambda cell: len(cell[0].changes(own))):
        changes = choice.changes(own)
        if record.verdict != verdict and not any(flip["changes"].items() <= changes.items() for flip in found):
            found.append({"changes": changes, "verdict": record.verdict, **_figures(record)})
    return found


def _matters(axis: str, cells: Cells) -> bool:
    """Tell whether changing an axis alone ever changes a claim's figures."""
    groups: dict[Choice, set[tuple[object, ...]]] = defaultdict(set)
    for choice, record in cells.items():
        groups[choice._replace(**{axis: ""})].add((record.ours, record.effect, record.low, record.high, record.n, record.p))
    return any(len(found) > 1 for found in groups.values())


def _by_option(axis: str, judged: Cells, verdict: str) -> dict[str, float]:
    """Return the share with the same verdict by option of an axis."""
    same: dict[str, list[bool]] = defaultdict(list)
    for choice, record in judged.items():
        same[getattr(choice, axis)].append(record.verdict == verdict)
    return {option: sum(found) / len(found) for option, found in same.items()}


def _figures(record: ClaimRecord) -> Row:
    return {key: getattr(record, key) for key in ("effect", "low", "high", "p_holm")}


def table(rows: Sequence[Row]) -> str:
    """Return the specification curves as one CSV."""
    cells = [[_cell(row[column]) for column in COLUMNS] for row in rows]
    return "\n".join(",".join(line) for line in [COLUMNS, *cells]) + "\n"


def _cell(value: object) -> str:
    return "" if value is None else f"{value:.6f}" if isinstance(value, float) else str(value)
