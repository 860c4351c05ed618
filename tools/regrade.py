"""`python -m tools.regrade mini [REVISION]`: grade every stored completion again by the grader of this tree, and show what moved.

Compared are the verdicts in data/STUDY/verdicts.jsonl.gz, or those that dvc.lock of a git revision names. Nothing is written but the
file that `--write FILE` names, which gets every moved item as a line of JSON; `dvc repro grade` puts the new verdicts in place.
"""

import argparse
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
from tabulate import tabulate

from distill.cli import command
from distill.cli.layout import layout
from distill.core import files, study_file
from distill.core.cells import BASE, Cell
from distill.core.errors import InputError
from distill.records.completion import Completion
from distill.records.verdict import Verdict
from stages import grade

SHOWN = 40  # moved items on the screen unless --all asks for more
WIDTH = 32  # characters of an answer on the screen

Key = tuple[str, int, str, str, int]  # arm, seed, benchmark, id, sample


class Before(Verdict, frozen=True, forbid_unknown_fields=False):
    """A stored verdict; a revision's record may have had further fields."""


class Moved(msgspec.Struct, frozen=True):
    """One completion that the two gradings call differently."""

    arm: str
    seed: int
    benchmark: str
    id: str
    sample: int
    gold: str
    extracted_before: str
    extracted_after: str
    outcome_before: str
    outcome_after: str


class Comparison(NamedTuple):
    """Two gradings of the same completions."""

    compared: list[tuple[Before, Verdict]]
    moved: list[Moved]
    other: int  # completions that are not those graded then, by their words and tokens: not compared
    gone: int  # graded then, not stored now
    new: int  # stored now, not graded then


def main(*words: str) -> None:
    """Print what moved, item by item, and the accuracy of each arm before and after."""
    options = _options(words)
    paths = layout(options.study)
    params = study_file.section(paths.study_file, "grade", grade.Params)
    before = _before(paths.verdicts, options.revision)
    golds, forms = grade.gold_answers(paths)
    cells = stored_cells(paths.completions)
    answered = {cell: files.read_records(path, Completion) for cell, path in cells.items()}
    grade.check(answered, cells, golds, whole=not grade.recorded(paths))
    found = compare(before, grade.grade(answered, golds, params, forms), golds)
    against = f"of {options.revision}" if options.revision else "as stored"
    print("\n\n".join(page(found, against, None if options.all else SHOWN)))
    if options.write:
        files.write_records(options.write, found.moved)
        print(f"\nevery moved item: {options.write}")


def _options(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m tools.regrade", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("study", help="a file of studies/ without its ending")
    parser.add_argument("revision", nargs="?", default="", help="compare with the verdicts of this git revision")
    parser.add_argument("--all", action="store_true", help=f"show every moved item, not the first {SHOWN}")
    parser.add_argument("--write", type=Path, metavar="FILE", help="write every moved item to FILE, a line of JSON each")
    return parser.parse_args(words)


def _before(path: Path, revision: str) -> list[Before]:
    """Return the stored verdicts, or those of a revision as DVC's cache or remote holds them."""
    if not revision:
        return files.read_records(path, Before)
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder, path.name)
        words = ["dvc", "get", ".", str(path), "--rev", revision, "-o", str(target)]
        done = subprocess.run([sys.executable, "-m", *words], capture_output=True, text=True)
        if done.returncode:
            said = [line.removeprefix("ERROR: ") for line in done.stderr.splitlines() if line.startswith("ERROR: ")]
            raise InputError(
                f"{path} of {revision}: {' '.join(said) or 'not found'}; name a revision whose dvc.lock has it (`git log dvc.lock`)"
            )
        return files.read_records(target, Before)


def stored_cells(folder: Path) -> dict[Cell, Path]:
    """Return every cell that is stored, by its file's name: base.jsonl.gz, ARM-SEED.jsonl.gz."""
    cells: dict[Cell, Path] = {}
    for path in sorted(path for path in folder.glob("*") if not path.name.startswith(".")):
        arm, _, seed = path.name.removesuffix(".jsonl.gz").rpartition("-")
        if path.name != f"{BASE}.jsonl.gz" and not (arm and seed.isdecimal()):
            raise InputError(f"{path}: not a cell's name: base.jsonl.gz or ARM-SEED.jsonl.gz; move it elsewhere")
        cells[(arm, int(seed)) if arm else (BASE, 0)] = path
    if not cells:
        raise InputError(f"{folder}: no completions; run `dvc pull`, or `dvc repro sample`")
    return cells


