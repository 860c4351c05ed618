"""train: one LoRA adapter of one arm and one seed; the adapter of the lowest validation loss is kept.

The folder holds what `mlx_lm.load(student, adapter_path=...)` takes (adapters.safetensors in bfloat16, adapter_config.json), manifest.json
(everything that determines the adapter's bytes), curve.csv and training.json. A killed run continues from its last evaluation and ends in
the same bytes. Of a recorded student there is nothing to train: the folder holds only a manifest, which says what was recorded of the arm.
"""

import shutil
import sys
import time

from distill.cli import command
from distill.cli.layout import Paths
from distill.core import study_file
from distill.core.errors import InputError
from distill.core.files import replacing, write_json
from distill.model import engine, recorded_student
from distill.training.recipe import Recipe, of_arm


def main(paths: Paths, arm: str, seed: int) -> None:
    """Train ARM with SEED, write the adapter's folder."""
    study_file.arm(paths.study_file, arm)
    if seed < 0:
        raise InputError(f"seed {seed}: expected 0 or more; fix `seeds` in {paths.params}")
    recorded = recorded_student.recording(paths.student, arm, seed)
    if recorded is not None:
        with replacing(paths.adapter) as folder:
            write_json(folder / "manifest.json", {"arm": arm, "seed": seed, "recorded": recorded})
        return
    started, recipe = time.monotonic(), of_arm(study_file.section(paths.study_file, "train", Recipe), arm)
    engine.start()
    from distill.training import adapter  # imports mlx

    state = paths.work / "train" / f"{arm}-{seed}"
    about = adapter.manifest(recipe, arm, seed, paths.corpus, paths.student)
    trained = adapter.train(recipe, about, paths.corpus, paths.student, state)
    run = trained.run
    with replacing(paths.adapter) as folder:
        adapter.write_run(folder, trained, about)
        if recipe.merge:
            adapter.merge(paths.student, folder, recipe.float32)
    write_json(paths.work / "log" / f"train-{arm}-{seed}.json", {"seconds": time.monotonic() - started, "tokens": run.tokens})
    shutil.rmtree(state)
    best = f"iteration {run.chosen.iteration} of {recipe.iterations} is the best, validation loss {run.chosen.validation_loss:.4f}"
    lost = sum(dropped.examples for dropped in trained.dropped.values())
    print(f"train {arm}-{seed}: {best}" + (f"; {lost} examples dropped as too long" if lost else ""), file=sys.stderr)


if __name__ == "__main__":
    command.run(main)
