"""An adapter from a corpus and a student: trained, described, written. Import after `engine.start()`."""

import csv
import hashlib
import io
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import mlx.core as mx
import msgspec
from mlx_lm.utils import save_config, save_model

from distill.core.files import write_json, write_text
from distill.model import engine
from distill.model.chat_tokenizer import VOCABULARY, ChatTokenizer
from distill.model.model_io import WEIGHTS, adapted, folder_sha256, weights
from distill.training import lora
from distill.training.batches import read_rows
from distill.training.recipe import Recipe


def manifest(recipe: Recipe, arm: str, seed: int, corpus: Path, student: Path) -> dict[str, Any]:
    """Return everything that determines an adapter's bytes."""
    return {
        "arm": arm,
        "seed": seed,
        "student": folder_sha256(student, WEIGHTS),
        "tokenizer": folder_sha256(student, VOCABULARY),
        "corpus": folder_sha256(corpus, ("train.jsonl", "valid.jsonl")),
        "train": msgspec.to_builtins(recipe),
        "engine": engine.start(),
    }


def train(recipe: Recipe, about: dict[str, Any], corpus: Path, student: Path, state: Path) -> tuple[lora.Run, dict[str, Any]]:
    """Train as the manifest `about` says, resuming from `state` where the same run was cut off; return the run and the adapter's config."""
    tokenizer = ChatTokenizer(student)
    rows, valid = (read_rows(corpus / f"{part}.jsonl", tokenizer, recipe) for part in ("train", "valid"))
    model, _ = weights(student, recipe.float32)
    config = lora.attach(model, recipe, about["seed"])
    run = lora.Run(model, recipe)
    key = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()
    lora.fit(run, rows, valid, about["seed"], state / "state.safetensors", key)
    return run, config


def write_adapter(folder: Path, adapter: dict[str, mx.array], config: dict[str, Any]) -> None:
    """Write an adapter in bfloat16, as `mlx_lm.load(adapter_path=...)` takes it."""
    folder.mkdir(parents=True)
    narrow = {name: adapter[name].astype(mx.bfloat16) for name in sorted(adapter)}
    mx.save_safetensors(str(folder / "adapters.safetensors"), narrow, {"format": "mlx"})
    write_text(folder / "adapter_config.json", json.dumps(config, indent=2, sort_keys=True) + "\n")


def write_run(folder: Path, run: lora.Run, config: dict[str, Any], about: dict[str, Any]) -> None:
    """Write the best adapter of a run with its manifest, its curve and its figures."""
    write_adapter(folder, run.best, config)
    write_text(folder / "manifest.json", json.dumps(about, indent=2) + "\n")  # unrounded
    write_text(folder / "curve.csv", curve(run.points))
    write_json(folder / "training.json", summary(run))


def summary(run: lora.Run) -> dict[str, Any]:
    """Return a run's figures: losses in nats a token of the student's tokenizer."""
    return {
        "iterations": run.recipe.iterations,
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
    for iteration, train_loss, validation_loss in points:
        writer.writerow([iteration, "" if train_loss is None else f"{train_loss:.6f}", f"{validation_loss:.6f}"])
    return text.getvalue()


def merge(student: Path, folder: Path, float32: bool) -> None:
    """Write the student with the adapter in `folder` merged into its weights to `folder`/merged."""
    model, config = adapted(student, folder, float32, fuse=True)
    save_model(folder / "merged", model)
    save_config(config, folder / "merged" / "config.json")
    for name in VOCABULARY:
        if (student / name).exists():
            shutil.copy(student / name, folder / "merged" / name)
