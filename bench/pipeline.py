"""What of a run is not compute, and how compute grows: `python -m bench.pipeline`. Writes sections `pipeline` and `growth` of the record.

Two parts, both in scratch copies of the tree with a git and a DVC of their own:

- DVC alone: every stage of `mini` is replaced by a hash of its inputs, which takes no time, so that what is left is DVC's: a cold run, one
  where nothing changed, one where the learning rate changed, by plain `dvc` and by tools/dvc.py, for one, three and five seeds.
- compute: real stages of a small study (few problems, one year, a small student, few iterations), in the seconds that its cells take by
  themselves, without DVC; then with twice the problems, twice the arms, twice the seeds.

`python -m bench.pipeline dvc` runs the first alone, `growth` the second.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import yaml
from tabulate import tabulate

from bench.record import record
from tests import tiny
from tests.pipeline import ROOT, cells

HEADS = ["", "compute s", "ratio", "DVC s"]
SEEDS = ([1], [1, 2, 3], [1, 2, 3, 4, 5])
BASE: dict[str, list[object]] = {"arms": ["r1", "r6"], "seeds": [1, 2]}
SMALL: dict[str, dict[str, Any]] = {  # sections of the small study, values over those of mini
    "fetch": {"first_year": 2011, "last_year": 2013, "scanned_years": [2013]},
    "benchmarks": {"transfer": {"kind": "competition", "n": 60, "seed": 77}},
    "split": {"train": 80, "valid": 20, "heldout_least": 50, "seen": 30},
    "pretraining": {"problems": 20, "drills": 400},
    "student": {"steps": 60},
    "train": {"iterations": 40, "eval_every": 20},
    "overfit": {"iterations": 40, "eval_every": 20},
    "sample": {"max_tokens": 160, "batch_size": 32},
    "summarise": {"resamples": 1000},
    "claims": {"resamples": 1000},
}


def main(*parts: str) -> None:
    """Run both parts, or the one that is named; print tables and record them."""
    with tempfile.TemporaryDirectory() as scratch:
        if "growth" not in parts:
            record("pipeline", overhead(Path(scratch)))
        if "dvc" not in parts:
            record("growth", growth(Path(scratch)))


def overhead(scratch: Path) -> dict[str, Any]:
    """Return DVC's own seconds by number of seeds: cold, nothing changed, one parameter changed."""
    found: dict[str, Any] = {}
    for seeds in SEEDS:
        for name, words in (("dvc", ["dvc"]), ("tools.dvc", [sys.executable, "-m", "tools.dvc"])):
            root = tiny.copy(scratch / f"{name}-{len(seeds)}", {"seeds": list(seeds)})
            row = {"cells": len(list(cells(root))), "cold": _repro(root, words), "nothing_changed": _repro(root, words)}
            tiny.edit(root / "studies" / "mini.yaml", "learning_rate: 1.0e-4", "learning_rate: 2.0e-4")
            found[f"{name}, {len(seeds)} seeds"] = row | {"learning_rate_changed": _repro(root, words)}
            shutil.rmtree(root)
    print(tabulate([[name, *row.values()] for name, row in found.items()], headers=["", "cells", "cold s", "no-op s", "one parameter s"]))
    return found


def _repro(root: Path, words: list[str]) -> float:
    tiny._write_stubs(root)
    start = time.perf_counter()
    tiny.call(root, *words, "repro", "--no-run-cache", stubs=True)
    return time.perf_counter() - start


def growth(scratch: Path) -> dict[str, Any]:
    """Return the seconds of each stage's cells, and of DVC beside them, at the base size and with each of three things doubled."""
    twice: dict[str, tuple[dict[str, list[object]], int]] = {
        "base": (BASE, 1),
        "problems x2": (BASE, 2),
        "arms x2": (BASE | {"arms": ["r1", "r6", "r3", "answer"]}, 1),
        "seeds x2": (BASE | {"seeds": [1, 2, 3, 4]}, 1),
    }
    found: dict[str, Any] = {}
    for name, (params, times) in twice.items():
        root = tiny.copy(scratch / name.replace(" ", "-"), params)
        _shrink(root / "studies" / "mini.yaml", times)
        start = time.perf_counter()
        spent = _compute(root)
        whole = time.perf_counter() - start
        compute = sum(spent.values())
        found[name] = {"compute": compute, "dvc": whole - compute, "stages": spent}
        found[name]["ratio"] = compute / found["base"]["compute"]
        shutil.rmtree(root)
    print(
        tabulate(
            [[name, row["compute"], row["ratio"], row["dvc"]] for name, row in found.items()], headers=["", "compute s", "ratio", "DVC s"]
        )
    )
    return found


def _shrink(path: Path, times: int) -> None:
    """Make a study file small, with `times` as many years, and as many problems to train on and to ask."""
    study = yaml.safe_load(path.read_text(encoding="utf-8"))
    for name, values in SMALL.items():
        study[name] |= values
    study["arms"] = {name: arm | {"n": 60 * times} for name, arm in study["arms"].items()}
    first = study["fetch"]["first_year"]
    study["fetch"] |= {"last_year": first + 3 * times - 1, "scanned_years": [first + 2 + 3 * number for number in range(times)]}
    study["benchmarks"]["transfer"]["n"] *= times
    for key in ("train", "valid", "heldout_least", "seen"):
        study["split"][key] *= times
    for section in ("train", "overfit"):  # as many passes over the corpus
        study[section]["iterations"] *= times
    path.write_text(yaml.safe_dump(study, sort_keys=False), encoding="utf-8")


def _compute(root: Path) -> dict[str, float]:
    """Run a copy by DVC; return the seconds of its stages' own processes."""
    log = root / ".seconds"
    shim = root / ".timed" / "python"
    shim.parent.mkdir()
    shim.write_text(
        f'#!/bin/bash\nstart=$EPOCHREALTIME\n"{sys.executable}" "$@"\ncode=$?\necho "$2 $start $EPOCHREALTIME" >> "{log}"\nexit $code\n'
    )
    shim.chmod(0o755)
    paths = [str(shim.parent), str(tiny.BIN), os.environ["PATH"]]
    environment = os.environ | tiny.GIT | {"PATH": os.pathsep.join(paths), "DVC_NO_ANALYTICS": "1"}
    words = [sys.executable, "-m", "tools.dvc", "repro", "--no-run-cache"]
    done = subprocess.run(words, cwd=root, env=environment, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{ROOT.name}: the small study failed\n{done.stdout[-2000:]}\n{done.stderr[-3000:]}")
    spent: dict[str, float] = defaultdict(float)
    for line in log.read_text(encoding="utf-8").split("\n")[:-1]:
        module, start, end = line.split()
        spent[module.removeprefix("stages.")] += float(end) - float(start)
    return dict(spent)


if __name__ == "__main__":
    main(*sys.argv[1:])
