"""sample: what a student answers to the evaluated competition problems and to the benchmarks; with an adapter, or the base without one.

Prompts of like length are decoded together, from queues of fixed composition, so that neither the number of workers nor a killed run
changes a byte. A missing or foreign adapter is a fault, never silently the base.
"""

import hashlib
import json
import multiprocessing
import os
import shutil
import signal
import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec import Meta
from tqdm import tqdm

from distill.cli import command
from distill.core import study_file
from distill.core.errors import InputError
from distill.core.files import read_json, read_records, write_json, write_records
from distill.model import engine, light
from distill.model.model_io import VOCABULARY, WEIGHTS, Student, adapted, digest
from distill.records.assignment import Assignment
from distill.records.completion import Completion
from distill.records.example import prompt
from distill.records.problem import Problem

Count = Annotated[int, Meta(ge=1)]


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Section `sample` of a study file."""

    max_tokens: Count
    temperature: Annotated[float, Meta(ge=0)]
    top_p: Annotated[float, Meta(gt=0, le=1)]
    samples: Count
    seed: int
    batch_size: Count
    queue: Count
    system: str
    benchmarks: list[str]
    float32: bool


class Job(NamedTuple):
    """One completion to write."""

    benchmark: str
    id: str
    sample: int
    prompt: list[int]


def main(study: str, arm: str, seed: str, problems: str, split: str, benchmarks: str, student: str, *adapter_out: str) -> None:
    """Write ARM-SEED's completions; the words after STUDENT are ADAPTER OUT, or OUT alone where ARM is `base`."""
    params = study_file.section(study, "sample", Params)
    adapter, out = _paths(arm, adapter_out)
    name = f"{arm}-{seed}" if adapter else arm
    work, started = Path(".work", Path(study).stem), time.monotonic()
    asked = questions(Path(problems), Path(split), Path(benchmarks), params)
    if params.samples > 1 and not params.temperature:
        raise InputError(f"{study}: section 'sample': {params.samples} samples at temperature 0 are all the same; raise the temperature")
    if params.queue < params.batch_size:
        raise InputError(
            f"{study}: section 'sample': queue is {params.queue}; it holds a batch or more, at least {params.batch_size} (batch_size)"
        )
    batches = cut(jobs(asked, Student(Path(student)), params), params.queue)
    base = digest(Path(student), WEIGHTS)
    facts: dict[str, Any] = {"student": base, "tokenizer": digest(Path(student), VOCABULARY), "engine": engine.start()}
    if adapter is not None:
        check(adapter, arm, seed, base, params.float32)
        facts["adapter"] = digest(adapter)
    kept = keep(work / "sample" / name, facts, batches, params)
    completions = complete(batches, Path(student), adapter, params, kept, workers())
    wrote = write_records(out, completions)
    shutil.rmtree(work / "sample" / name)
    spent = {"seconds": time.monotonic() - started, "tokens": sum(completion.tokens for completion in completions)}
    write_json(work / "log" / f"sample-{name}.json", spent)
    command.closing(f"sample {name}", sum(map(len, batches)), wrote)


def _paths(arm: str, adapter_out: Sequence[str]) -> tuple[Path | None, Path]:
    """Read the last words of the command line: the base, and it alone, has no adapter."""
    expected = ["OUT"] if arm == "base" else ["ADAPTER", "OUT"]
    if len(adapter_out) != len(expected):
        raise InputError(f"expected {' '.join(expected)} after STUDENT for arm '{arm}', got {' '.join(adapter_out) or 'nothing'}")
    return (None if arm == "base" else Path(adapter_out[0])), Path(adapter_out[-1])


def questions(problems: Path, split: Path, benchmarks: Path, params: Params) -> list[Problem]:
    """Return the evaluated competition problems and every problem of the named benchmarks."""
    evaluated = {assignment.id for assignment in read_records(split, Assignment) if assignment.evaluate}
    competition = [problem for problem in read_records(problems, Problem) if problem.id in evaluated]
    if len(competition) < len(evaluated):
        raise InputError(
            f"{split}: {len(evaluated)} problems are to be asked, {len(competition)} of them stand in {problems}; run `dvc repro`"
        )
    return [*competition, *chain.from_iterable(read_records(benchmarks / f"{name}.jsonl", Problem) for name in params.benchmarks)]


def jobs(asked: Sequence[Problem], student: Student, params: Params) -> list[Job]:
    """Return a job for each problem and sample."""
    prompts = [student.prompt(prompt(params.system, problem.statement)) for problem in asked]
    pairs = zip(asked, prompts, strict=True)
    return [Job(problem.benchmark, problem.id, sample, tokens) for problem, tokens in pairs for sample in range(params.samples)]


def cut(jobs: Sequence[Job], size: int) -> list[list[Job]]:
    """Return batches of one benchmark and of like prompt length; a benchmark more leaves the batches of the others as they are."""
    by_benchmark = defaultdict(list)
    for job in sorted(jobs, key=lambda job: (job.benchmark, len(job.prompt), job.id, job.sample)):
        by_benchmark[job.benchmark].append(job)
    return [part[start : start + size] for part in by_benchmark.values() for start in range(0, len(part), size)]


