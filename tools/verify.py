"""`make verify`: recompute the committed tree in a scratch copy, without any cache, and compare every output with dvc.lock."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from distill.cli import command
from tools import params, run_lock, scratch

SCRATCH = Path(".work", "verify")
LOCK = Path(".work", "verify.running")


def main() -> None:
    """Verify HEAD, one at a time: the scratch copy has one place."""
    with run_lock.exclusive("make verify", LOCK):
        verify()


def verify() -> None:
    """Exit 0 when every output's hash equals HEAD's; otherwise list the differences, keep the copy and exit 1."""
    committed = scratch.clone(SCRATCH, "verify")
    params.read(SCRATCH)
    environment = os.environ | {"PATH": f"{Path('.venv', 'bin').resolve()}{os.pathsep}{os.environ['PATH']}"}
    run = subprocess.run([sys.executable, "-m", "dvc", "repro", "--no-run-cache", "--force"], cwd=SCRATCH, env=environment)
    if run.returncode:
        sys.exit(f"verify: the run failed; the copy is kept in {SCRATCH}")
    total = scratch.compare(SCRATCH, committed, "verify")
    shutil.rmtree(SCRATCH)
    print(f"verify: equal: all {total} outputs were computed again and have the hashes of HEAD's dvc.lock")


if __name__ == "__main__":
    command.guarded("verify", main)
