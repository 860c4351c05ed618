"""`make study S=NAME`: run a study with the arms and seeds that its own file lists, by `dvc exp run`."""

import os
import sys
from pathlib import Path

import msgspec

from distill.cli import command as command_line
from distill.core import study_file
from distill.core.errors import InputError


class Run(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Section `run` of a study file: what params.yaml holds while this study runs."""

    students: bool  # false: the corpus only; no adapter is trained, sampled or judged
    arms: list[str]  # rows of `arms:`
    seeds: list[int]


def command(path: Path) -> list[str]:
    """Return the words of the `dvc exp run` that computes a study; an arm that the study lacks is an InputError."""
    run = study_file.section(path, "run", Run)
    for arm in run.arms:
        study_file.arm(path, arm)
    if not run.arms or not run.seeds:
        raise InputError(f"{path}: section 'run': arms and seeds must not be empty")
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
        raise InputError("say which study: make study S=NAME; NAME is a file of studies/ without its ending")
    words = command(Path("studies", f"{name}.yaml"))
    print(" ".join(words), file=sys.stderr)
    os.execvp(words[0], words)


if __name__ == "__main__":
    command_line.run(main)
