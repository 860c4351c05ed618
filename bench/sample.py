"""Compare sampling with mlx-lm's: `python -m bench.sample` where `mini` is computed or pulled. Writes section `sample` of the record.

The question is the study's own: its prompts, its student with r1's adapter and without one, greedy, up to `sample.max_tokens`. Sides, each
in a process of its own, in turn, round after round, all with the pinned BLAS and the same float32 weights (the adapter merged):

- ours: what the stage calls, with the start of its two workers, their imports and the loading of the model;
- one: our decoder in one process, the model loaded;
- batch: `mlx_lm.batch_generate` as it comes, all prompts in one call, the model loaded;
- loop: the authors' way, `mlx_lm.generate` for one prompt after another (the loop of its body, which gives the tokens too), on every 20th
  prompt by length.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from tabulate import tabulate

from bench.record import record
from distill.cli.layout import BASE, layout
from distill.core import study_file
from distill.model import engine
from distill.model.chat_tokenizer import ChatTokenizer
from distill.model.model_io import adapted
from distill.sampling import batch_decoder
from distill.sampling.jobs import Job, Params, cut, make_jobs
from stages.sample import questions

PATHS = layout("mini", "r1", 1)
ARMS = {"r1": PATHS.adapter, BASE: None}
SIDES = ("ours", "one", "batch", "loop")
STRIDE = 20  # of the loop, which takes minutes for all


def main(rounds: str = "3") -> None:
    """Time every side in turn, `rounds` times; print a table and record the medians."""
    found: dict[str, Any] = {}
    for arm in ARMS:
        runs: dict[str, list[dict[str, Any]]] = {side: [] for side in SIDES}
        for number in range(int(rounds)):
            for side in SIDES if number % 2 else SIDES[::-1]:
                runs[side].append(_run(arm, side))
        speeds = {side: _speed(runs[side]) for side in SIDES}
        ratios = {f"vs_{name}": _ratio(runs["ours"], runs[side]) for name, side in (("sequential", "loop"), ("batch", "batch"))}
        ratios["one_process_vs_batch"] = _ratio(runs["one"], runs["batch"])
        ties = {side: compare(arm, runs["ours"][0]["tokens"], runs[side][0]["tokens"]) for side in ("batch", "loop")}
        found[arm] = ratios | {"speeds": speeds, "differences": ties}
        print(tabulate([[arm, side, *speeds[side].values()] for side in SIDES], headers=["arm", "side", *speeds["ours"]]))
        print(json.dumps(ratios | ties), flush=True)
    lowest = {name: min(found[arm][name] for arm in ARMS) for name in ("vs_sequential", "vs_batch", "one_process_vs_batch")}
    record("sample", lowest | {"rounds": int(rounds)} | found)


def _run(arm: str, side: str) -> dict[str, Any]:
    done = subprocess.run([sys.executable, "-m", "bench.sample", "side", side, arm], stdout=subprocess.PIPE, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _speed(runs: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Return the medians of problems and tokens a second."""
    return {what: median(_rate(run, what) for run in runs) for what in ("problems_per_s", "tokens_per_s")}


def _rate(run: dict[str, Any], what: str) -> float:
    """Return how much a second, the loop's problems at the length of all the problems."""
    count = len(run["tokens"]) if what == "problems_per_s" else sum(map(len, run["tokens"].values()))
    return float(count / run["seconds"])


def _ratio(ours: Sequence[dict[str, Any]], theirs: Sequence[dict[str, Any]]) -> float:
    """Return the median over rounds of how much faster we answer the problems that they answer, by tokens: the loop's may be longer."""
    return median(_rate(a, "tokens_per_s") / _rate(b, "tokens_per_s") for a, b in zip(ours, theirs, strict=True))


def side(name: str, arm: str) -> None:
    """Answer by one side; print the seconds and the tokens of each problem, its end token left out."""
    jobs, tokenizer, params = _jobs()
    jobs.sort(key=lambda job: (len(job.prompt), job.benchmark, job.id))
    seconds, tokens = {"ours": _ours, "one": _one, "batch": _batch, "loop": _loop}[name](jobs, tokenizer, ARMS[arm], params)
    written = {name: [token for token in row if token not in tokenizer.eos_ids] for name, row in tokens}
    print(json.dumps({"seconds": seconds, "tokens": written}))


