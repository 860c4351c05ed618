"""The command line of every stage: ``python -m stages.train mini r1 1``.

A stage module ends in ``if __name__ == "__main__": command.run(main)``. `main` takes the paths of the study and, where the stage runs once
for each, the arm and the seed: its signature says which words the command line has. It reads, calls a pure function, writes.
"""

import argparse
import errno
import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import yaml

from distill.cli.layout import Paths, layout
from distill.core.errors import InputError

PIPELINE = Path("dvc.yaml")


def run(main: Callable[..., None], words: Sequence[str] | None = None) -> None:
    """Call `main` with the command line's words; an input error ends in one line on stderr and exit code 2."""
    name = Path(inspect.getfile(main)).stem
    guarded(name, lambda: main(*arguments(main, name, words)))


def guarded(name: str, call: Callable[[], object]) -> None:
    """Call a function; an input error, an error of the system or Ctrl-C ends this process with one line on stderr."""
    try:
        call()
    except InputError as error:
        _leave(2, f"{name}: {error}")
    except OSError as error:  # a full disk, a missing file, a permission: for the user to fix
        where = f": {error.filename}" if error.filename else ""
        remedy = "; free some space and run it again" if error.errno in (errno.ENOSPC, errno.EDQUOT) else ""
        _leave(2, f"{name}: {error.strerror or error}{where}{remedy}")
    except KeyboardInterrupt:
        _leave(130, f"{name}: interrupted; run it again to continue from what is kept in .work/")


def arguments(main: Callable[..., None], name: str, words: Sequence[str] | None = None) -> list[Any]:
    """Return the arguments of `main`: its paths, then the arm and the seed where its signature has them."""
    words = sys.argv[1:] if words is None else words
    coordinates = list(inspect.signature(main).parameters.values())[1:]
    about, _, rest = (inspect.getmodule(main).__doc__ or "").partition("\n")
    parser = argparse.ArgumentParser(
        prog=f"python -m stages.{name}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description=about + rest,
        epilog=declared(name) if {"-h", "--help"} & set(words) else "",
    )
    parser.add_argument("study", help="a file of studies/, without its ending")
    for each in coordinates:
        optional = each.default is not inspect.Parameter.empty
        parser.add_argument(each.name, type=each.annotation, nargs="?" if optional else None, default=each.default if optional else None)
    parser.add_argument(
        "--path",
        action="append",
        default=[],
        metavar="NAME=PATH",
        help="read or write NAME (a field of distill/cli/layout.py) elsewhere, for an experiment",
    )
    given = parser.parse_args(words)
    values = [getattr(given, each.name) for each in coordinates]
    return [moved(layout(given.study, *values), given.path), *values]


def moved(paths: Paths, words: Sequence[str]) -> Paths:
    """Return the paths with those of ``NAME=PATH`` words in place of the study's own."""
    places = {name: Path(path) for name, _, path in (word.partition("=") for word in words)}
    known = [name for name in Paths.__struct_fields__ if name != "study"]
    if unknown := [name for name in places if name not in known]:
        raise InputError(f"--path {unknown[0]}: no such path; the names are {', '.join(known)}")
    return msgspec.structs.replace(paths, **places)


def declared(name: str) -> str:
    """Return what dvc.yaml declares of the stages that run a module: what they read and write, and their sections of the study file."""
    try:
        stages = yaml.safe_load(PIPELINE.read_text(encoding="utf-8"))["stages"]
    except (OSError, yaml.YAMLError, KeyError, TypeError):
        return ""
    lines = []
    for stage, body in stages.items():
        if f"stages.{name} " not in f"{body['cmd']} ":
            continue
        outs = [*body.get("outs", []), *body.get("metrics", []), *body.get("plots", [])]
        sections = [key for each in body.get("params", []) if isinstance(each, dict) for key in next(iter(each.values()))]
        rows = {"reads": body.get("deps", []), "writes": outs, "sections": sections}
        lines.append(f"stage {stage} of dvc.yaml: {body.get('desc', '')}")
        lines += [f"  {what}: {', '.join(_plain(each) for each in each_of)}" for what, each_of in rows.items() if each_of]
    return "\n".join(lines)


def _plain(entry: Any) -> str:
    path = next(iter(entry)) if isinstance(entry, dict) else str(entry)
    for key in ("study", "arm", "seed"):
        path = path.replace(f"${{item.{key}}}", key.upper())
    return path


def closing(name: str, read: int, wrote: int, dropped: Mapping[str, int] | None = None) -> None:
    """Print a stage's closing line: read N, wrote M, dropped K and why."""
    reasons = {reason: count for reason, count in sorted((dropped or {}).items()) if count}
    why = f" ({', '.join(f'{reason}: {count}' for reason, count in reasons.items())})" if reasons else ""
    print(f"{name}: read {read}, wrote {wrote}, dropped {sum(reasons.values())}{why}", file=sys.stderr)


def shown(text: str) -> str:
    """Return a message with what would move or colour the terminal escaped; a value of a study file may hold it.

    >>> print(shown("no arm 'a\\x1b[2J'"))
    no arm 'a\\x1b[2J'
    """
    return "".join(char if char.isprintable() or char == "\n" else ascii(char)[1:-1] for char in text)


def _leave(code: int, line: str) -> None:
    print(shown(line), file=sys.stderr)
    sys.exit(code)
