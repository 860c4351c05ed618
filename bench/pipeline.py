"""What of a run is not compute, and how compute grows: `python -m bench.pipeline`. Writes section `pipeline` of the record.

All in scratch copies of the tree, each with a git and a DVC of its own:

- alone: every stage of `mini` is replaced by a hash of its inputs, so that what is left is DVC's: a cold run, one where nothing changed,
  one where the learning rate changed, with one seed and with five.
- small: all stages of a small study (few problems, a small student, few iterations) in a cold run, one where nothing changed, and after the
  change of one parameter of the last stage and of training. Compute is what the stages' own processes take, their imports with it.
- growth: the same study with twice the problems, twice the arms and twice the seeds; the processor seconds of its stages' processes.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from tabulate import tabulate

from bench.record import record
from tests import dvc_sandbox
from tests.pipeline import cells

ALONE: tuple[list[object], ...] = ([1], [1, 2, 3, 4, 5])  # seeds
RATE = ("learning_rate: 1.0e-4", "learning_rate: 2.0e-4")
BASE: dict[str, list[object]] = {"arms": ["r1", "r6"], "seeds": [1]}
SMALL: dict[str, dict[str, Any]] = {  # sections of the small study, values over those of mini; the counts of problems by `times`
    "fetch": {"first_year": 2011, "problems": {"freshman-sophomore": 8, "junior-senior": 8, "two-person": 8}},
    "pretraining": {"problems": 20, "drills": 400},
    "student": {"hidden": 64, "layers": 2, "intermediate": 192, "heads": 2, "kv_heads": 1, "batch": 1024, "steps": 20, "warmup": 5},
    "sample": {"max_tokens": 128, "batch_size": 32, "refill_window": 32},
    "summarise": {"resamples": 1000},
    "claims": {"resamples": 1000},
}
GROWN: dict[str, tuple[dict[str, list[object]], int]] = {  # name: (params.yaml, how many times the problems)
    "problems": (BASE, 2),
    "arms": (BASE | {"arms": ["r1", "r6", "r3", "answer"]}, 1),
    "seeds": (BASE | {"seeds": [1, 2]}, 1),
}
# Stands in for `python`: runs it and notes module, wall seconds, processor seconds of the process and of those it started.
TIMED = """#!/bin/bash
TIMEFORMAT="$2 %3R %3U %3S"
exec 3>&2
{{ time "{python}" "$@" 2>&3; }} 2>> "{log}"
"""


def main() -> None:
    """Run the three parts; print a table of each and record them."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        found: dict[str, Any] = {"dvc_alone": {f"seeds {len(seeds)}": alone(folder, seeds) for seeds in ALONE}}
        heads = ["DVC alone", *next(iter(found["dvc_alone"].values()))]
        print(tabulate([[name, *row.values()] for name, row in found["dvc_alone"].items()], headers=heads, floatfmt=".2f"), flush=True)
        root = small(folder / "base", BASE, 1)
        found["small"], base = changes(root)
        print(tabulate([[name, *row.values()] for name, row in found["small"].items()], headers=["small study", *found["small"]["cold"]]))
        found["growth"] = {"base": _sums(base)}
        for name, (params, times) in GROWN.items():
            grown = run(small(folder / name, params, times))
            found["growth"][name] = _sums(grown) | {"ratio": grown.cpu / base.cpu, "largest_of_a_stage": _largest(grown, base)}
        print(tabulate([[name, *row.values()] for name, row in found["growth"].items()], headers=["growth", *found["growth"]["arms"]]))
    record("pipeline", found)


def alone(scratch: Path, seeds: list[object]) -> dict[str, float]:
    """Return the seconds of runs of `mini` whose stages take no time: cold, nothing changed, a new learning rate."""
    root = dvc_sandbox.copy(scratch / "alone", {"seeds": seeds})
    found: dict[str, float] = {"cells": len(cells(root)), "cold_s": _stubbed(root), "nothing_changed_s": _stubbed(root)}
    dvc_sandbox.edit(root / "studies" / "mini.yaml", *RATE)
    found["learning_rate_changed_s"] = _stubbed(root)
    shutil.rmtree(root)
    return found


