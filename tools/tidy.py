"""`make tidy`: remove the corpora, adapters and completions of arms and seeds that no longer run; it lists what it removes.

Those that params.yaml names, or section `run` of a study that params.yaml does not name, stay; so does whatever dvc.lock does not know.
"""

import shutil
from pathlib import Path

from distill.cli import command
from distill.cli.layout import layout
from distill.core.cells import BASE
from distill.core.errors import InputError
from tools import activation, lock, params, run_lock


def main() -> None:
    """Remove them, under the lock of the clone."""
    with run_lock.exclusive("make tidy"):
        activation.restore()
        active = params.read()
        known = lock.outputs(lock.read(Path("dvc.lock")))
        removed = 0
        for study in sorted(path.stem for path in Path("studies").glob("*.yaml")):
            for path in unlisted(study, active):
                if path.as_posix() in known:
                    shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
                    removed += 1
                    print(f"removed: {path}")
                else:
                    print(f"kept: {path}: of no arm and seed that runs, but no output in dvc.lock either; remove it yourself")
    print(f"{removed} removed; `make pull` or `make repro` brings one back once its arm and seed are listed again")


def unlisted(study: str, active: params.Params) -> list[Path]:
    """Return the files and folders of a study that belong to no arm and seed that runs."""
    if study in active.corpora:
        arms, seeds = active.arms, active.seeds
    else:
        try:
            values = activation.settings(study)
        except InputError:
            return []  # what such a study runs is not known: leave everything
        arms, seeds = [str(arm) for arm in values["arms"]], [int(seed) for seed in values["seeds"]]
    paths = layout(study)
    cells = [layout(study, arm, seed) for arm in arms for seed in seeds]
    listed = {layout(study, BASE).completion, *(layout(study, arm).corpus for arm in arms)}
    listed |= {path for cell in cells for path in (cell.adapter, cell.completion)}
    found = [path for folder in (paths.corpora, paths.adapters, paths.completions) for path in folder.glob("*")]
    return sorted(path for path in found if path not in listed and not path.name.startswith("."))


if __name__ == "__main__":
    command.guarded("tidy", main)
