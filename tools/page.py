"""`make page`: bring a study's page for a browser up to date and say where it lies; S=NAME: of a study that params.yaml does not name.

A page that is not here is pulled, so that a fresh clone has it without computing anything; one whose inputs changed is made again.
"""

import subprocess
import sys
from contextlib import nullcontext

from distill.cli import command
from distill.cli.layout import layout
from tools import activation, elsewhere, params, run_lock


def main(name: str = "") -> None:
    """Pull or make the page of a study, or of every study that params.yaml names."""
    if name:
        activation.settings(name)
    with run_lock.exclusive(f"make page{f' S={name}' if name else ''}") as lock:
        activation.restore()
        with activation.activated(name) if name else nullcontext():
            studies = [name] if name else params.read().students
            for each in studies:
                page = layout(each).page
                if not page.exists() and page.as_posix() not in elsewhere.sources([each]):
                    run_lock.run_dvc(["pull", page.as_posix()], lock)
                if page.exists():
                    code = run_lock.run_dvc(["repro", "--single-item", "--allow-missing", f"page@{each}"], lock)
                else:  # by itself: DVC wants each input, and a study may keep some that its page does not show out of the remote
                    code = subprocess.run([sys.executable, "-m", "stages.page", each]).returncode
                if code:
                    sys.exit(code)
    for each in studies:
        print(f"page: {layout(each).page.resolve().as_uri()}")


if __name__ == "__main__":
    command.guarded("page", lambda: main(*filter(None, sys.argv[1:])))
