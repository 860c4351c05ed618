"""What a student is asked: a job for each problem and sample, in batches of fixed composition."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta

from distill.model.chat_tokenizer import ChatTokenizer
from distill.records.example import prompt
from distill.records.problem import Problem

Count = Annotated[int, Meta(ge=1)]


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Section `sample` of a study file."""

    max_tokens: Count
    temperature: Annotated[float, Meta(ge=0)]
    top_p: Annotated[float, Meta(gt=0, le=1)]
    samples: Count
    seed: Annotated[int, Meta(ge=0)]
    batch_size: Count
    refill_window: Count
    system: str
    benchmarks: list[str]
    float32: bool


class Job(NamedTuple):
    """One completion to write."""

    benchmark: str
    id: str
    sample: int
    prompt: list[int]


def make_jobs(problems: Sequence[Problem], tokenizer: ChatTokenizer, params: Params) -> list[Job]:
    """Return a job for each problem and sample."""
    pairs = [(problem, tokenizer.prompt(prompt(params.system, problem.statement))) for problem in problems]
    return [Job(problem.benchmark, problem.id, sample, tokens) for problem, tokens in pairs for sample in range(params.samples)]


def cut(jobs: Sequence[Job], size: int) -> list[list[Job]]:
    """Return batches of one benchmark and of like prompt length; a further benchmark leaves the batches of the others as they are."""
    by_benchmark = defaultdict(list)
    for job in sorted(jobs, key=lambda job: (job.benchmark, len(job.prompt), job.id, job.sample)):
        by_benchmark[job.benchmark].append(job)
    return [part[start : start + size] for part in by_benchmark.values() for start in range(0, len(part), size)]
