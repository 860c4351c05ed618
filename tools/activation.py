"""params.yaml while a study runs that it does not name, and back again, byte for byte.

.work/params.yaml.active holds the original meanwhile. After a kill -9 it is still there: `python -m tools.activation`, which every make
target calls then, puts the original back.
"""

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import yaml
from msgspec import UNSET, Meta, UnsetType

from distill.cli import command
from distill.cli.layout import layout
from distill.core import study_file
from distill.core.errors import InputError
from distill.core.files import replacing
from tools import params, run_lock
from tools.params import PARAMS

ACTIVE = Path(".work", "params.yaml.active")  # PROCESS STUDY, then the original
HEAD = "# For a run of study {study} alone: `make study` puts the original back at its end, the next make target after a kill.\n"


class Run(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Section `run` of a study file: what params.yaml holds while this study runs."""

    students: bool  # false: the corpus only; no adapter is trained, sampled or judged
    arms: list[str]  # rows of `arms:`
    seeds: list[Annotated[int, Meta(ge=0)]]
    not_in_remote: list[Literal["student", "raw", "page"]] | UnsetType = (
        UNSET  # outputs too large for it, which their stages bring again; absent: none
    )


def settings(name: str) -> dict[str, str | list[str] | list[int]]:
    """Return the values of params.yaml that activate a study; InputError where its section `run` cannot be run."""
    path = layout(name).study_file
    run = study_file.section(path, "run", Run)
    for arm in run.arms:
        study_file.arm(path, arm)
    if not run.arms or not run.seeds:
        raise InputError(f"{path}: section 'run': arms and seeds must not be empty")
    long_run = study_file.study(path).get("overfit") or {}
    values: dict[str, str | list[str] | list[int]]
    values = {
        "corpora": [name], "students": [name] if run.students else [], "arms": run.arms, "seeds": run.seeds,
        "long_run": long_run.get("arm", run.arms[0]),
    }  # fmt: skip
    params.check({"papers": []} | values, f"{path}: section 'run'")
    return values


@contextmanager
def activated(name: str) -> Iterator[None]:
    """Let params.yaml name one study in the block. Hold the lock of the clone around it."""
    values = settings(name)
    original = PARAMS.read_bytes()
    text = HEAD.format(study=name) + yaml.safe_dump(yaml.safe_load(original) | values, sort_keys=False, default_flow_style=None)
    with run_lock.orderly_end():
        _write(ACTIVE, f"{os.getpid()} {name}\n".encode() + original)
        try:
            _write(PARAMS, text.encode())
            yield
        finally:
            with _undisturbed():
                _write(PARAMS, original)
                ACTIVE.unlink()


@contextmanager
def _undisturbed() -> Iterator[None]:
    before = {number: signal.signal(number, signal.SIG_IGN) for number in run_lock.SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _write(path: Path, data: bytes) -> None:
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def restore() -> None:
    """Put back the original that a killed run left; a params.yaml that somebody has replaced since stays. Hold the lock around it."""
    if not ACTIVE.exists():
        return
    head, _, original = ACTIVE.read_bytes().partition(b"\n")
    process, study = head.decode().split()
    current = PARAMS.read_bytes() if PARAMS.exists() else b""
    if current and current != original and not current.startswith(HEAD.format(study=study).encode()):
        print(
            f"the run of study {study} (process {process}) was killed; params.yaml was changed since and is left as it is", file=sys.stderr
        )
    else:
        _write(PARAMS, original)
        print(f"the run of study {study} (process {process}) was killed; params.yaml is restored", file=sys.stderr)
    ACTIVE.unlink()


def main() -> None:
    """Restore params.yaml unless the run that changed it goes on."""
    with contextlib.suppress(InputError), run_lock.exclusive("restoring params.yaml"):
        restore()


if __name__ == "__main__":
    command.guarded("params.yaml", main)