def _stubbed(root: Path) -> float:
    dvc_sandbox._write_stubs(root)
    start = time.perf_counter()
    dvc_sandbox.call(root, "dvc", "repro", "--no-run-cache", stubs=True)
    return time.perf_counter() - start


class Spent(NamedTuple):
    """Seconds of one run: of the whole, and of the stages' processes."""

    whole: float
    wall: float
    stages: dict[str, float]  # processor seconds by stage
    cells: int  # that ran

    @property
    def cpu(self) -> float:
        return sum(self.stages.values())


def changes(root: Path) -> tuple[dict[str, dict[str, float]], Spent]:
    """Return what runs of the small study take, cold and after changes, and the cold run's seconds."""
    study, cold = root / "studies" / "mini.yaml", run(root)
    found = {"cold": cold, "nothing_changed": run(root)}
    dvc_sandbox.edit(study, "max_chars: 1500", "max_chars: 1400")
    found["report_changed"] = run(root)
    dvc_sandbox.edit(study, "learning_rate: 0.0001", "learning_rate: 0.0002")
    found["learning_rate_changed"] = run(root)
    return {
        name: {"cells": each.cells, "whole_s": each.whole, "compute_s": each.wall, "not_compute": 1.0 - each.wall / each.whole}
        for name, each in found.items()
    }, cold


def small(root: Path, params: dict[str, list[object]], times: int) -> Path:
    """Make a copy of the tree whose `mini` is small, with `times` as many years, and as many problems to train on and to ask."""
    path = dvc_sandbox.copy(root, params) / "studies" / "mini.yaml"
    study = yaml.safe_load(path.read_text(encoding="utf-8"))
    for name, values in SMALL.items():
        study[name] |= values
    study["arms"] = {name: arm | {"n": 24 * times} for name, arm in study["arms"].items()}
    study["fetch"] |= {"last_year": 2010 + 3 * times, "scanned_years": [2010 + 3 * number for number in range(1, times + 1)]}
    study["benchmarks"]["transfer"]["n"] = 40 * times
    study["split"] |= {"train": 36 * times, "valid": 8 * times, "heldout_least": 12 * times, "seen": 12 * times}
    for section in ("train", "overfit"):  # as many passes over the corpus, and evaluations
        study[section] |= {"iterations": 40 * times, "eval_every": 20 * times}
    path.write_text(yaml.safe_dump(study, sort_keys=False), encoding="utf-8")
    return root


def run(root: Path) -> Spent:
    """Run a copy, with its stages' processes timed."""
    log, shim = root / ".seconds", root / ".timed" / "python"
    shim.parent.mkdir(exist_ok=True)
    shim.write_text(TIMED.format(python=sys.executable, log=log))
    shim.chmod(0o755)
    log.write_text("")
    path = os.pathsep.join([str(shim.parent), str(dvc_sandbox.BIN), os.environ["PATH"]])
    start = time.perf_counter()
    done = subprocess.run(
        ["dvc", "repro", "--no-run-cache"], cwd=root, env=os.environ | dvc_sandbox.GIT | {"PATH": path}, capture_output=True, text=True
    )
    whole = time.perf_counter() - start
    if done.returncode:
        sys.exit(f"bench.pipeline: the small study failed\n{done.stdout[-2000:]}\n{done.stderr[-3000:]}")
    rows = [line.split() for line in log.read_text(encoding="utf-8").splitlines()]
    stages = {row[0].removeprefix("stages."): 0.0 for row in rows}
    for module, _, user, system in rows:
        stages[module.removeprefix("stages.")] += float(user) + float(system)
    return Spent(whole, sum(float(row[1]) for row in rows), stages, len(rows))


def _sums(spent: Spent) -> dict[str, float]:
    return {"cells": spent.cells, "processor_s": spent.cpu, "dvc_s": spent.whole - spent.wall}


def _largest(grown: Spent, base: Spent, least: float = 1.0) -> float:
    """Return the largest ratio of one stage, of those that take `least` processor seconds in the base."""
    return max(grown.stages[name] / seconds for name, seconds in base.stages.items() if seconds >= least)


if __name__ == "__main__":
    main()
