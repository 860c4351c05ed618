"""The base student, the one output that `make repro` pulls and does not compute: pretraining it takes longer than all the rest."""

import subprocess
import sys
from pathlib import Path

from distill.cli.layout import layout
from distill.core.errors import InputError
from tools import elsewhere, lock, remote, run_lock

LOG = Path(".work", "pull.log")


def pull_student(study: str) -> bool:
    """Pull a student that dvc.lock knows and that is not here, or not in .dvc/cache; return whether it was pulled.

    DVC takes an output that its cache lacks for changed, and would run the stage. One that is here is only fetched into the cache; one that
    the study keeps out of the remote is left to its stage.
    """
    path = layout(study).student
    output = path.as_posix()
    if output in elsewhere.sources([study]):
        return False
    if output not in lock.outputs(lock.read(Path("dvc.lock"))) or (path.exists() and not remote.missing(output)):
        return False
    remote.check_verified()
    if found := remote.faults([output]):
        raise InputError(found[0])
    print(f"pulling {path}, the one output that is not computed (`make verify` computes it too)", flush=True)
    done = subprocess.run(
        [sys.executable, "-m", "dvc", "fetch" if path.exists() else "pull", "-q", output],
        capture_output=True,
        text=True,
        env=run_lock.dvc_environment(),
    )
    if done.returncode:
        LOG.parent.mkdir(exist_ok=True)
        LOG.write_text(done.stderr, encoding="utf-8")
        print(f"it could not be pulled ({LOG}), so that stage `student` makes it; mini takes 20 minutes on two cores", flush=True)
    return not done.returncode
