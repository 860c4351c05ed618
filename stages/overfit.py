"""overfit: the paper's long run of one arm and one seed: where does validation loss turn? Everything else is as in section `train`.

A study whose section `overfit` is empty has no long run, nor has a recorded student: the curve has no points, the JSON no keys.
"""

import shutil
import sys
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta

from distill.cli import command
from distill.cli.layout import Paths
from distill.core import study_file
from distill.core.errors import InputError
from distill.core.files import write_json, write_text
from distill.model import engine, recorded_student
from distill.training.recipe import Count, Recipe, of_arm

CURVE = "iteration,train_loss,validation_loss"  # the columns of a curve


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Section `overfit` of a study file."""

    arm: str  # `long_run` of params.yaml while the study runs
    seed: Annotated[int, Meta(ge=0)]
    iterations: Count
    eval_every: Count


def main(paths: Paths, arm: str) -> None:
    """Train ARM for long; write the curve as a tidy CSV and its turn as JSON."""
    params = study_file.optional_section(paths.study_file, "overfit", Params)
    if params is None or recorded_student.recording(paths.student, arm, params.seed) is not None:
        write_text(paths.overfit_curve, f"{CURVE}\n")
        write_json(paths.overfit_metrics, {})
        return
    if params.arm != arm:
        raise InputError(f"{paths.study_file}: overfit.arm is {params.arm}, and {paths.params} has long_run: {arm}; write the same")
    short = of_arm(study_file.section(paths.study_file, "train", Recipe), arm)
    recipe = msgspec.structs.replace(short, iterations=params.iterations, eval_every=params.eval_every, report_every=UNSET)
    engine.start()
    from distill.training import adapter  # imports mlx

    state = paths.work / "overfit"
    about = adapter.manifest(recipe, arm, params.seed, paths.corpus, paths.student)
    run = adapter.train(recipe, about, paths.corpus, paths.student, state).run
    best, last = run.chosen, run.last_validation_loss
    report = {"best_iteration": best.iteration, "best_loss": best.validation_loss, "last_loss": last, "iterations": recipe.iterations}
    write_text(paths.overfit_curve, adapter.curve(run.points))
    write_json(paths.overfit_metrics, report)
    shutil.rmtree(state)
    print(f"overfit: lowest validation loss {best.validation_loss:.4f} at iteration {best.iteration}, last {last:.4f}", file=sys.stderr)


if __name__ == "__main__":
    command.run(main)
