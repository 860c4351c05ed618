"""CPU seconds and peak memory of a study's stages, one after another on the committed inputs: metrics/artifact.json.

    python -m bench.stages STUDY [STAGE ...]      # all stages but `student`, or these; of a stage that runs for seeds, the first seed

Runs in a scratch clone of HEAD with all outputs pulled, so that each stage has what it reads. A figure of a stage that was not run stays.
"""

import ctypes
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec

from bench.record import about
from distill.core.files import write_json
from tests.pipeline import ROOT
from tools import activation, claim_cells, claim_run, costs, params, pipeline, scratch
from tools.pipeline import Cell

SCRATCH = Path(".work", "stages")
PACKAGES = ("mlx", "mlx-lm", "numpy", "dvc")


def chosen(cells: list[Cell], stages: list[str]) -> Iterator[Cell]:
    """Yield the cells to measure: one of each kind."""
    seen = set()
    for cell in cells:
        wanted = cell.stage in stages if stages else cell.stage != "student"
        if wanted and costs.key(cell) not in seen:
            seen.add(costs.key(cell))
            yield cell


def main(study: str, *stages: str) -> None:
    """Measure and record."""
    ctypes.CDLL(None).prctl(36, 1)  # PR_SET_CHILD_SUBREAPER of Linux: orphans become children of this process
    scratch.clone(SCRATCH, "stages")
    (SCRATCH / ".dvc" / "config.local").write_text(f"[cache]\n    dir = {claim_run.CACHE.resolve()}\n", encoding="utf-8")
    active = None if study in params.read().students else activation.settings(study) | {"papers": [study]}
    cells = [cell for cell in pipeline.cells(SCRATCH, active) if cell.item["study"] == study]
    measured = list(chosen(cells, list(stages)))
    if claim_cells.stored(measured, cells):
        subprocess.run(
            [sys.executable, "-m", "tools.study", "pull", study], cwd=SCRATCH, stdout=subprocess.DEVNULL
        )  # what dvc.lock lacks stays away
    found = dict[str, costs.Cost]()
    for cell in measured:
        for out in map(SCRATCH.joinpath, cell.outs):  # as DVC does
            shutil.rmtree(out) if out.is_dir() else out.unlink(missing_ok=True)
        cost = found[costs.key(cell)] = run(cell.cmd.split()[1:])
        print(f"{costs.key(cell):24}{cost.cpu_seconds:>8.1f} s {cost.megabytes:>7.0f} MB", flush=True)
    put(study, found)
    shutil.rmtree(SCRATCH)


def run(words: list[str]) -> costs.Cost:
    """Run a stage's command and return what it and all processes that it started took, orphans among them."""
    process = subprocess.Popen([sys.executable, *words], cwd=SCRATCH, stderr=subprocess.DEVNULL)
    seconds, peak = 0.0, 0.0
    while True:
        try:
            done, status, usage = os.wait3(0)
        except ChildProcessError:
            return costs.Cost(1, round(seconds, 2), round(peak))
        seconds, peak = seconds + usage.ru_utime + usage.ru_stime, max(peak, usage.ru_maxrss / 1024)
        if done == process.pid and status:
            raise SystemExit(f"{' '.join(words)}: exit code {os.waitstatus_to_exitcode(status)}")


def put(study: str, found: dict[str, costs.Cost]) -> None:
    """Write the figures of a study in place of its earlier ones of the same cells."""
    path = ROOT / costs.RECORD
    document = json.loads(path.read_bytes()) if path.exists() else {"studies": {}, "commands": {}}
    rows = document["studies"].get(study, {}) | msgspec.to_builtins(found)
    write_json(path, document | {"studies": document["studies"] | {study: rows}, "measured": about(packages=PACKAGES)})


if __name__ == "__main__":
    main(*sys.argv[1:])
