"""What `make repro` shows at its end: the results, the claims, where to look, and whether all of it equals what is committed."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import yaml
from tabulate import tabulate

from distill.claims import claims_page
from distill.records.claim_record import ClaimRecord
from tools import lock

TOLERANCE = 0.03  # the most that an accuracy (0..1) may move on a machine whose arithmetic is not the committed run's
LEAST = 30  # problems below which an accuracy is not held to it: one answer of the base would move it further
SHOWN = 20  # differences listed before the rest is only counted


def main(*words: str) -> None:
    """Print the outcome of every study that params.yaml runs; with the word `where`, just the reports' paths."""
    studies = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))["students"]
    for name in studies:
        if not words:
            _results(name)
        report = Path("report", name, "report.md")
        print(f"report: {report}" if report.exists() else f"report: {report} is not there yet; `make repro` writes it")
    if not words:
        print("\n".join(_equality(studies)))


def _results(name: str) -> None:
    summary, claims = Path("metrics", name, "summary.json"), Path("metrics", name, "claims.json")
    if summary.exists():
        print(f"\n{name}: accuracy in % [interval], mean over seeds; figures: {summary}\n{results(_read(summary))}\n")
    if claims.exists():
        print(f"{name}: claims; figures: {claims}\n{verdicts(claims.read_bytes())}\n")


def results(summary: dict[str, Any]) -> str:
    """Return the table of arms from a summary: arms.ARM.BENCHMARK.SPLIT.{accuracy, low, high} and arms.ARM.words."""
    rows = []
    for arm, values in summary["arms"].items():
        heldout, transfer = values.get("competition", {}).get("heldout"), values.get("transfer", {}).get("all")
        rows.append([arm, _interval(heldout), _interval(transfer), values.get("words", "")])
    table = tabulate(rows, headers=["arm", "competition, held out", "transfer", "words"], floatfmt=".1f")
    teacher = summary.get("teacher", {}).get("accuracy")
    return table if teacher is None else f"{table}\nteacher: {100 * teacher:.1f} on the competition"


def _interval(cell: dict[str, float] | None) -> str:
    return f"{100 * cell['accuracy']:.1f} [{100 * cell['low']:.1f}, {100 * cell['high']:.1f}]" if cell else "-"


def verdicts(claims: bytes) -> str:
    """Return the table of claims from the text of claims.json."""
    columns: claims_page.Columns = {
        "verdict": claims_page.verdict, "paper": lambda record: claims_page.figure(record.published),
        "ours": lambda record: claims_page.figure(record.ours), "p": lambda record: claims_page.p_value(record.p),
    }  # fmt: skip
    return claims_page.table("claim", msgspec.json.decode(claims, type=dict[str, ClaimRecord]), columns)


def _equality(studies: list[str]) -> list[str]:
    """Return the lines that compare the work tree's dvc.lock and metrics with HEAD's."""
    text = lock.committed("dvc.lock")
    if not text:
        return ["nothing to compare with: HEAD has no dvc.lock"]
    ours = lock.read(Path("dvc.lock"))
    differences = lock.compare(ours, lock.parse(text))
    if not differences:
        return [f"equal: all {len(lock.outputs(ours))} outputs have the hashes of HEAD's dvc.lock"]
    lines = [f"different: {len(differences)} outputs against HEAD's dvc.lock ({len(lock.outputs(ours))} here)"]
    lines += [f"  {difference}" for difference in differences[:SHOWN]]
    lines += [f"  and {len(differences) - SHOWN} more"] if len(differences) > SHOWN else []
    from distill.model import engine  # only here: an equal run need not know

    reason = engine.exact()
    moved = [line for name in studies for line in _moved(name)]
    if reason:
        lines.append(f"this machine need not give equal bytes ({reason}); an accuracy may move by {TOLERANCE} here")
    return lines + moved


def _moved(name: str) -> Iterator[str]:
    """Yield the line on how far a study's accuracies moved, and one for each that moved beyond the tolerance."""
    path = Path("metrics", name, "summary.json")
    text = lock.committed(path.as_posix())
    if not text or not path.exists():
        return
    ours, theirs = accuracies(_read(path)), accuracies(json.loads(text))
    shifts = {key: ours[key] - theirs[key] for key in ours if key in theirs}
    beyond = {key: shift for key, shift in shifts.items() if abs(shift) > TOLERANCE}
    if ours.keys() ^ theirs.keys():
        yield f"{name}: {len(ours.keys() ^ theirs.keys())} accuracies stand in only one of the two summaries"
    if shifts:
        key = max(shifts, key=lambda key: abs(shifts[key]))
        place = "outside" if beyond else "within"
        yield f"{name}: {place} the tolerance of {TOLERANCE}: the largest move of an accuracy is {shifts[key]:+.4f} ({key})"
    for key in beyond:
        yield f"  {key}: {ours[key]:.4f}, in HEAD {theirs[key]:.4f}"


def accuracies(document: Any, prefix: str = "") -> dict[str, float]:
    """Flatten a summary to its accuracies over at least LEAST problems: dotted key -> value.

    >>> accuracies({"arms": {"r1": {"accuracy": 0.5, "low": 0.4, "years": {"2011": {"accuracy": 0.1, "n": 20}}}}})
    {'arms.r1.accuracy': 0.5}
    """
    if not isinstance(document, dict):
        return {}
    found = {}
    for key, value in document.items():
        if key == "accuracy" and isinstance(value, float | int) and document.get("n", LEAST) >= LEAST:
            found[prefix + key] = float(value)
        found |= accuracies(value, f"{prefix}{key}.")
    return found


def _read(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(path.read_bytes())
    return document


if __name__ == "__main__":
    main(*sys.argv[1:])
