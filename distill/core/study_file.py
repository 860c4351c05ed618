"""The study file: typed sections out of YAML. A missing, misspelt or ill-typed key is an InputError that names file, section and key."""

import math
import re
from functools import cache
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import msgspec
import yaml

from distill.core.errors import InputError

T = TypeVar("T")


class Arm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One row of the experiment: what the corpus of its adapters holds."""

    level: str  # of section `levels`, or answer (question -> answer only)
    protocol: str  # clean (checked, verified work only) | published (a corpus as it was published, its flaws counted)
    corrected: bool  # corrected problem texts, or the texts as published
    n: int  # training examples; 0 = all that there are


class Kind(msgspec.Struct, frozen=True):
    """The kind of a section: which provider reads the rest of it."""

    kind: str


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # the C one where the wheel has it
    """YAML as a person means it: a key once in a mapping, 0540 no octal number, no .nan and no .inf."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen:
                _refuse(key, f"key '{key.value}' is there twice; remove one")
            seen.add(key.value)
        found: dict[Any, Any] = super().construct_mapping(node, deep)
        return found

    def plain_int(self, node: yaml.ScalarNode) -> int:
        if not re.fullmatch(r"[-+]?(0|[1-9][0-9_]*)", node.value):
            _refuse(node, f"'{node.value}' is read as another number by YAML; write a decimal number without leading 0")
        return int(node.value)

    def finite_float(self, node: yaml.ScalarNode) -> float:
        value: float = self.construct_yaml_float(node)
        if not math.isfinite(value):
            _refuse(node, f"'{node.value}' is no finite number")
        return value


_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.plain_int)
_Loader.add_constructor("tag:yaml.org,2002:float", _Loader.finite_float)


def _refuse(node: yaml.Node, what: str) -> NoReturn:
    raise yaml.constructor.ConstructorError(None, None, f"line {node.start_mark.line + 1}: {what}", None)


@cache
def study(path: Path) -> dict[str, Any]:
    """Load a study file, or params.yaml: a mapping of section names to sections."""
    try:
        document = yaml.load(path.read_text(encoding="utf-8"), _Loader)
    except FileNotFoundError:
        known = ", ".join(sorted(other.stem for other in path.parent.glob("*.yaml")))
        raise InputError(f"{path}: no such study file; studies here: {known}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: {' '.join(str(error).split())}") from None
    if not isinstance(document, dict):
        raise InputError(f"{path}: expected sections, got {type(document).__name__}")
    return document


def section(path: str | Path, name: str, kind: type[T]) -> T:
    """Return section `name` of a study file as `kind`; a missing, misspelt or ill-typed key is an InputError that names it."""
    sections = study(Path(path))
    if name not in sections:
        raise InputError(f"{path}: no section '{name}'; sections here: {', '.join(sections)}")
    return _convert(sections[name], kind, f"{path}: section '{name}'")


def optional_section(path: str | Path, name: str, kind: type[T]) -> T | None:
    """Return a section that a study may do without; None where it is empty. It stands there as `NAME: {}`, because DVC asks for the key."""
    return section(path, name, kind) if study(Path(path)).get(name, ...) else None


def arm(path: str | Path, name: str) -> Arm:
    """Return arm `name` of a study file."""
    arms = study(Path(path)).get("arms") or {}
    if name not in arms:
        raise InputError(f"{path}: no arm '{name}'; arms here: {', '.join(arms)}; fix params.yaml or add it under arms:")
    return _convert(arms[name], Arm, f"{path}: section 'arms.{name}'")


def _convert(value: Any, kind: type[T], where: str) -> T:
    try:
        return msgspec.convert(value, kind, strict=True)
    except msgspec.ValidationError as error:
        keys = getattr(kind, "__struct_fields__", ())
        allowed = f"; keys here: {', '.join(keys)}" if keys else ""
        floats = "; write floats as 1.0e-4" if "`float`" in str(error) else ""
        raise InputError(f"{where}: {error}{allowed}{floats}") from None
