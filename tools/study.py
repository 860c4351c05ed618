"""`python -m tools.study run|pull|push|status NAME`: `dvc repro`, `pull`, `push` or `status` of a study, whatever params.yaml names.

Files and dvc.lock entries of other studies stay as they are. Without NAME, all but `run` act on what params.yaml names. What a study keeps
out of the remote (`run.not_in_remote`) is neither pushed nor pulled; `pull` says how it comes.
`run NAME STAGE` runs that stage first, up to date or not: `student` again, when files of a recording can be had that were missing.
"""

import re
import sys
from collections.abc import Collection, Sequence
from contextlib import nullcontext
from pathlib import Path

from distill.cli import command
from distill.cli.layout import layout
from distill.core import study_file
from distill.core.errors import InputError
from tools import activation, elsewhere, params, probing, remote, run_lock
from tools.pull_student import pull_student

ACTIONS = {"run": "repro", "pull": "pull", "push": "push", "status": "status"}
TARGETS = {"run": "study", "pull": "pull", "push": "push", "status": "status"}  # of the Makefile
SHOWN = 20  # faults of the remote listed before the rest is only counted


def main(action: str = "", name: str = "", stage: str = "") -> None:
    """Run DVC on one study and end with its exit code."""
    if action not in ACTIONS:
        raise InputError(f"{action!r}: expected one of {', '.join(ACTIONS)}: python -m tools.study run NAME")
    target = TARGETS[action]
    if action == "run" and not name:
        raise InputError("say which study: make study S=NAME; NAME is a file of studies/ without its ending")
    if stage and not re.fullmatch(r"[a-z_]+", stage):
        raise InputError(f"FORCE={stage}: expected the name of a stage that runs once a study, for example student")
    if name:
        activation.settings(name)
    with run_lock.exclusive(f"make {target}{f' S={name}' if name else ''}") as lock:
        activation.restore()
        with activation.activated(name) if name else nullcontext():
            active = params.read()
            away = elsewhere.sources(active.studies)
            outputs = [each for each in remote.outputs_of(active.studies) if each not in away]
            if action == "pull":
                remote.check_verified()
                refuse(remote.faults(outputs), "nothing was pulled")
            if action == "push":
                print("".join(f"{md5}: cut off by a broken push; pushed again\n" for md5 in remote.remove_cut(outputs)), end="", flush=True)
            if action == "run":
                for each in active.students:
                    pull_student(each)
            chosen = elsewhere.listed(outputs) if away and action in ("pull", "push") else []
            code = next((failed for words in commands(action, name, stage, chosen) if (failed := run_lock.run_dvc(words, lock))), 0)
            if action == "pull" and code:  # DVC has fetched what it found, and placed none of it
                run_lock.run_dvc(["checkout", "--quiet", "--allow-missing"], lock)
                refuse(remote.faults(outputs, absent=True), "the other outputs were pulled")
            if action == "push" and code and (name_of := probing.default()):
                raise InputError(f"remote {name_of}: {probing.access(name_of)}; DVC's reason is above")
    if action == "pull" and not code:
        print("".join(f"{path} is not in the remote: {source}\n" for path, source in away.items() if not Path(path).exists()), end="")
    if action == "run" and not code:
        print("".join(f"{line}\n" for line in places(name)), end="")
    sys.exit(code)


def refuse(faults: list[str], rest: str) -> None:
    """End in one line for each of the faults; return where there is none."""
    if faults:
        more = [f"and {len(faults) - SHOWN} more"] if len(faults) > SHOWN else []
        total = [f"{len(faults)} objects of the remote are not as they were pushed; {rest}"] if len(faults) > 1 else []
        raise InputError("\n".join([*faults[:SHOWN], *more, *total]))


def places(name: str) -> list[str]:
    """Return where the results of a study lie, those that are there."""
    paths = layout(name)
    shown = {
        "corpora, one folder an arm (train.jsonl, valid.jsonl)": paths.corpora,
        "audit of the corpora": paths.audit_page,
        "adapters": paths.adapters,
        "report": paths.report,
        "page for a browser": paths.page,
    }
    return [f"{what}: {path}" for what, path in shown.items() if Path(path).exists()]


def commands(action: str, name: str, stage: str = "", outputs: Sequence[str] = ()) -> list[list[str]]:
    """Return DVC's arguments, one list a run: first a stage to run up to date or not, then the split of a study with an LLM role.

    `outputs` are those that are pulled or pushed, where it is not all of them.
    """
    forced = [["repro", "--force", "--single-item", f"{stage}@{name}"]] if stage else []
    first = [["repro", *splits([name])]] if action == "run" and splits([name]) else []
    return [*forced, *first, [ACTIONS[action], *outputs]]


def splits(studies: Collection[str]) -> list[str]:
    """Return the stages to run before the rest: of studies with an LLM, so that no call is paid for problems too few to split."""
    sections = {name: study_file.study(layout(name).study_file) for name in studies}
    return [f"split@{name}" for name, found in sections.items() if any(_asks(found.get(role)) for role in ("solve", "verify", "condense"))]


def _asks(section: object) -> bool:
    return isinstance(section, dict) and section.get("teacher") == "chat"


if __name__ == "__main__":
    command.guarded("study", lambda: main(*sys.argv[1:4]))
