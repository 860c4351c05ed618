"""An adapter from a corpus and a student: trained, described, written. Import after `engine.start()`."""

import csv
import hashlib
import io
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import mlx.core as mx
from mlx_lm.utils import save_config, save_model

from distill.core.files import write_json, write_text
from distill.model import engine
from distill.model.chat_tokenizer import VOCABULARY, ChatTokenizer
from distill.model.model_io import WEIGHTS, adapted, folder_sha256, weights
from distill.training import lora
from distill.training.batches import Dropped, fitting
from distill.training.recipe import Recipe, determining


def manifest(recipe: Recipe, arm: str, seed: int, corpus: Path, student: Path) -> dict[str, Any]:
    """Return everything that determines an adapter's bytes."""
    return {
        "arm": arm,
        "seed": seed,
        "student": folder_sha256(student, WEIGHTS),
        "tokenizer": folder_sha256(student, VOCABULARY),
        "corpus": folder_sha256(corpus, ("train.jsonl", "valid.jsonl")),
        "train": determining(recipe),
        "engine": engine.start(),
    }


class Trained(NamedTuple):
    """A finished run, the adapter's config for mlx-lm, and what was left out of each part of the corpus."""

    run: lora.Run
    config: dict[str, Any]
    dropped: dict[str, Dropped]


def train(recipe: Recipe, about: dict[str, Any], corpus: Path, student: Path, state: Path) -> Trained:
    """Train as the manifest `about` says, resuming from `state` where the same run was cut off."""
    tokenizer = ChatTokenizer(student).with_arguments(recipe.chat_template)
    read = {part: fitting(corpus / f"{part}.jsonl", tokenizer, recipe) for part in ("train", "valid")}
    (rows, _), (valid, _) = read.values()
    model, _ = weights(student, recipe.float32)
    config = lora.attach(model, recipe, about["seed"])
    run = lora.Run(model, recipe)
    key = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()
    lora.fit(run, rows, valid, about["seed"], state / "state.safetensors", key)
    return Trained(run, config, {part: dropped for part, (_, dropped) in read.items()})


def write_adapter(folder: Path, adapter: dict[str, mx.array], config: dict[str, Any]) -> None:
    """Write an adapter in bfloat16, as `mlx_lm.load(adapter_path=...)` takes it."""
    folder.mkdir(parents=True)
    narrow = {name: adapter[name].astype(mx.bfloat16) for name in sorted(adapter)}
    mx.save_safetensors(str(folder / "adapters.safetensors"), narrow, {"format": "mlx"})
    write_text(folder / "adapter_config.json", json.dumps(config, indent=2, sort_keys=True) + "\n")


def write_run(folder: Path, trained: Trained, about: dict[str, Any]) -> None:
    """Write the best adapter of a run with its manifest, its curve and its figures."""
    run = trained.run
    write_adapter(folder, run.best, trained.config)
    write_text(folder / "manifest.json", json.dumps(about, indent=2) + "\n")  # unrounded
    write_text(folder / "curve.csv", curve(run.points))
    lost = {part: dropped.counts() for part, dropped in trained.dropped.items()}
    write_json(folder / "training.json", summary(run) | ({"dropped": lost} if run.recipe.over_long == "drop" else {}))


def summary(run: lora.Run) -> dict[str, Any]:
    """Return a run's figures: losses in nats a token of the student's tokenizer."""
    return {
        "iterations": run.recipe.iterations,
        "best_iteration": run.chosen.iteration,
        "best_validation_loss": run.chosen.validation_loss,
        "last_validation_loss": run.last_validation_loss,
        "trainable_parameters": sum(array.size for array in run.best.values()),
        "trained_tokens": run.tokens,
    }


def curve(points: Sequence[tuple[int, float | None, float | None]]) -> str:
    """Return a curve as CSV; the training loss is the mean since the row before, so the first row has none.

    A report between evaluations has no validation loss.

    >>> print(curve([(0, None, 0.7), (25, 0.5, None), (50, 0.5, 0.6)]), end="")
    iteration,train_loss,validation_loss
    0,,0.700000
    25,0.500000,
    50,0.500000,0.600000
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["iteration", "train_loss", "validation_loss"])
    for iteration, *losses in points:
        writer.writerow([iteration, *("" if loss is None else f"{loss:.6f}" for loss in losses)])
    return text.getvalue()


def merge(student: Path, folder: Path, float32: bool) -> None:
    """Write the student with the adapter in `folder` merged into its weights to `folder`/merged, in the hub's layout.

    A quantised student is dequantised first: quantised again, the weights would lose most of what the adapter adds, and
    transformers reads no MLX quantisation. So the folder is one of 16 bits (32 with `float32`) that mlx_lm and transformers load.
    """
    model, config = adapted(student, folder, float32, fuse=True, dequantize=True)
    save_model(folder / "merged", model)
    save_config(config, folder / "merged" / "config.json")
    for name in VOCABULARY:
        if (student / name).exists():
            shutil.copy(student / name, folder / "merged" / name)
