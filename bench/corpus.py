"""A corpus of the second paper's size through the stand-in server: does memory stay flat, and how long does a resumed run take to start?

    python -m bench.corpus [PROBLEMS] [CONDENSED]

Runs solve and verify, each in a process of its own as DVC does, for PROBLEMS (94,000) and for a tenth of them, condense for the first
CONDENSED (a tenth), then solve again with everything stored. Prints peak memory and wall time of each, and the time that the store takes
to open and to look up every call.
"""

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import NamedTuple

import msgspec

from distill.cli.layout import layout
from distill.core import files, study_file
from distill.llm import request
from distill.llm.role_client import opened
from distill.records.problem import Problem
from distill.records.verified import Verified
from distill.teacher import solver
from tests import teachers
from tests.chatscript import Script
from tests.chatserver import serving
from tests.pipeline import ROOT

PATHS = layout("new")
LIMIT, RESUME = 500.0, 2.0  # MB, seconds


class Usage(NamedTuple):
    """What a stage took."""

    wall: float  # seconds
    cpu: float  # seconds of its processes
    peak: float  # MB of the largest of them; at least what the process that started it has


def run(root: Path, *words: str) -> Usage:
    """Run a stage in `root`; return what it took."""
    began = perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", *words], cwd=root, env=os.environ | {"PYTHONPATH": str(ROOT)}, stderr=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(words)}: exit code {process.returncode}")
    peak = usage.ru_maxrss / (1024.0 if sys.platform == "linux" else 1024.0**2)
    return Usage(perf_counter() - began, usage.ru_utime + usage.ru_stime, peak)


def corpus(root: Path, url: str, count: int, condensed: int) -> dict[str, Usage]:
    """Run the stages over `count` problems."""
    root.mkdir()
    # The families have fewer texts than that: a number makes each its own. Not held here: a process starts with its parent's peak.
    numbered = (msgspec.structs.replace(each, statement=f"({each.number}) {each.statement}") for each in teachers.drawn(count))
    files.write_records(root / PATHS.problems, numbered)
    endpoint = teachers.ENDPOINT | {"concurrency": 32, "timeout": 60.0, "deadline": 120.0}
    teachers.study(root, url, endpoints={"here": endpoint}, condense={"attempts": 1, "sampling": teachers.SAMPLING})
    found = {name: run(root, f"stages.{name.split()[0]}", "new") for name in ("solve", "solve again", "verify")}
    verified = files.iterate_records(root / PATHS.verified, Verified)
    files.write_records(root / "first.jsonl", (row for number, row in enumerate(verified) if number < condensed))
    return found | {f"condense ({condensed:,})": run(root, "stages.condense", "new", "--path", "verified=first.jsonl")}


def resume(root: Path) -> float:
    """Return the seconds that the store takes to open and to look up every call of the solver; keys are made before."""
    os.chdir(root)
    study_file.study.cache_clear()
    params = study_file.section(PATHS.study_file, "solve", solver.ModelSolver)
    prompt = solver.load_prompt(params)
    problems = files.iterate_records(PATHS.problems, Problem)
    keys = [request.key(solver.build_request(params, prompt, problem), 0) for problem in problems]
    began = perf_counter()
    with opened(PATHS.study_file, PATHS.work, "solve", params) as client:
        assert all(client.store.holds(key) for key in keys)
    return perf_counter() - began


def main() -> None:
    """Print the table."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 94_000
    condensed = int(sys.argv[2]) if len(sys.argv) > 2 else count // 10
    with TemporaryDirectory() as folder, serving(Script(answers="tests.teachers:answer", reasoning="think"), Path(folder, "log")) as server:
        tenth = corpus(Path(folder, "tenth"), server.url, count // 10, condensed // 10)
        whole = corpus(Path(folder, "whole"), server.url, count, condensed)
        seconds = resume(Path(folder, "whole"))
        size = Path(folder, "whole", ".work", "new", "calls.sqlite").stat().st_size / 1e6
        os.chdir(ROOT)
    print(f"{'stage':24}{count // 10:>18,} problems{count:>18,} problems")
    for (name, small), (other, large) in zip(tenth.items(), whole.items(), strict=True):
        print(f"{name if name == other else other:24}{small.peak:>15.0f} MB {large.peak:>27.0f} MB, {large.wall:.1f} s")
    most = max(large.peak for large in whole.values())
    print(f"peak {most:.0f} MB, allowed {LIMIT:.0f}")
    print(f"store of {size:.0f} MB opened and every call looked up in {seconds:.2f} s, allowed {RESUME:.0f}")
    sys.exit(most > LIMIT or seconds > RESUME)


if __name__ == "__main__":
    main()
