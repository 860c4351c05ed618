"""overfit: the paper's long run of one arm and one seed: where does the validation loss turn? Everything else is as in section `train`."""

import shutil
import sys
from pathlib import Path
from typing import Any

import msgspec

from distill.cli import command
from distill.core import study_file
from distill.core.files import write_json, write_text
from distill.model import light
from stages.train import Count, curve, learn, manifest, summary
from stages.train import Params as Recipe


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Section `overfit` of a study file."""

    seed: int
    iterations: Count
    eval_every: Count


def main(study: str, arm: str, corpus: str, student: str, table: str, metrics: str) -> None:
    """Train ARM for long; write the curve as a tidy CSV and its turn as JSON."""
    params = study_file.section(study, "overfit", Params)
    short = study_file.section(study, "train", Recipe)
    recipe = msgspec.structs.replace(short, iterations=params.iterations, eval_every=params.eval_every)
    state = Path(".work", Path(study).stem, "overfit")
    about = manifest(recipe, arm, params.seed, Path(corpus), Path(student))
    run, _ = learn(recipe, about, Path(corpus), Path(student), state)
    report = turn(summary(run))
    write_text(Path(table), curve(run.points))
    write_json(Path(metrics), report)
    shutil.rmtree(state)
    low, last = f"{report['best_loss']:.4f} at iteration {report['best_iteration']}", f"{report['last_loss']:.4f}"
    print(f"overfit: lowest validation loss {low}, last {last}", file=sys.stderr)


def turn(long: dict[str, Any]) -> dict[str, Any]:
    """Return the long run's metrics: where the validation loss is lowest, and where it ends."""
    return {
        "best_iteration": long["best_iteration"],
        "best_loss": long["best_validation_loss"],
        "last_loss": long["last_validation_loss"],
        "iterations": long["iterations"],
    }


if __name__ == "__main__":
    command.run(light.alone(main))
