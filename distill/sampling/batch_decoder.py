"""Decodes batches of jobs, in two processes on a CPU; finished batches are kept in files, so that a killed run continues from them."""

import hashlib
import json
import multiprocessing
import os
import shutil
import signal
import threading
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from tqdm import tqdm

from distill.core.errors import InputError
from distill.core.files import read_records, write_records
from distill.model import engine
from distill.model.chat_tokenizer import ChatTokenizer
from distill.model.model_io import adapted
from distill.records.completion import Completion
from distill.sampling.jobs import Job, Params


def batch_folder(folder: Path, facts: dict[str, Any], batches: list[list[Job]], params: Params) -> Path:
    """Return the folder of the finished batches of this very run; those of other runs in `folder` are deleted."""
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
    """Decode every batch that has no file in `kept` yet; return all completions, sorted."""
    files = [kept / f"{number:04d}.jsonl" for number in range(len(batches))]
    tasks = [
        (batch, student, adapter, params.of(batch[0].benchmark), file)
        for batch, file in zip(batches, files, strict=True)
        if not file.exists()
    ]
    total, left = sum(map(len, batches)), sum(len(task[0]) for task in tasks)
    with tqdm(total=total, initial=total - left, unit=" completions", desc="sample", disable=None) as bar:
        if processes == 1:
            for task in tasks:
                bar.update(_decode(*task))
        else:
            _decode_in_pool(tasks, processes, bar)
    found = [completion for file in files for completion in read_records(file, Completion)]
    return sorted(found, key=lambda completion: (completion.benchmark, completion.id, completion.sample))


def _decode_in_pool(tasks: list[Any], processes: int, bar: Any) -> None:
    pool = ProcessPoolExecutor(processes, multiprocessing.get_context("spawn"), _start_worker)
    longest_first = sorted(tasks, key=lambda task: -sum(len(job.prompt) for job in task[0]))
    try:
        for future in as_completed([pool.submit(_decode, *task) for task in longest_first]):
            bar.update(future.result())
    except BrokenProcessPool:
        raise InputError("a worker died, perhaps out of memory; run it again to continue from the finished batches") from None
    finally:
        pool.shutdown(cancel_futures=True)  # a running batch ends, and is kept


def _start_worker() -> None:
    """End this worker when its parent ends, by a kill too; leave Ctrl-C to the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def wait() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def _decode(batch: list[Job], student: Path, adapter: Path | None, params: Params, file: Path) -> int:
    """Decode one batch into its file; return its size."""
    engine.start()
    from distill.sampling import decode

    tokenizer, model = _load(student, adapter, params.float32)
    pick: decode.Pick = decode.greedy
    if params.temperature:
        pick = decode.sampler(params.temperature, params.top_p, [_seed(params.seed, job) for job in batch], params.max_tokens)
    prompts = [job.prompt for job in batch]
    if params.refill_window > params.batch_size:
        written = decode.continuous_batching(model, prompts, tokenizer.eos_ids, params.max_tokens, params.batch_size, pick)
    else:
        written = decode.decode(model, prompts, tokenizer.eos_ids, params.max_tokens, pick)
    write_records(file, [completion(job, tokens, tokenizer) for job, tokens in zip(batch, written, strict=True)])
    return len(batch)


@cache
def _load(student: Path, adapter: Path | None, float32: bool) -> tuple[ChatTokenizer, Any]:
    from distill.sampling import fast_decode

    return ChatTokenizer(student), fast_decode.replace_layers(adapted(student, adapter, float32, fuse=float32)[0])


def _seed(seed: int, job: Job) -> int:
    return int.from_bytes(hashlib.blake2b(f"{seed} {job.benchmark} {job.id} {job.sample}".encode(), digest_size=7).digest(), "big")


def completion(job: Job, tokens: list[int], tokenizer: ChatTokenizer) -> Completion:
    """Return the record of a decoded job; an end token counts as a token and is not in the text."""
    ended = tokens[-1] in tokenizer.eos_ids
    text = tokenizer.decode(tokens[:-1] if ended else tokens)
    return Completion(job.benchmark, job.id, job.sample, text, len(tokens), "stop" if ended else "length")
