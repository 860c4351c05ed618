"""`make repro`: pull the base student, compute what is not up to date, show the results, and say what was computed and what was not."""

import re
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from distill.cli import command
from tools import activation, compare_head, lock, params, run_lock, show_results
from tools.pull_student import pull_student
from tools.study import splits

LOG = Path(".work", "repro.log")
# The run-cache is off: an output that is not here is computed, never looked up.
REPRO = ("repro", "--no-run-cache")
RAN = re.compile(r"Running stage '(.+)':$")
SKIPPED = re.compile(r"Stage '(.+)' didn't change, skipping$")
CACHED = re.compile(r"Stage '(.+)' is cached - skipping run, checking out outputs$")  # by its hash, also without the run-cache


class Run(NamedTuple):
    """What DVC said of a run: names of stages, each once, in the order of the run."""

    ran: list[str]
    skipped: list[str]
    cached: list[str]  # taken from .dvc/cache


def parse(lines: list[str]) -> Run:
    """Read the printed lines of one `dvc repro` or of several, one after another; a stage that ran in one of them has run.

    >>> parse(["Stage 'fetch@mini' didn't change, skipping", "Running stage 'split@mini':", "> python -m stages.split mini"])
    Run(ran=['split@mini'], skipped=['fetch@mini'], cached=[])
    """
    ran, cached, skipped = ([match[1] for line in lines if (match := pattern.match(line))] for pattern in (RAN, CACHED, SKIPPED))
    cached = [name for name in cached if name not in ran]
    return Run(_once(ran), _once([name for name in skipped if name not in {*ran, *cached}]), _once(cached))


def _once(names: list[str]) -> list[str]:
    return list(dict.fromkeys(names))


def main(*words: str) -> None:
    """Reproduce what params.yaml names; `--force` computes also what is up to date, except for a pulled student; `report`: up to it."""
    with run_lock.exclusive("make repro") as held:
        activation.restore()
        active = params.read()
        studies = active.students
        pulled = [f"student@{name}" for name in studies if pull_student(name)]
        lines: list[str] = []
        if first := splits(active.corpora):
            _dvc((*REPRO, *first), held, lines)
        if "report" in words:
            _dvc(("repro", "report"), held, lines)
            return show_results.main("where")
        _dvc(REPRO, held, lines)
        if "--force" in words:
            _force(held, lines)
        LOG.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        run = parse(lines)
        show_results.main()
        stages = yaml.safe_load(Path("dvc.yaml").read_text(encoding="utf-8"))["stages"]
        print("\n".join(account(run, pulled, stages, lock.read(Path("dvc.lock")))))
        print("\n".join(compare_head.equality(studies, {name for names in run for name in names}, run.ran)))


def _force(held: int, lines: list[str]) -> None:
    """Run the skipped stages too, in DVC's order, then whatever depends on an output that differs from before."""
    order = _once([match[1] for line in lines if (match := SKIPPED.match(line) or CACHED.match(line))])
    rest = [name for name in order if not name.startswith("student@")]
    before = lock.outputs(lock.read(Path("dvc.lock")))
    if rest:
        _dvc((*REPRO, "--force", "--single-item", *rest), held, lines)
    if lock.outputs(lock.read(Path("dvc.lock"))) != before:
        _dvc(REPRO, held, lines)


def _dvc(words: tuple[str, ...], held: int, lines: list[str]) -> None:
    """Run DVC, print what it prints and add it to `lines`; a failure ends this process with DVC's code."""

    def each(line: str) -> None:
        print(line, end="", flush=True)
        lines.append(line.rstrip("\n"))

    if code := run_lock.run_dvc(words, held, each):
        LOG.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        sys.exit(code)


def account(run: Run, pulled: Collection[str], stages: dict[str, Any], locked: dict[str, Any]) -> list[str]:
    """Return the lines that say how many outputs were computed in this run, and for the others why not."""
    in_git = {name for name, body in stages.items() if all(map(_in_git, _outs(body)))}
    groups: dict[str, list[str]] = {"pulled": [], "in git": [], "cached": run.cached, "unchanged": []}
    for name in run.skipped:
        groups["pulled" if name in pulled else "in git" if name.partition("@")[0] in in_git else "unchanged"].append(name)
    reasons = {
        "pulled": "pulled from the remote",
        "in git": "in git, so that DVC takes them as done, on a fresh clone too; `make repro FORCE=1` computes them",
        "cached": "in this clone's .dvc/cache since an earlier run or pull; `make repro FORCE=1` computes them",
        "unchanged": "here already, and nothing that they depend on has changed",
    }
    lines = [f"computed in this run: {_count(run.ran, locked)}"]
    return lines + [f"not computed: {_count(names, locked)}: {reasons[why]} ({_stages(names)})" for why, names in groups.items() if names]


def _outs(body: dict[str, Any]) -> list[Any]:
    return [out for key in ("outs", "metrics", "plots") for out in body.get(key, [])]


def _in_git(out: Any) -> bool:
    return isinstance(out, dict) and next(iter(out.values())).get("cache") is False


def _count(names: list[str], locked: dict[str, Any]) -> str:
    outputs = len(lock.outputs(lock.only(locked, names)))
    return f"{outputs} output{'s' * (outputs != 1)} of {len(names)} stage{'s' * (len(names) != 1)}"


def _stages(names: list[str]) -> str:
    return ", ".join(dict.fromkeys(name.partition("@")[0] for name in names))


if __name__ == "__main__":
    command.guarded("repro", lambda: main(*sys.argv[1:]))
