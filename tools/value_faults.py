"""The faults of values that must fit each other, in one section or between sections: sizes, counts and patterns."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from distill.core.errors import InputError
from distill.pretraining import scratch_student
from distill.sampling import jobs
from distill.sources import local_problems
from stages import fetch


def within(good: Mapping[str, Any]) -> Iterator[str]:
    """What keys of one section say of each other, and patterns."""
    sample, student, extract_ = (good.get(name) for name in ("sample", "student", "extract"))
    if isinstance(sample, jobs.Params) and sample.refill_window < sample.batch_size:
        yield f"sample.refill_window: {sample.refill_window} is less than sample.batch_size, {sample.batch_size}; it holds a batch or more"
    if isinstance(sample, jobs.Params) and sample.samples > 1 and not sample.temperature:
        yield f"sample.samples: {sample.samples} at temperature 0 are all the same; raise the temperature"
    if isinstance(student, scratch_student.Params):
        for key, parts in (("hidden", "heads"), ("heads", "kv_heads")):
            whole, part = getattr(student, key), getattr(student, parts)
            if whole % part:
                yield f"student.{key}: {whole} is no multiple of student.{parts}, {part}"
    for name, pattern in getattr(extract_, "names", {}).items():
        try:
            re.compile(pattern)
        except re.error as error:
            yield f"extract.names.{name}: {pattern!r} is no regular expression: {error}"
    levels = good.get("levels", [])
    if twice := sorted({level for level in levels if levels.count(level) > 1}):
        yield f"levels: '{twice[0]}' is there twice; remove one"


def split_sizes(good: Mapping[str, Any]) -> Iterator[str]:
    if "split" not in good:
        return
    sizes = good["split"]
    held = max(sizes.asked if isinstance(sizes.asked, int) else 0, sizes.heldout_least)
    total, needed = _problems(good.get("fetch")), sizes.train + sizes.valid + held
    if total is not None and needed > total:
        yield f"split: train {sizes.train}, valid {sizes.valid} and {held} held out are {needed} problems; fetch brings {total}"
    for key, side in (("seen", "train"), ("asked_valid", "valid")):
        if getattr(sizes, key) > getattr(sizes, side):
            yield f"split.{key}: {getattr(sizes, key)} is more than split.{side}, {getattr(sizes, side)}"
    for name, arm in good.get("arms", {}).items():
        if arm.protocol == "clean" and arm.n > sizes.train:
            yield f"arms.{name}: n {arm.n} is more than split.train, {sizes.train}"


def _problems(source: Any) -> int | None:
    """Return how many problems the fetch stage will bring; None where only it can tell."""
    if isinstance(source, fetch.Competition):
        return (source.last_year - source.first_year + 1) * sum(source.problems.values())
    if isinstance(source, local_problems.Source) and Path(source.path).is_file():
        try:
            return local_problems.complete(Path(source.path))
        except InputError:  # stage `extract` names the line
            return None
    return None
