"""Whether the outputs of a run equal those of HEAD's dvc.lock, and how far accuracies moved where they do not."""

import json
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from tools import lock

TOLERANCE = 0.03  # the most that an accuracy (0..1) may move on a machine whose arithmetic is not the committed run's
MIN_PROBLEMS = 30  # with fewer, one answer of the base would move an accuracy further than the tolerance
SHOWN = 20  # differences listed before the rest is only counted


def main() -> None:
    """Compare every output of the work tree's dvc.lock."""
    print("\n".join(equality(yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))["students"])))


def equality(studies: Sequence[str], stages: Collection[str] | None = None, computed: Collection[str] = ()) -> list[str]:
    """Return the lines that compare dvc.lock and the studies' metrics with HEAD's.

    `stages` are those compared, all unless given; `computed` are those of them that ran just now.
    """
    text = lock.committed("dvc.lock")
    if not text:
        why = "HEAD has no dvc.lock" if lock.has_git() else "git is not installed, or this folder is no clone: there is no HEAD"
        return [f"compared: nothing, {why}"]
    ours, theirs = (lock.only(each, stages) for each in (lock.read(Path("dvc.lock")), lock.parse(text)))
    outputs, differences = lock.outputs(ours), lock.compare(ours, theirs)
    fresh = sum(stage in computed for _, stage in outputs.values())
    again = f" ({fresh} of them computed in this run)" if stages is not None else ""
    if not differences:
        return [f"equal: all {len(outputs)} outputs{again} have the hashes of HEAD's dvc.lock"]
    lines = [f"different: {len(differences)} of {len(outputs)} outputs{again} differ from HEAD's dvc.lock"]
    lines += [f"  {difference}" for difference in differences[:SHOWN]]
    lines += [f"  and {len(differences) - SHOWN} more"] if len(differences) > SHOWN else []
    from distill.model import engine  # only here: an equal run need not know

    if reason := engine.exact():
        lines.append(f"this machine need not give equal bytes ({reason}); an accuracy may move by {TOLERANCE} here")
    return lines + [line for name in studies for line in _moved(name)]


def _moved(name: str) -> Iterator[str]:
    """Yield the line on how far a study's accuracies moved, and one for each that moved beyond the tolerance."""
    path = Path("metrics", name, "summary.json")
    text = lock.committed(path.as_posix())
    if not text or not path.exists():
        return
    ours, theirs = accuracies(json.loads(path.read_bytes())), accuracies(json.loads(text))
    shifts = {key: ours[key] - theirs[key] for key in ours if key in theirs}
    beyond = {key: shift for key, shift in shifts.items() if abs(shift) > TOLERANCE}
    if ours.keys() ^ theirs.keys():
        yield f"{name}: {len(ours.keys() ^ theirs.keys())} accuracies are in only one of the two summaries"
    if shifts:
        key = max(shifts, key=lambda key: abs(shifts[key]))
        place = "outside" if beyond else "within"
        yield f"{name}: {place} the tolerance of {TOLERANCE}: the largest move of an accuracy is {shifts[key]:+.4f} ({key})"
    for key in beyond:
        yield f"  {key}: {ours[key]:.4f}, in HEAD {theirs[key]:.4f}"


def accuracies(document: Any, prefix: str = "") -> dict[str, float]:
    """Flatten a summary to its accuracies over at least MIN_PROBLEMS problems: dotted key -> value.

    >>> accuracies({"arms": {"r1": {"accuracy": 0.5, "low": 0.4, "years": {"2011": {"accuracy": 0.1, "n": 20}}}}})
    {'arms.r1.accuracy': 0.5}
    """
    if not isinstance(document, dict):
        return {}
    found = {}
    for key, value in document.items():
        if key == "accuracy" and isinstance(value, float | int) and document.get("n", MIN_PROBLEMS) >= MIN_PROBLEMS:
            found[prefix + key] = float(value)
        found |= accuracies(value, f"{prefix}{key}.")
    return found


if __name__ == "__main__":
    main()
