"""What every stage's shell shares: typed parameters in, one-line errors out, one closing line.

A stage module ends in ``if __name__ == "__main__": stage.run(main)``; `main` takes the words of its command line in
dvc.yaml, reads, calls the pure function, writes.
"""

from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import yaml

from distill.core.errors import InputError

T = TypeVar("T")


class Arm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One row of the experiment: what the corpus of its adapters holds."""

    level: str  # r1 (full chain) .. r6 (an insight), or answer (question -> answer only)
    protocol: str  # clean | published
    corrected: bool  # corrected problem texts, or the texts as published
    n: int  # training examples; 0 = all that there are


@cache
def study(path: Path) -> dict[str, Any]:
    """Load a study file: a mapping of section names to sections."""
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        known = ", ".join(sorted(other.stem for other in path.parent.glob("*.yaml")))
        raise InputError(f"{path}: no such study file; studies here: {known}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(document, dict):
        raise InputError(f"{path}: expected sections, got {type(document).__name__}")
    return document


def section(path: str | Path, name: str, kind: type[T]) -> T:
    """Return section `name` of a study file as `kind`; a missing, misspelt or ill-typed key is an InputError that names it."""
    sections = study(Path(path))
    if name not in sections:
        raise InputError(f"{path}: no section '{name}'; sections here: {', '.join(sections)}")
    return _convert(sections[name], kind, f"{path}: section '{name}'")


def arm(path: str | Path, name: str) -> Arm:
    """Return arm `name` of a study file."""
    arms = study(Path(path)).get("arms") or {}
    if name not in arms:
        raise InputError(f"{path}: no arm '{name}'; arms here: {', '.join(arms)}; mend params.yaml or add it under arms:")
    return _convert(arms[name], Arm, f"{path}: section 'arms.{name}'")


def _convert(value: Any, kind: type[T], where: str) -> T:
    try:
        return msgspec.convert(value, kind, strict=True)
    except msgspec.ValidationError as error:
        keys = getattr(kind, "__struct_fields__", ())
        allowed = f"; keys here: {', '.join(keys)}" if keys else ""
        floats = "; write floats as 1.0e-4" if "`float`" in str(error) else ""
        raise InputError(f"{where}: {error}{allowed}{floats}") from None
