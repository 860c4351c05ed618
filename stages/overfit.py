"""overfit: the paper's long run of one arm and one seed: where does the validation loss turn? Everything else is as in section `train`."""

import csv
import io
import shutil
import sys
from pathlib import Path
from typing import Any

import msgspec

from stages.shared import stage
from stages.shared.files import write_json, write_text
from stages.train import Count, learn, manifest, summary
from stages.train import Params as Recipe


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Section `overfit` of a study file."""

    seed: int
    iterations: Count
    eval_every: Count


def main(study: str, arm: str, corpus: str, student: str, curve: str, metrics: str) -> None:
    """Train ARM for long; write the curve as a tidy CSV and its turn as JSON."""
    params = stage.section(study, "overfit", Params)
    short = stage.section(study, "train", Recipe)
    recipe = msgspec.structs.replace(short, iterations=params.iterations, eval_every=params.eval_every)
    state = Path(".work", Path(study).stem, "overfit")
    about = manifest(recipe, arm, params.seed, Path(corpus), Path(student))
    run, _ = learn(recipe, about, Path(corpus), Path(student), state)
    report = turn(summary(run))
    write_text(Path(curve), table(report))
    write_json(Path(metrics), report)
    shutil.rmtree(state)
    low, last = f"{report['best_loss']:.4f} at iteration {report['best_iteration']}", f"{report['last_loss']:.4f}"
    print(f"overfit: lowest validation loss {low}, last {last}", file=sys.stderr)


def turn(long: dict[str, Any]) -> dict[str, Any]:
    """Return the long run's metrics: where the validation loss is lowest, where it ends, and the curve between."""
    curve = long["curve"]
    return {
        "best_iteration": long["best_iteration"],
        "best_loss": long["best_validation_loss"],
        "last_loss": long["last_validation_loss"],
        "iterations": curve["iteration"],
        "train_loss": curve["train_loss"],
        "validation_loss": curve["validation_loss"],
    }


def table(report: dict[str, Any]) -> str:
    """Return the curve as CSV; the training loss is the mean since the row before, so the first row has none.

    >>> print(table({"iterations": [0, 50], "train_loss": [None, 0.5], "validation_loss": [0.7, 0.6]}), end="")
    iteration,train_loss,validation_loss
    0,,0.700000
    50,0.500000,0.600000
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["iteration", "train_loss", "validation_loss"])
    for iteration, train, valid in zip(report["iterations"], report["train_loss"], report["validation_loss"], strict=True):
        writer.writerow([iteration, "" if train is None else f"{train:.6f}", f"{valid:.6f}"])
    return text.getvalue()


if __name__ == "__main__":
    stage.run(main)