def _jobs() -> tuple[list[Job], ChatTokenizer, Params]:
    params = study_file.section(PATHS.study_file, "sample", Params)
    tokenizer = ChatTokenizer(PATHS.student)
    asked = questions(PATHS.benchmarks)
    return make_jobs(asked, tokenizer, params), tokenizer, params


Answers = tuple[float, Iterable[tuple[str, list[int]]]]


def _ours(jobs: list[Job], tokenizer: ChatTokenizer, adapter: Path | None, params: Params) -> Answers:
    with tempfile.TemporaryDirectory() as kept:
        start = time.perf_counter()
        batches = cut(jobs, params)
        found = batch_decoder.complete(batches, PATHS.student, adapter, params, Path(kept), batch_decoder.workers())
        seconds = time.perf_counter() - start
    return seconds, [(f"{each.benchmark}/{each.id}", tokenizer.tokenizer.encode(each.text, add_special_tokens=False).ids) for each in found]


def _one(jobs: list[Job], tokenizer: ChatTokenizer, adapter: Path | None, params: Params) -> Answers:
    model = _model(adapter)
    from distill.sampling import decode, fast_decode

    model = fast_decode.replace_layers(model)
    start, found = time.perf_counter(), []
    for batch in cut(jobs, params):
        rows = decode.decode(model, [job.prompt for job in batch], tokenizer.eos_ids, params.max_tokens, decode.greedy)
        found += [(f"{job.benchmark}/{job.id}", row) for job, row in zip(batch, rows, strict=True)]
    return time.perf_counter() - start, found


def _batch(jobs: list[Job], tokenizer: ChatTokenizer, adapter: Path | None, params: Params) -> Answers:
    model, wrapper = _model(adapter), _mlx_lm_tokenizer(tokenizer)
    from mlx_lm import batch_generate

    start = time.perf_counter()
    done = batch_generate(model, wrapper, [job.prompt for job in jobs], max_tokens=params.max_tokens, return_token_ids=True)
    return time.perf_counter() - start, zip([f"{job.benchmark}/{job.id}" for job in jobs], done.token_ids, strict=True)


def _loop(jobs: list[Job], tokenizer: ChatTokenizer, adapter: Path | None, params: Params) -> Answers:
    model, wrapper = _model(adapter), _mlx_lm_tokenizer(tokenizer)
    from mlx_lm import stream_generate

    start, found = time.perf_counter(), []
    for job in jobs[STRIDE // 2 :: STRIDE]:
        steps = stream_generate(model, wrapper, job.prompt, max_tokens=params.max_tokens)
        found.append((f"{job.benchmark}/{job.id}", [int(step.token) for step in steps]))
    return time.perf_counter() - start, found


def _model(adapter: Path | None) -> Any:
    engine.start()
    return adapted(PATHS.student, adapter, True, fuse=True)[0]


def _mlx_lm_tokenizer(tokenizer: ChatTokenizer) -> Any:
    from mlx_lm.utils import load_tokenizer

    return load_tokenizer(tokenizer.folder, eos_token_ids=sorted(tokenizer.eos_ids))


def compare(arm: str, ours: dict[str, list[int]], theirs: dict[str, list[int]]) -> dict[str, float]:
    """Return how many answers differ, of how many, and the largest gap of logits between the two tokens where they part (0: a tie)."""
    prompts = {f"{job.benchmark}/{job.id}": job.prompt for job in _jobs()[0]}
    parted = [name for name in theirs if ours[name] != theirs[name]]
    gaps = []
    if parted:
        model = _model(ARMS[arm])
        import mlx.core as mx

        for name in parted:
            pairs = enumerate(zip(ours[name], theirs[name], strict=False))
            place = next((place for place, (a, b) in pairs if a != b), min(len(ours[name]), len(theirs[name])))
            logits = model(mx.array([prompts[name] + ours[name][:place]]))[0, -1]
            two = sorted(float(value) for value in mx.topk(logits, 2).tolist())
            gaps.append(two[1] - two[0])
    return {"answers": len(theirs), "different": len(parted), "largest_gap": max(gaps, default=0.0)}


if __name__ == "__main__":
    if sys.argv[1:2] == ["side"]:
        side(*sys.argv[2:])
    else:
        main(*sys.argv[1:])
