"""sample: what a student answers to every problem of the evaluation sets; with an adapter, or the base without one.

Prompts of like length are decoded together, in batches of fixed composition, so that neither the number of workers nor a killed run
changes a byte. A missing or foreign adapter is an error, never silently the base. Of a recorded student the arm's answers are copied, and
an arm that was not recorded has none.
"""

import shutil
import time
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from distill.cli import command
from distill.cli.layout import BASE, Paths
from distill.core import study_file
from distill.core.errors import InputError
from distill.core.files import read_json, read_records, write_json, write_records
from distill.model import engine, recorded_student
from distill.model.chat_tokenizer import VOCABULARY, ChatTokenizer
from distill.model.model_io import WEIGHTS, folder_sha256
from distill.records.problem import Problem
from distill.sampling import batch_decoder, recorded_answers
from distill.sampling.jobs import Params, check, cut, make_jobs


def main(paths: Paths, arm: str, seed: int = 0) -> None:
    """Write the completions of ARM and SEED; the arm `base` has no adapter and no seed."""
    recorded = recorded_student.recording(paths.student, arm, seed)
    if recorded is not None:
        return copy_recorded(paths, arm)
    params, started = study_file.section(paths.study_file, "sample", Params), time.monotonic()
    name, adapter = (BASE, None) if arm == BASE else (f"{arm}-{seed}", paths.adapter)
    asked = questions(paths.benchmarks)
    check(params, sorted({problem.benchmark for problem in asked}), f"{paths.study_file}: section 'sample'")
    batches = cut(make_jobs(asked, ChatTokenizer(paths.student), params), params)
    base = folder_sha256(paths.student, WEIGHTS)
    facts: dict[str, Any] = {"student": base, "tokenizer": folder_sha256(paths.student, VOCABULARY), "engine": engine.start()}
    if adapter:
        check_adapter(adapter, arm, seed, base, params.float32)
        facts["adapter"] = folder_sha256(adapter)
    work = paths.work / "sample" / name
    kept = batch_decoder.batch_folder(work, facts, batches, params)
    completions = batch_decoder.complete(batches, paths.student, adapter, params, kept, batch_decoder.workers())
    wrote = write_records(paths.completion, completions)
    shutil.rmtree(work)
    spent = {"seconds": time.monotonic() - started, "tokens": sum(completion.tokens for completion in completions)}
    write_json(paths.work / "log" / f"sample-{name}.json", spent)
    command.closing(f"sample {name}", sum(map(len, batches)), wrote)


def copy_recorded(paths: Paths, arm: str) -> None:
    """Write the recorded answers to the problems that are asked."""
    path = recorded_student.answers_file(paths.student, arm)
    answers = read_records(path, recorded_student.RecordedAnswer) if path.exists() else []
    completions, dropped = recorded_answers.completions(answers, questions(paths.benchmarks))
    wrote = write_records(paths.completion, completions)
    command.closing(f"sample {arm}", len(answers), wrote, dropped)


def questions(benchmarks: Path) -> list[Problem]:
    """Return the problems of all evaluation sets."""
    asked = [problem for path in sorted(benchmarks.glob("*.jsonl")) for problem in read_records(path, Problem)]
    if not asked:
        raise InputError(f"{benchmarks}: no problem to ask; run `dvc repro` for the benchmarks stage")
    return asked


def check_adapter(adapter: Path, arm: str, seed: int, base: str, float32: bool) -> None:
    """Raise an InputError unless the adapter is there and was trained for this arm, seed, student and number format."""
    remedy = "run `dvc repro` for the train stage, or `dvc pull`"
    if not (adapter / "adapters.safetensors").exists():
        raise InputError(f"{adapter}: no adapters.safetensors; {remedy}")
    try:
        safe_open(adapter / "adapters.safetensors", framework="numpy")
        about = read_json(adapter / "manifest.json")
        found = {"arm": about["arm"], "seed": about["seed"], "student": about["student"][:12], "float32": about["train"]["float32"]}
    except SafetensorError as error:
        raise InputError(f"{adapter / 'adapters.safetensors'}: no whole safetensors file ({error}); delete {adapter}, {remedy}") from None
    except (KeyError, TypeError) as error:
        raise InputError(f"{adapter / 'manifest.json'}: no manifest of an adapter ({error!r}); delete {adapter}, {remedy}") from None
    wanted = {"arm": arm, "seed": seed, "student": base[:12], "float32": float32}
    for what, value in wanted.items():
        if found[what] != value:
            raise InputError(f"{adapter}: the adapter's {what} is {found[what]}, wanted is {value}; run `dvc repro` for the train stage")


if __name__ == "__main__":
    command.run(main)
