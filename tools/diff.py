"""`make diff A=REV [B=REV] [S=STUDY]`: what moved and matters between the committed metrics of two revisions; without B, the workspace.

Printed are claims whose verdict changed, accuracies beyond noise (either lies outside the other's interval), denominators that changed, and
arms and claims that are new or gone. The rest is only counted.
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from distill.cli import command
from distill.cli.layout import layout
from distill.core.errors import InputError

Row = Mapping[str, Any]
HERE = "workspace"


class Metrics(NamedTuple):
    """A study's metrics at a revision; {} where a file is not there."""

    claims: Row
    summary: Row
    multiverse: Row


def main(first: str = "", second: str = "", study: str = "") -> None:
    """Print the lines of one study, or of all that either side has."""
    if not first:
        raise InputError("say which revision: make diff A=HEAD~1; B=REV is the other side (the workspace unless given), S=NAME one study")
    for each in filter(None, (first, second)):
        _check(each)
    names = [study] if study else sorted(studies(first) | studies(second))
    if not names:
        raise InputError(f"no metrics/STUDY/claims.json at {first} or at {second or HERE}; run a study, or name other revisions")
    for name in names:
        print("\n".join(f"{name}: {line}" for line in lines(read(name, first), read(name, second), first, second or HERE)))


def lines(old: Metrics, new: Metrics, first: str, second: str) -> list[str]:
    """Return what moved and matters of one study, and a last line that counts what was compared."""
    for side, where in ((old, first), (new, second)):
        if not side.claims and not side.summary:
            return [f"no committed metrics at {where}"]
    left, right = accuracies(old.summary), accuracies(new.summary)
    both = [(left[key], right[key]) for key in left.keys() & right.keys()]
    within = sum(one["accuracy"] != other["accuracy"] and not _beyond_noise(one, other) for one, other in both)
    compared = (
        f"{len(old.claims.keys() & new.claims.keys())} claims and {len(both)} accuracies compared; {within} of these moved within noise"
    )
    return [*_claims(old, new), *_arms(old.summary, new.summary), f"{first} to {second}: {compared}"]


def _claims(old: Metrics, new: Metrics) -> Iterator[str]:
    for name in sorted(old.claims.keys() | new.claims.keys()):
        before, after = old.claims.get(name), new.claims.get(name)
        if before is None or after is None:
            yield f"claim {name} is {'new' if before is None else 'gone'}: {(before or after or {})['verdict']}"
        elif before["verdict"] != after["verdict"]:
            yield f"claim {name}: {before['verdict']} -> {after['verdict']} ({_figures(before)} -> {_figures(after)})"
        elif before["n"] != after["n"]:
            yield f"claim {name}: {before['verdict']} as before, on {after['n']} units instead of {before['n']}"
        shares = [side.multiverse.get("claims", {}).get(name, {}).get("share") for side in (old, new)]
        if None not in shares and shares[0] != shares[1]:
            yield f"claim {name}: the same verdict under {100 * shares[1]:.1f} % of other choices, {100 * shares[0]:.1f} % before"


def _arms(old: Row, new: Row) -> Iterator[str]:
    before, after = old.get("arms", {}), new.get("arms", {})
    for word, arms in (("new", after.keys() - before.keys()), ("gone", before.keys() - after.keys())):
        if arms:
            yield f"arms {word}: {', '.join(sorted(arms))}"
    left, right = accuracies(old), accuracies(new)
    for key in sorted(left.keys() & right.keys()):
        one, other = left[key], right[key]
        what = f"accuracy of {key[0]} on {key[1]}, {key[2]}"
        if _beyond_noise(one, other):
            yield f"{what}: {_interval(one)} -> {_interval(other)}"
        elif one["n"] != other["n"]:
            yield f"{what}: n {one['n']} -> {other['n']}"


def accuracies(summary: Row) -> dict[tuple[str, str, str], Row]:
    """Return the accuracies of a summary by arm, benchmark and split."""
    return {
        (arm, benchmark, split): cell
        for arm, values in summary.get("arms", {}).items()
        for benchmark, cells in values.items() if isinstance(cells, dict)
        for split, cell in cells.items() if isinstance(cell, dict) and "accuracy" in cell
    }  # fmt: skip


def _beyond_noise(one: Row, other: Row) -> bool:
    """Tell whether either accuracy lies outside the other's interval."""
    return not (one["low"] <= other["accuracy"] <= one["high"] and other["low"] <= one["accuracy"] <= other["high"])


def _figures(claim: Row) -> str:
    effect = "no effect" if claim["effect"] is None else f"effect {claim['effect']:.4f}"
    return effect + ("" if claim["p_holm"] is None else f", p {claim['p_holm']:.4f}")


def _interval(cell: Row) -> str:
    return f"{100 * cell['accuracy']:.1f} % [{100 * cell['low']:.1f}, {100 * cell['high']:.1f}]"


def read(name: str, revision: str) -> Metrics:
    """Return a study's metrics at a revision, "" being the workspace."""
    paths = layout(name)
    return Metrics(*(_document(path, revision) for path in (paths.claims, paths.summary, paths.multiverse)))


def _document(path: Path, revision: str) -> Row:
    here = path.read_text(encoding="utf-8") if path.exists() else ""
    text = _git("show", f"{revision}:./{path.as_posix()}") if revision else here
    try:
        found: Row = json.loads(text) if text else {}
    except json.JSONDecodeError as error:
        raise InputError(f"{path} at {revision or HERE}: not JSON: {error}") from None
    return found


def studies(revision: str) -> set[str]:
    """Return the studies that have claims at a revision, "" being the workspace."""
    if not revision:
        return {path.parent.name for path in Path("metrics").glob("*/claims.json")}
    listed = _git("ls-tree", "-r", "--name-only", revision, "metrics/").split("\n")
    return {Path(path).parent.name for path in listed if path.endswith("/claims.json")}


def _check(revision: str) -> None:
    if revision.startswith("-") or not _git("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}"):
        raise InputError(f"{revision!r}: no such revision here; `git log --oneline dvc.lock` lists those whose results differ")


def _git(*words: str) -> str:
    """Return what git says; "" where it fails."""
    try:
        done = subprocess.run(["git", *words], capture_output=True, text=True, encoding="utf-8")
    except FileNotFoundError:
        raise InputError("git is not installed, and revisions are in git alone") from None
    return done.stdout if done.returncode == 0 else ""


if __name__ == "__main__":
    command.guarded("diff", lambda: main(*sys.argv[1:]))
