"""train: one LoRA adapter of one arm and one seed, by mlx-lm's tuner; the adapter of the lowest validation loss is kept.

The out folder holds what `mlx_lm.load(student, adapter_path=...)` takes (adapters.safetensors in bfloat16, adapter_config.json) and
manifest.json: everything that determines its bytes. A killed run goes on from its last evaluation and ends in the same bytes.
"""

import csv
import hashlib
import io
import json
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from distill.cli import command
from distill.core import study_file
from distill.core.errors import InputError
from distill.core.files import read_records, replacing, write_json, write_text
from distill.model import engine, light
from distill.model.model_io import VOCABULARY, WEIGHTS, Student, adapted, digest, weights
from distill.records.example import Example

Count = Annotated[int, Meta(ge=1)]
Share = Annotated[float, Meta(ge=0, lt=1)]


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Section `train` of a study file."""

    iterations: Count
    batch_size: Count
    accumulation: Count
    optimizer: Literal["adam", "adamw"]
    betas: tuple[Share, Share]
    epsilon: float
    bias_correction: bool
    weight_decay: float
    learning_rate: float
    schedule: Literal["constant", "cosine"]
    warmup: Annotated[int, Meta(ge=0)]
    rank: Count
    scale: float
    dropout: Share
    layers: int
    modules: Literal["all"] | list[str]
    mask_prompt: bool
    max_seq_length: Count
    grad_checkpoint: bool
    eval_every: Count
    float32: bool
    merge: bool


def main(study: str, arm: str, seed: str, corpus: str, student: str, out: str, table: str, metrics: str) -> None:
    """Train ARM with SEED; write the adapter's folder, its curve as a tidy CSV and its metrics as JSON."""
    params = study_file.section(study, "train", Params)
    study_file.arm(study, arm)
    if not seed.isdigit():
        raise InputError(f"seed '{seed}': expected a whole number; mend `seeds` in params.yaml")
    started, work = time.monotonic(), Path(".work", Path(study).stem)
    state = work / "train" / f"{arm}-{seed}"
    about = manifest(params, arm, int(seed), Path(corpus), Path(student))
    run, config = learn(params, about, Path(corpus), Path(student), state)
    from distill.training import lora

    with replacing(Path(out)) as folder:
        lora.write_adapter(folder, run.best, config)
        write_text(folder / "manifest.json", json.dumps(about, indent=2) + "\n")  # unrounded
        if params.merge:
            merge(Path(student), folder, params.float32)
    write_text(Path(table), curve(run.points))
    write_json(Path(metrics), summary(run))
    write_json(work / "log" / f"train-{arm}-{seed}.json", {"seconds": time.monotonic() - started, "tokens": run.tokens})
    shutil.rmtree(state)
    best = f"iteration {run.chosen.iteration} of {run.iterations} is the best, validation loss {run.chosen.validation_loss:.4f}"
    print(f"train {arm}-{seed}: {best}", file=sys.stderr)


def manifest(params: Params, arm: str, seed: int, corpus: Path, student: Path) -> dict[str, Any]:
    """Return everything that determines an adapter's bytes."""
    read = {"student": (student, WEIGHTS), "tokenizer": (student, VOCABULARY), "corpus": (corpus, ("train.jsonl", "valid.jsonl"))}
    hashes = {name: digest(folder, patterns) for name, (folder, patterns) in read.items()}
    return {"arm": arm, "seed": seed} | hashes | {"train": msgspec.to_builtins(params), "engine": engine.start()}


def learn(params: Params, about: dict[str, Any], corpus: Path, student: Path, state: Path) -> tuple[Any, dict[str, Any]]:
    """Train as `about` says, resuming from `state` where the same run was cut off; return the run and the adapter's config."""
    tongue = Student(student)
    train, valid = (examples(corpus / f"{part}.jsonl", tongue, params) for part in ("train", "valid"))
    engine.start()
    from distill.training import lora

    model, _ = weights(student, params.float32)
    config = lora.attach(model, params, about["seed"])
    run = lora.Run(model, params, params.iterations)
    key = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()
    lora.fit(run, train, valid, about["seed"], state / "state.safetensors", key)
    return run, config


def examples(file: Path, student: Student, params: Params) -> list[tuple[list[int], int]]:
    """Return each example's tokens and how many of them, from the first, are not trained on."""
    rows = []
    for example in read_records(file, Example):
        tokens, prompt = student.example(example.messages)
        if len(tokens) > params.max_seq_length:
            raise InputError(
                f"{file}: problem {example.id} has {len(tokens)} tokens, allowed are {params.max_seq_length}: "
                "raise train.max_seq_length, or leave the example out of the corpus"
            )
        rows.append((tokens, prompt if params.mask_prompt else 0))
    if not rows:
        raise InputError(f"{file}: no examples; see what curate dropped")
    return rows


def summary(run: Any) -> dict[str, Any]:
    """Return a run's metrics: losses in nats a token of the student's tokenizer."""
    return {
        "iterations": run.iterations,
        "best_iteration": run.chosen.iteration,
        "best_validation_loss": run.chosen.validation_loss,
        "last_validation_loss": run.points[-1].validation_loss,
        "trainable_parameters": sum(array.size for array in run.best.values()),
        "trained_tokens": run.tokens,
    }


def curve(points: Sequence[tuple[int, float | None, float]]) -> str:
    """Return a curve as CSV; the training loss is the mean since the row before, so the first row has none.

    >>> print(curve([(0, None, 0.7), (50, 0.5, 0.6)]), end="")
    iteration,train_loss,validation_loss
    0,,0.700000
    50,0.500000,0.600000
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["iteration", "train_loss", "validation_loss"])
    for iteration, train, valid in points:
        writer.writerow([iteration, "" if train is None else f"{train:.6f}", f"{valid:.6f}"])
    return text.getvalue()


def merge(student: Path, folder: Path, float32: bool) -> None:
    """Write the student with the adapter in `folder` merged into its weights to `folder`/merged."""
    from mlx_lm.utils import save_config, save_model

    model, config = adapted(student, folder, float32, fuse=True)
    save_model(folder / "merged", model)
    save_config(config, folder / "merged" / "config.json")
    for name in VOCABULARY:
        if (student / name).exists():
            shutil.copy(student / name, folder / "merged" / name)


if __name__ == "__main__":
    command.run(light.alone(main))
