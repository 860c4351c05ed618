"""Scores the cells of a run in processes of their own; a finished cell is kept in a file named by all that determines it."""

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tqdm import tqdm

from distill.core.cells import Cell
from distill.core.errors import InputError
from distill.core.files import read_records, write_records
from distill.likelihood import jobs
from distill.likelihood.parts import Drawn
from distill.likelihood.row import Likelihood
from distill.model import engine
from distill.model.model_io import adapted
from distill.processes import worker_pool

CODE = ("forward.py", "jobs.py", "targets.py", "row.py")  # whose change makes every kept cell void
LIMITS = worker_pool.Limits(seconds=86400.0, memory=2**46)  # of a cell: a day, and any memory


class Task(NamedTuple):
    """One cell to score."""

    cell: Cell
    student: Path
    adapter: Path | None
    float32: bool
    batch_tokens: int
    drawn: Sequence[Drawn]
    jobs: Sequence[jobs.Job]
    file: Path


def kept(folder: Path, cell: Cell, facts: Mapping[str, Any], todo: Sequence[jobs.Job]) -> Path:
    """Return the file of a cell's rows, named by a hash of what determines them."""
    code = [(Path(__file__).parent / name).read_text(encoding="utf-8") for name in CODE]
    key = hashlib.sha256(json.dumps([facts, todo, code], sort_keys=True).encode()).hexdigest()[:16]
    return folder / f"{cell[0]}-{cell[1]}-{key}.jsonl"


def score(tasks: Sequence[Task]) -> list[Likelihood]:
    """Score every cell that has no file yet, in two processes on a CPU that has two cores; return the rows of all, in the order given."""
    todo = [task for task in tasks if not task.file.exists()]
    count = min(2, worker_pool.cores()) if engine.start()["backend"] == "cpu" else 1
    with tqdm(total=len(tasks), initial=len(tasks) - len(todo), unit=" cells", desc="likelihood", disable=None) as bar:
        running = worker_pool.run(_score, todo, LIMITS, count)
        with contextlib.closing(running):
            for task, outcome in running:
                if outcome.failure:
                    name = f"{task.cell[0]}-{task.cell[1]}"
                    raise InputError(f"cell {name}: its process ended ({outcome.failure}), perhaps out of memory; run it again to go on")
                bar.update()
    return [row for task in tasks for row in read_records(task.file, Likelihood)]


def clear(folder: Path, tasks: Sequence[Task]) -> None:
    """Remove the files of cells that are not of this run."""
    for file in set(folder.glob("*.jsonl")) - {task.file for task in tasks}:
        os.unlink(file)


def _score(task: Task) -> int:
    """Score a cell into its file; return how many rows it has."""
    engine.start()
    from distill.likelihood import forward  # imports mlx

    model = forward.prepared(adapted(task.student, task.adapter, task.float32, fuse=task.float32)[0])
    nats = forward.score_texts(model, [(job.prompt, job.target.tokens, _first(job)) for job in task.jobs], task.batch_tokens)
    return write_records(task.file, jobs.rows(*task.cell, task.drawn, task.jobs, nats))


def _first(job: jobs.Job) -> int:
    """Return the first token of a job that is scored: a sampled chain itself is not."""
    return 0 if any(measure.startswith("chain") for measure in job.measures) else job.target.chain