def check(adapter: Path, arm: str, seed: str, base: str, float32: bool) -> None:
    """Raise an InputError unless the adapter is there and was trained for this arm, seed, student and number format."""
    if not (adapter / "adapters.safetensors").exists():
        raise InputError(f"{adapter}: no adapters.safetensors; run `dvc repro` for the train stage, or `dvc pull`")
    about = read_json(adapter / "manifest.json")
    made = (about["arm"], str(about["seed"]), about["student"][:12], about["train"]["float32"])
    wanted = (arm, seed, base[:12], float32)
    for what, is_, should in zip(("arm", "seed", "student", "float32"), made, wanted, strict=True):
        if is_ != should:
            raise InputError(f"{adapter}: the adapter's {what} is {is_}, wanted is {should}; run `dvc repro` for the train stage")


def keep(folder: Path, facts: dict[str, Any], batches: list[list[Job]], params: Params) -> Path:
    """Return the folder of the finished batches of this very run; those of other runs under the same name go."""
    inputs = json.dumps([facts, batches, msgspec.to_builtins(params)], sort_keys=True)
    mine = folder / hashlib.sha256(inputs.encode()).hexdigest()[:16]
    for other in folder.glob("*"):
        if other != mine:
            shutil.rmtree(other)
    return mine


def workers() -> int:
    """Return how many one-thread processes decode: two on a CPU that has them, one on a GPU."""
    return min(2, os.cpu_count() or 1) if engine.start()["backend"] == "cpu" else 1


def complete(batches: list[list[Job]], student: Path, adapter: Path | None, params: Params, kept: Path, processes: int) -> list[Completion]:
    """Decode every batch that is not kept yet; return all completions, sorted."""
    files = [kept / f"{number:04d}.jsonl" for number in range(len(batches))]
    tasks = [(batch, student, adapter, params, file) for batch, file in zip(batches, files, strict=True) if not file.exists()]
    total, done = sum(map(len, batches)), sum(map(len, batches)) - sum(len(task[0]) for task in tasks)
    with tqdm(total=total, initial=done, unit=" completions", desc="sample", disable=None) as bar:
        if processes == 1:
            for task in tasks:
                bar.update(_decode(*task))
        else:
            _spread(tasks, processes, bar)
    found = [completion for file in files for completion in read_records(file, Completion)]
    return sorted(found, key=lambda completion: (completion.benchmark, completion.id, completion.sample))


def _spread(tasks: list[Any], processes: int, bar: Any) -> None:
    pool = ProcessPoolExecutor(processes, multiprocessing.get_context("spawn"), _follow)
    longest_first = sorted(tasks, key=lambda task: -sum(len(job.prompt) for job in task[0]))
    try:
        for future in as_completed([pool.submit(_decode, *task) for task in longest_first]):
            bar.update(future.result())
    except BrokenProcessPool:
        raise InputError("a worker died, out of memory perhaps: run it again to go on from the batches that are kept") from None
    finally:
        pool.shutdown(cancel_futures=True)  # what runs ends its batch, and keeps it


def _follow() -> None:
    """Make this worker ready: it ends when its parent ends, by a kill too; Ctrl-C is the parent's to handle."""
    engine.start()
    light.start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:

        def wait() -> None:
            parent.join()
            os._exit(1)

        threading.Thread(target=wait, daemon=True).start()


def _decode(batch: list[Job], student: Path, adapter: Path | None, params: Params, file: Path) -> int:
    """Decode one batch into its file; return its size."""
    engine.start()
    from distill.sampling import decode

    tongue, model = _open(student, adapter, params.float32)
    pick: decode.Pick = decode.greedy
    if params.temperature:
        seeds = [_seed(params.seed, job) for job in batch]
        pick = decode.sampler(params.temperature, params.top_p, seeds, params.max_tokens)
    prompts = [job.prompt for job in batch]
    if params.queue > params.batch_size:
        written = decode.refilled(model, prompts, tongue.ends, params.max_tokens, params.batch_size, pick)
    else:
        written = decode.decode(model, prompts, tongue.ends, params.max_tokens, pick)
    write_records(file, [_completion(job, tokens, tongue) for job, tokens in zip(batch, written, strict=True)])
    return len(batch)


@cache
def _open(student: Path, adapter: Path | None, float32: bool) -> tuple[Student, Any]:
    from distill.sampling import fast_decode

    return Student(student), fast_decode.hasten(adapted(student, adapter, float32, fuse=float32)[0])


def _seed(seed: int, job: Job) -> int:
    return int.from_bytes(hashlib.blake2b(f"{seed} {job.benchmark} {job.id} {job.sample}".encode(), digest_size=7).digest(), "big")


def _completion(job: Job, tokens: list[int], student: Student) -> Completion:
    ended = tokens[-1] in student.ends
    text = student.decode(tokens[:-1] if ended else tokens)
    return Completion(job.benchmark, job.id, job.sample, text, len(tokens), "stop" if ended else "length")


if __name__ == "__main__":
    command.run(main)
