"""`make page`: bring a study's page for a browser up to date and say where it lies; S=NAME: of a study that params.yaml does not name.

A page that is not here is pulled, so that a fresh clone has it without computing anything; one whose inputs changed is made again.
"""

import sys
from contextlib import nullcontext

from distill.cli import command
from distill.cli.layout import layout
from tools import activation, params, run_lock


def main(name: str = "") -> None:
    """Pull or make the page of a study, or of every study that params.yaml names."""
    if name:
        activation.settings(name)
    with run_lock.exclusive(f"make page{f' S={name}' if name else ''}") as lock:
        activation.restore()
        with activation.activated(name) if name else nullcontext():
            studies = [name] if name else params.read().students
            for each in studies:
                if not layout(each).page.exists():
                    run_lock.run_dvc(["pull", layout(each).page.as_posix()], lock)
                missing = [] if layout(each).page.exists() else ["--force"]  # DVC takes a missing output for one that did not change
                if code := run_lock.run_dvc(["repro", "--single-item", "--allow-missing", *missing, f"page@{each}"], lock):
                    sys.exit(code)
    for each in studies:
        print(f"page: {layout(each).page.resolve().as_uri()}")


if __name__ == "__main__":
    command.guarded("page", lambda: main(*filter(None, sys.argv[1:])))
