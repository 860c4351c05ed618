"""Compare sampling with transformers and llama.cpp: `python -m bench.sample_peers [STUDY[:TOKENS] ...] [--packages FOLDER ...]`, where a
study's student and benchmarks are computed or pulled.

It needs what the project does not: `pip install --target FOLDER torch llama-cpp-python gguf` (torch's CPU wheel will do; llama.cpp is built
for the processor here), then `--packages FOLDER`; a side that is not there is left out with one line. The folder is on the path of those
sides alone: transformers would load torch in ours too.

Every side answers the same prompts of the study, greedy, with its float32 student without an adapter, in the same batches of --rows: each
prompt by TOKENS new tokens, whatever they are; without TOKENS up to an end token or `sample.max_tokens`, as the stage does.
Each is a process of one thread, started in turn, round after round. What counts is tokens a CPU second, of reading the prompts and of
decoding; the loading is left out. Sides:

- ours: what the stage's workers call;
- transformers: `generate` on PyTorch, left-padded;
- llama_cpp: parallel sequences of one context, float32 weights from a GGUF file that this writes, keys and values in 16 bits, its default.

Writes section `sample_peers_STUDY` of the record.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from tabulate import tabulate

from bench.record import PACKAGES, record
from distill.cli.layout import layout
from distill.core import study_file
from distill.model.chat_tokenizer import ChatTokenizer
from distill.sampling.jobs import Params, make_jobs
from stages.sample import questions

SIDES = {"ours": "", "transformers": "torch", "llama_cpp": "llama_cpp"}  # and the module that shows that it is installed
PEERS = (*PACKAGES, "torch", "transformers", "llama-cpp-python")
Decode = Callable[[list[list[int]]], list[list[int]]]


def main(studies: list[str], rounds: int, prompts: int, rows: int, packages: list[str]) -> None:
    """Time every side in turn; print a table and record the medians and their ratios."""
    sys.path.extend(packages)
    sides = [side for side, module in SIDES.items() if not module or find_spec(module)]
    for side in SIDES.keys() - set(sides):
        print(f"bench.sample_peers: {side} is left out: no {SIDES[side]} here; see --help", file=sys.stderr)
    for each in studies:
        study, _, tokens = each.partition(":")
        runs: dict[str, list[dict[str, Any]]] = {side: [] for side in sides}
        for number in range(rounds):
            for side in sides[:: 1 if number % 2 else -1]:
                runs[side].append(_run(side, study, prompts, rows, tokens or 0, *(packages if side != "ours" else ())))
        speeds = {side: _figures(runs[side], runs["ours"]) for side in sides}
        print(tabulate([[study, side, *speeds[side].values()] for side in sides], ["study", "side", *speeds["ours"]]), flush=True)
        asked = {"rounds": rounds, "prompts": prompts, "rows": rows, "new_tokens": int(tokens or 0)}
        ratios = {f"vs_{side}": speeds[side]["ours_times_faster"] for side in sides[1:]}
        record(f"sample_peers_{study}", asked | ratios | speeds, packages=PEERS)


def _run(*words: Any) -> dict[str, Any]:
    done = subprocess.run([sys.executable, "-m", "bench.sample_peers", "--side", *map(str, words)], stdout=subprocess.PIPE, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _figures(runs: list[dict[str, Any]], ours: list[dict[str, Any]]) -> dict[str, float]:
    """Return medians over the rounds, and the share of answers that are ours token by token."""
    pairs = list(zip(runs, ours, strict=True))
    return {
        "tokens_per_cpu_s": median(_speed(run, "cpu_seconds") for run in runs),
        "tokens_per_s": median(_speed(run, "seconds") for run in runs),
        "ours_times_faster": median(_speed(own, "cpu_seconds") / _speed(run, "cpu_seconds") for run, own in pairs),
        "same_answers": median(sum(map(list.__eq__, run["written"], own["written"])) / len(own["written"]) for run, own in pairs),
    }


def _speed(run: dict[str, Any], seconds: str) -> float:
    return float(sum(map(len, run["written"])) / run[seconds])


class Task(NamedTuple):
    """What a side is to do."""

    student: Path
    ends: frozenset[int]  # tokens that end an answer
    tokens: int  # new tokens, at most
    rows: int  # of a batch
    length: int  # the longest prompt and answer, in tokens


def side(name: str, study: str, prompts: int, rows: int, tokens: int) -> None:
    """Answer by one side; print the seconds and the tokens."""
    paths = layout(study)
    params, tokenizer = study_file.section(paths.study_file, "sample", Params), ChatTokenizer(paths.student)
    jobs = make_jobs(questions(paths.benchmarks), tokenizer, params)
    asked = sorted((job.prompt for job in jobs if not job.sample), key=len)
    taken = asked if prompts >= len(asked) else [asked[number * len(asked) // prompts] for number in range(prompts)]
    limit, rows = tokens or params.max_tokens, min(rows, len(taken))
    task = Task(paths.student, frozenset() if tokens else tokenizer.eos_ids, limit, rows, len(taken[-1]) + limit)
    with tempfile.TemporaryDirectory() as folder:
        decode = {"ours": _ours, "transformers": _transformers, "llama_cpp": _llama_cpp}[name](task, Path(folder))
        decode(taken[:1])
        wall, cpu, written = time.perf_counter(), time.process_time(), []
        for start in range(0, len(taken), rows):
            written += decode(taken[start : start + rows])
        seconds = {"cpu_seconds": time.process_time() - cpu, "seconds": time.perf_counter() - wall}
    print(json.dumps(seconds | {"written": written}))


def _ours(task: Task, folder: Path) -> Decode:
    from distill.model import engine

    engine.start()
    from distill.model.model_io import adapted
    from distill.sampling import decode, fast_decode

    model = fast_decode.replace_layers(adapted(task.student, None, True, fuse=True)[0])
    return lambda prompts: decode.decode(model, prompts, task.ends, task.tokens, decode.greedy)


def _transformers(task: Task, folder: Path) -> Decode:
    import torch
    from transformers import AutoModelForCausalLM, GenerationConfig

    torch.set_num_threads(1)
    model = AutoModelForCausalLM.from_pretrained(task.student, dtype=torch.float32).eval()
    ends = sorted(task.ends) or None
    model.generation_config = GenerationConfig(do_sample=False, max_new_tokens=task.tokens, pad_token_id=0, eos_token_id=ends)

    def decode(prompts: list[list[int]]) -> list[list[int]]:
        width = max(map(len, prompts))
        padded = torch.tensor([[0] * (width - len(prompt)) + prompt for prompt in prompts])
        seen = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts])
        with torch.inference_mode():
            rows = model.generate(padded, attention_mask=seen)[:, width:].tolist()
        return [row[: next((place + 1 for place, token in enumerate(row) if token in task.ends), len(row))] for row in rows]

    return decode


def _llama_cpp(task: Task, folder: Path) -> Decode:
    from bench import llama_cpp_peer

    llama_cpp_peer.write_gguf(task.student, folder / "student.gguf")
    model = llama_cpp_peer.LlamaCpp(folder / "student.gguf", task.rows, task.length)
    return lambda prompts: model.decode(prompts, task.ends, task.tokens)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--side"]:
        sys.path.extend(sys.argv[7:])
        side(sys.argv[2], sys.argv[3], *map(int, sys.argv[4:7]))
    else:
        parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
        parser.add_argument("studies", nargs="*", default=["gsm8k:256", "mini"])
        parser.add_argument("--rounds", type=int, default=3)
        parser.add_argument("--prompts", type=int, default=128)
        parser.add_argument("--rows", type=int, default=64)
        parser.add_argument("--packages", nargs="+", default=[])
        given = parser.parse_args()
        main(given.studies, given.rounds, given.prompts, given.rows, given.packages)
