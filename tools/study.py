"""`make study S=NAME`: run a study with the arms and seeds that its own file lists, by `dvc exp run`."""

import os
import sys
from pathlib import Path

import msgspec

from stages.shared import stage
from stages.shared.files import Fault


class Run(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Section `run` of a study file: what params.yaml holds while this study runs."""

    students: bool  # false: the corpus only; no adapter is trained, sampled or judged
    arms: list[str]  # rows of `arms:`
    seeds: list[int]


def command(path: Path) -> list[str]:
    """Return the words of the `dvc exp run` that computes a study; an arm that the study lacks is a Fault."""
    run = stage.section(path, "run", Run)
    for arm in run.arms:
        stage.arm(path, arm)
    if not run.arms or not run.seeds:
        raise Fault(f"{path}: section 'run': arms and seeds must not be empty")
    values = {
        "corpora": [path.stem],
        "students": [path.stem] if run.students else [],
        "arms": run.arms,
        "seeds": [str(seed) for seed in run.seeds],
    }
    settings = [word for key, items in values.items() for word in ("-S", f"{key}=[{','.join(items)}]")]
    return ["dvc", "exp", "run", *settings]


def main(name: str) -> None:
    """Replace this process by the run of study `name`."""
    if not name:
        raise Fault("say which study: make study S=NAME; NAME is a file of studies/ without its ending")
    words = command(Path("studies", f"{name}.yaml"))
    print(" ".join(words), file=sys.stderr)
    os.execvp(words[0], words)


if __name__ == "__main__":
    stage.run(main)
