"""Some cells of one study, computed again in a scratch clone of HEAD.

`python -m tools.claim_run STUDY` in that clone reads from standard input whether to fetch the study's outputs and which cells to run.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

from distill.cli import command
from distill.core.errors import InputError
from tools import activation, lock, params, remote, run_lock, scratch

SCRATCH, LOCK = Path(".work", "claim"), Path(".work", "claim.running")
CACHE = Path(".dvc", "cache")


def run(study: str, names: Sequence[str], needed: Sequence[str], figures: Path) -> tuple[int, bytes]:
    """Compute cells again; return the number of their outputs, all equal to HEAD's, and the text of a file of figures there.

    `needed` are outputs of other cells, which are taken from this clone's cache or from the remote. The scratch clone shares the cache.
    """
    with run_lock.exclusive("make claim", LOCK):
        committed = scratch.clone(SCRATCH, "claim")
        cached = [out for out in needed if Path(out).parts[0] in remote.CACHED]
        if missing := [out for out in cached if out not in lock.outputs(committed)]:
            raise InputError(f"HEAD's dvc.lock has no {missing[0]}, which the claim rests on; run it and commit: make study S={study}")
        local = SCRATCH / ".dvc" / "config.local"
        local.write_text(f"[cache]\n    dir = {CACHE.resolve()}\n", encoding="utf-8")
        words = [sys.executable, "-m", "tools.claim_run", study]
        orders = json.dumps({"pull": bool(cached), "repro": list(names)})
        done = subprocess.run(words, cwd=SCRATCH, input=orders, text=True, env=os.environ)
        if done.returncode:
            sys.exit(f"claim: the run failed; the copy is kept in {SCRATCH}")
        total = scratch.compare(SCRATCH, committed, "claim", names)
        text = (SCRATCH / figures).read_bytes()
        shutil.rmtree(SCRATCH)
        return total, text


def main(study: str) -> None:
    """Fetch and run, in the scratch clone."""
    orders = json.load(sys.stdin)
    active = study in params.read().students or not orders["pull"]
    with run_lock.exclusive("make claim") as held, nullcontext() if active else activation.activated(study):
        # all of the study: DVC takes longer for many targets by name
        code = run_lock.run_dvc(["pull", "--quiet", "--allow-missing"], held) if orders["pull"] else 0
        code = code or run_lock.run_dvc(["repro", "--no-run-cache", "--force", "--single-item", *orders["repro"]], held)
    sys.exit(code)


if __name__ == "__main__":
    command.guarded("claim", lambda: main(*sys.argv[1:]))
