"""What a student is asked: a job for each problem and sample, in batches of fixed composition."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Annotated, NamedTuple

import msgspec
from msgspec import UNSET, Meta, UnsetType

from distill.core.errors import InputError
from distill.model.chat_tokenizer import Argument, ChatTokenizer
from distill.records.example import prompt
from distill.records.problem import Problem

Count = Annotated[int, Meta(ge=1)]
Temperature = Annotated[float, Meta(ge=0)]
Share = Annotated[float, Meta(gt=0, le=1)]


class Override(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is asked differently of one benchmark."""

    max_tokens: Count | UnsetType = UNSET
    temperature: Temperature | UnsetType = UNSET
    top_p: Share | UnsetType = UNSET
    samples: Count | UnsetType = UNSET
    batch_size: Count | UnsetType = UNSET
    refill_window: Count | UnsetType = UNSET
    chat_template: dict[str, Argument] | UnsetType = UNSET


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Section `sample` of a study file."""

    max_tokens: Count
    temperature: Temperature
    top_p: Share
    samples: Count
    seed: Annotated[int, Meta(ge=0)]
    batch_size: Count
    refill_window: Count
    system: str
    chat_template: dict[str, Argument]
    benchmarks: list[str]
    float32: bool
    per_benchmark: dict[str, Override] | UnsetType = UNSET

    def of(self, benchmark: str) -> "Params":
        """Return the values for one benchmark: its own in place of those of all."""
        own = (self.per_benchmark or {}).get(benchmark, Override())
        return msgspec.structs.replace(self, per_benchmark=UNSET, **msgspec.to_builtins(own))


class Job(NamedTuple):
    """One completion to write."""

    benchmark: str
    id: str
    sample: int
    prompt: list[int]


def make_jobs(problems: Sequence[Problem], tokenizer: ChatTokenizer, params: Params) -> list[Job]:
    """Return a job for each problem and sample."""
    own = {name: params.of(name) for name in {problem.benchmark for problem in problems}}
    tokenizers = {name: tokenizer.with_arguments(each.chat_template) for name, each in own.items()}
    pairs = [(problem, tokenizers[problem.benchmark].prompt(prompt(params.system, problem.statement))) for problem in problems]
    return [
        Job(problem.benchmark, problem.id, sample, tokens) for problem, tokens in pairs for sample in range(own[problem.benchmark].samples)
    ]


def check(params: Params, benchmarks: Sequence[str], section: str) -> None:
    """Raise an InputError for values that cannot go together, of any benchmark, and for a benchmark that is not asked."""
    known = params.per_benchmark or {}
    if unknown := sorted(known.keys() - set(benchmarks)):
        raise InputError(f"{section}: per_benchmark.{unknown[0]}: not asked; asked are {', '.join(benchmarks)}")
    for name in benchmarks:
        own, where = params.of(name), f"{section}: " + (f"per_benchmark.{name}: " if name in known else "")
        if own.samples > 1 and not own.temperature:
            raise InputError(f"{where}{own.samples} samples at temperature 0 are all the same; raise the temperature")
        if own.refill_window < own.batch_size:
            raise InputError(
                f"{where}refill_window is {own.refill_window}; it holds a batch or more, at least {own.batch_size} (batch_size)"
            )


def cut(jobs: Sequence[Job], params: Params) -> list[list[Job]]:
    """Return batches of one benchmark and of like prompt length; a further benchmark leaves the batches of the others as they are."""
    by_benchmark = defaultdict(list)
    for job in sorted(jobs, key=lambda job: (job.benchmark, len(job.prompt), job.id, job.sample)):
        by_benchmark[job.benchmark].append(job)
    return [batch for name, part in by_benchmark.items() for batch in _pieces(part, params.of(name).refill_window)]


def _pieces(jobs: list[Job], size: int) -> Iterator[list[Job]]:
    return (jobs[start : start + size] for start in range(0, len(jobs), size))
