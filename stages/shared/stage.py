"""What every stage's shell shares: typed parameters in, one-line errors out, one closing line.

A stage module ends in ``if __name__ == "__main__": stage.run(main)``; `main` takes the words of its command line in
dvc.yaml, reads, calls the pure function, writes.
"""

import errno
import inspect
import sys
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import yaml

from stages.shared.files import Fault

T = TypeVar("T")


class Arm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One row of the experiment: what the corpus of its adapters holds."""

    level: str  # r1 (full chain) .. r6 (an insight), or answer (question -> answer only)
    protocol: str  # clean | published
    corrected: bool  # corrected problem texts, or the texts as published
    n: int  # training examples; 0 = all that there are


def run(main: Callable[..., None]) -> None:
    """Call `main` with the command line's words; a data fault ends in one line on stderr and exit code 2."""
    names = list(inspect.signature(main).parameters.values())
    words = sys.argv[1:]
    variadic = any(name.kind is name.VAR_POSITIONAL for name in names)
    fixed = [name.name for name in names if name.kind is not name.VAR_POSITIONAL]
    module = Path(sys.argv[0]).stem
    if len(words) < len(fixed) or (len(words) > len(fixed) and not variadic):
        usage = " ".join(f"{name.name.upper()}{'...' if name.kind is name.VAR_POSITIONAL else ''}" for name in names)
        count = f"at least {len(fixed)}" if variadic else str(len(fixed))
        print(f"{module}: expected {count} arguments, got {len(words)}: python -m stages.{module} {usage}", file=sys.stderr)
        sys.exit(2)
    try:
        main(*words)
    except Fault as fault:
        print(f"{module}: {fault}", file=sys.stderr)
        sys.exit(2)
    except OSError as error:  # a full disk, a missing file, a permission: the user's to mend
        where = f": {error.filename}" if error.filename else ""
        remedy = "; free some space and run it again" if error.errno in (errno.ENOSPC, errno.EDQUOT) else ""
        print(f"{module}: {error.strerror or error}{where}{remedy}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print(f"{module}: interrupted; run it again to go on from what is kept in .work/", file=sys.stderr)
        sys.exit(130)


def closing(name: str, read: int, wrote: int, dropped: Mapping[str, int] | None = None) -> None:
    """Print a stage's closing line: read N, wrote M, dropped K and why."""
    reasons = {reason: count for reason, count in sorted((dropped or {}).items()) if count}
    why = f" ({', '.join(f'{reason}: {count}' for reason, count in reasons.items())})" if reasons else ""
    print(f"{name}: read {read}, wrote {wrote}, dropped {sum(reasons.values())}{why}", file=sys.stderr)


@cache
def study(path: Path) -> dict[str, Any]:
    """Load a study file: a mapping of section names to sections."""
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        known = ", ".join(sorted(other.stem for other in path.parent.glob("*.yaml")))
        raise Fault(f"{path}: no such study file; studies here: {known}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise Fault(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(document, dict):
        raise Fault(f"{path}: expected sections, got {type(document).__name__}")
    return document


def section(path: str | Path, name: str, kind: type[T]) -> T:
    """Return section `name` of a study file as `kind`; a missing, misspelt or ill-typed key is a Fault that names it."""
    sections = study(Path(path))
    if name not in sections:
        raise Fault(f"{path}: no section '{name}'; sections here: {', '.join(sections)}")
    return _convert(sections[name], kind, f"{path}: section '{name}'")


def arm(path: str | Path, name: str) -> Arm:
    """Return arm `name` of a study file."""
    arms = study(Path(path)).get("arms") or {}
    if name not in arms:
        raise Fault(f"{path}: no arm '{name}'; arms here: {', '.join(arms)}; mend params.yaml or add it under arms:")
    return _convert(arms[name], Arm, f"{path}: section 'arms.{name}'")


def _convert(value: Any, kind: type[T], where: str) -> T:
    try:
        return msgspec.convert(value, kind, strict=True)
    except msgspec.ValidationError as error:
        keys = getattr(kind, "__struct_fields__", ())
        allowed = f"; keys here: {', '.join(keys)}" if keys else ""
        floats = "; write floats as 1.0e-4" if "`float`" in str(error) else ""
        raise Fault(f"{where}: {error}{allowed}{floats}") from None
