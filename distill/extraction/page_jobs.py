"""Pages read in worker processes, one a core; a page or a file that fails or exceeds its limits is an InputError that names it."""

import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Annotated, NamedTuple, TypeVar

import msgspec
from msgspec import Meta
from tqdm import tqdm

from distill.core.errors import InputError
from distill.extraction.page import Region
from distill.processes import worker_pool

T = TypeVar("T")

Count = Annotated[int, Meta(ge=1)]
Positive = Annotated[float, Meta(gt=0)]


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one file may cost."""

    pages: Count
    page_seconds: Positive  # of processor time
    file_seconds: Positive
    memory_gb: Positive  # of one worker


class Job(NamedTuple):
    """One page of a file, or a region of it; `number` from 0, -1 for the file as a whole."""

    path: Path
    number: int
    region: Region | None = None

    def __str__(self) -> str:
        return f"{self.path} page {self.number + 1}" if self.number >= 0 else str(self.path)


def run(function: Callable[[Job], T], jobs: Sequence[Job], limits: Limits, title: str = "") -> dict[Job, T]:
    """Return ``function(job)`` of every job; the first failure is raised."""
    results: dict[Job, T] = {}
    spent = defaultdict[Path, float](float)
    of_a_page = worker_pool.Limits(limits.page_seconds, int(limits.memory_gb * 2**30))
    bar = tqdm(total=len(jobs), desc=title, unit="page", file=sys.stderr, disable=not title)
    with closing(worker_pool.run(function, jobs, of_a_page, worker_pool.cores())) as outcomes, bar:
        for job, outcome in outcomes:
            if outcome.failure:
                raise InputError(f"{job}: {_reason(outcome.failure, limits)}")
            spent[job.path] += outcome.seconds
            if spent[job.path] > limits.file_seconds:
                raise InputError(f"{job.path}: {_late(limits.file_seconds, 'file_seconds')}")
            results[job] = outcome.value  # type: ignore[assignment]  # a task that did not fail has a value
            bar.update()
    return results


def _reason(failure: str, limits: Limits) -> str:
    if failure == "time":
        return _late(limits.page_seconds, "page_seconds")
    if failure == "memory":
        return "too large for extract.limits.memory_gb; raise it, lower extract.ocr_dpi, or remove the file"
    if failure == "killed":
        return "its reader was killed, probably for lack of memory; run again with fewer cores (taskset)"
    allowed = f"damaged, or larger than extract.limits.memory_gb ({limits.memory_gb:g}) allows"
    return f"its reader crashed ({failure}): {allowed}; replace the file, or remove it from the sources"


def _late(seconds: float, key: str) -> str:
    return f"reading took longer than {seconds:g} s; raise extract.limits.{key}, lower extract.ocr_dpi, or remove the file"
