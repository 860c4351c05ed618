"""overfit: the paper's long run of one arm and one seed: where does validation loss turn? Everything else is as in section `train`."""

import shutil
import sys
from typing import Annotated

import msgspec
from msgspec import Meta

from distill.cli import command
from distill.cli.layout import Paths
from distill.core import study_file
from distill.core.files import write_json, write_text
from distill.model import engine
from distill.training.recipe import Count, Recipe


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Section `overfit` of a study file."""

    seed: Annotated[int, Meta(ge=0)]
    iterations: Count
    eval_every: Count


def main(paths: Paths, arm: str) -> None:
    """Train ARM for long; write the curve as a tidy CSV and its turn as JSON."""
    params = study_file.section(paths.study_file, "overfit", Params)
    short = study_file.section(paths.study_file, "train", Recipe)
    recipe = msgspec.structs.replace(short, iterations=params.iterations, eval_every=params.eval_every)
    engine.start()
    from distill.training import adapter  # imports mlx

    state = paths.work / "overfit"
    about = adapter.manifest(recipe, arm, params.seed, paths.corpus, paths.student)
    run, _ = adapter.train(recipe, about, paths.corpus, paths.student, state)
    best, last = run.chosen, run.points[-1].validation_loss
    report = {"best_iteration": best.iteration, "best_loss": best.validation_loss, "last_loss": last, "iterations": recipe.iterations}
    write_text(paths.overfit_curve, adapter.curve(run.points))
    write_json(paths.overfit_metrics, report)
    shutil.rmtree(state)
    print(f"overfit: lowest validation loss {best.validation_loss:.4f} at iteration {best.iteration}, last {last:.4f}", file=sys.stderr)


if __name__ == "__main__":
    command.run(main)
