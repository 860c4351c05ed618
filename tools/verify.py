"""`make verify`: recompute the committed tree in a scratch copy, without any cache, and compare every output with dvc.lock."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from distill.cli import command
from distill.core.errors import InputError
from tools import lock, params, run_lock

SCRATCH = Path(".work", "verify")
LOCK = Path(".work", "verify.running")


def main() -> None:
    """Verify HEAD, one at a time: the scratch copy has one place."""
    with run_lock.exclusive("make verify", LOCK):
        verify()


def verify() -> None:
    """Exit 0 when every output's hash equals HEAD's; otherwise list the differences, keep the copy and exit 1."""
    if not lock.has_git():
        raise InputError("it recomputes what git holds: install git, and run it in a clone; an unpacked archive has only `make repro`")
    text = lock.committed("dvc.lock")
    if not text:
        sys.exit("verify: HEAD has no dvc.lock, so there is nothing to verify; run `make repro` and commit it first")
    if changed := subprocess.run(["git", "diff", "--name-only", "HEAD"], capture_output=True, text=True, check=True).stdout.split():
        print(f"verify: HEAD is verified; {len(changed)} files changed here since are not part of it", file=sys.stderr)
    shutil.rmtree(SCRATCH, ignore_errors=True)
    SCRATCH.parent.mkdir(exist_ok=True)
    subprocess.run(["git", "clone", "--quiet", ".", str(SCRATCH)], check=True)
    studies = params.read(SCRATCH).studies
    environment = os.environ | {"PATH": f"{Path('.venv', 'bin').resolve()}{os.pathsep}{os.environ['PATH']}"}
    run = subprocess.run([sys.executable, "-m", "dvc", "repro", "--no-run-cache", "--force"], cwd=SCRATCH, env=environment)
    if run.returncode:
        sys.exit(f"verify: the run failed; the copy is kept in {SCRATCH}")
    fresh, committed = (lock.of_studies(each, studies) for each in (lock.read(SCRATCH / "dvc.lock"), lock.parse(text)))
    differences = lock.compare(fresh, committed)
    if differences:
        print("\n".join(map(str, differences)))
        sys.exit(f"verify: {len(differences)} of {len(lock.outputs(committed))} outputs differ; the copy is kept in {SCRATCH}")
    shutil.rmtree(SCRATCH)
    print(f"verify: equal: all {len(lock.outputs(committed))} outputs were computed again and have the hashes of HEAD's dvc.lock")


if __name__ == "__main__":
    command.guarded("verify", main)