def compare(before: Sequence[Before], after: Sequence[Verdict], golds: grade.Golds) -> Comparison:
    """Compare two gradings of each completion; moved is one whose outcome or extracted answer differs."""
    then, now = {_key(row): row for row in before}, {_key(row): row for row in after}
    both = [(then[key], row) for key, row in now.items() if key in then]
    same = [(old, new) for old, new in both if (old.words, old.tokens) == (new.words, new.tokens)]
    moved = [
        Moved(
            new.arm, new.seed, new.benchmark, new.id, new.sample, golds[new.benchmark, new.id],
            old.extracted, new.extracted, old.outcome, new.outcome,
        )
        for old, new in same
        if (old.outcome, old.extracted) != (new.outcome, new.extracted)
    ]  # fmt: skip
    return Comparison(same, moved, len(both) - len(same), len(then) - len(both), len(now) - len(both))


def _key(row: Before | Verdict) -> Key:
    return row.arm, row.seed, row.benchmark, row.id, row.sample


def page(found: Comparison, against: str, most: int | None) -> list[str]:
    """Return the parts of what is printed: the items, how outcomes moved, the accuracies, the counts."""
    parts = [_items(found.moved, most)] if found.moved else []
    steps = Counter((item.outcome_before, item.outcome_after) for item in found.moved)
    if steps:
        rows = [[old, new if new != old else f"{new} (another answer found)", count] for (old, new), count in sorted(steps.items())]
        parts.append(tabulate(rows, headers=["before", "after", "items"]))
    if found.compared:
        parts.append(_accuracies(found))
    counts = f"regrade: {len(found.compared)} completions graded again, {len(found.moved)} moved against the verdicts {against}"
    skipped = {"other completions than those graded before": found.other, "no longer stored": found.gone, "not graded before": found.new}
    return [*parts, counts + "".join(f"; {what}: {count}" for what, count in skipped.items() if count)]


def _items(moved: Sequence[Moved], most: int | None) -> str:
    rows = [
        [item.arm, item.seed, f"{item.benchmark} {item.id}" + (f" #{item.sample}" if item.sample else ""), _cut(item.gold),
         _cut(item.extracted_before), _cut(item.extracted_after), item.outcome_before, item.outcome_after]
        for item in moved[:most]
    ]  # fmt: skip
    headers = ["arm", "seed", "problem", "gold", "answer before", "after", "outcome before", "after"]
    table = tabulate(rows, headers=headers, disable_numparse=True)
    rest = len(moved) - len(rows)
    return f"{table}\nand {rest} more: --all shows them, --write FILE keeps them" if rest else table


def _cut(text: str) -> str:
    """Return an answer on one line of the screen; a control character must not reach the terminal."""
    text = "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text)
    return text if len(text) <= WIDTH else text[: WIDTH - 1] + "…"


def _accuracies(found: Comparison) -> str:
    """Return the table of accuracies, in %: over all completions of an arm on a benchmark that are compared."""
    rows = []
    moved = Counter((item.arm, item.benchmark) for item in found.moved)
    groups = Counter((new.arm, new.benchmark) for _, new in found.compared)
    before = Counter((old.arm, old.benchmark) for old, _ in found.compared if old.outcome == "correct")
    after = Counter((new.arm, new.benchmark) for _, new in found.compared if new.outcome == "correct")
    for group, n in sorted(groups.items()):
        then, now = 100 * before[group] / n, 100 * after[group] / n
        rows.append([*group, n, moved[group], f"{then:.2f}", f"{now:.2f}", f"{now - then:+.2f}" if moved[group] else "="])
    headers = ["arm", "benchmark", "completions", "moved", "correct, % before", "after", "shift"]
    return tabulate(rows, headers=headers, disable_numparse=True, colalign=("left", "left", *["right"] * 5))


if __name__ == "__main__":
    command.guarded("regrade", lambda: main(*sys.argv[1:]))
