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
    """YAML as a person means it: keys are texts, each once in a mapping; 0540 is no octal number; no dates, no .nan and no .inf."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag not in TEXTS or not key.value.isprintable():
                shown = ascii(key.value)[:40] if isinstance(key, yaml.ScalarNode) else f"that is a {key.id}"
                _refuse(key, f"key {shown} is no text of one line; write a name, in quotes if need be")
            if key.value in seen:
                _refuse(key, f"key '{key.value}' is there twice; remove one")
            seen.add(key.value)
        found: dict[Any, Any] = super().construct_mapping(node, deep)
        return found

    def plain_int(self, node: yaml.ScalarNode) -> int:
        if not re.fullmatch(r"[-+]?(0|[1-9][0-9_]*)", node.value):
            _refuse(node, f"'{node.value}' is read as another number by YAML; write a decimal number without leading 0")
        if len(node.value) > 19:
            _refuse(node, f"{node.value[:19]}... has {len(node.value)} characters; allowed are 19")
        return int(node.value)

    def finite_float(self, node: yaml.ScalarNode) -> float:
        if ":" in node.value:
            _refuse(node, f"'{node.value}' is read as another number by YAML; write a decimal number, or quotes around a text")
        value: float = self.construct_yaml_float(node)
        if not math.isfinite(value):
            _refuse(node, f"'{node.value}' is no finite number")
        return value

    def other(self, node: yaml.Node) -> NoReturn:
        _refuse(node, f"{ascii(node.value)[:40]} is read as a {node.tag.rpartition(':')[2]} by YAML; write a text in quotes")


LARGEST = 100_000  # values in a file, each alias counted as what it repeats; the committed studies have fewer than 2,000
DEEPEST = 40  # lists and mappings in each other
TEXTS = ("tag:yaml.org,2002:str", "tag:yaml.org,2002:merge")
_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.plain_int)
_Loader.add_constructor("tag:yaml.org,2002:float", _Loader.finite_float)
for _tag in ("tag:yaml.org,2002:timestamp", None):
    _Loader.add_constructor(_tag, _Loader.other)


def _check_size(text: str) -> None:
    """Refuse what a reader of YAML can be killed with: deep nesting, aliases that multiply or hold themselves; and written tags."""
    total, sizes, open_ = 0, dict[str, int](), list[tuple[str, int]]()
    for event in yaml.parse(text, _Loader):
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in sizes:
                _refuse(event, f"alias '*{event.anchor}' names nothing that ends above it")
            total += sizes[event.anchor]
        elif isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent):
            if event.tag:
                _refuse(event, f"tag '{event.tag}' is not allowed; write a text in quotes, a number, a list or a mapping without it")
            total += 1
            if isinstance(event, yaml.CollectionStartEvent):
                open_.append((event.anchor or "", total))
            sizes |= {event.anchor: 1} if event.anchor and isinstance(event, yaml.ScalarEvent) else {}
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, start = open_.pop()
            sizes[anchor] = total - start + 1
        if len(open_) > DEEPEST:
            _refuse(event, f"lists and mappings nested more than {DEEPEST} deep")
        if total > LARGEST:
            _refuse(event, f"more than {LARGEST:,} values, with those that aliases repeat")


def _refuse(node: Any, what: str) -> NoReturn:
    raise yaml.constructor.ConstructorError(None, None, f"line {node.start_mark.line + 1}: {what}", None)


@cache
def study(path: Path) -> dict[str, Any]:
    """Load a study file, or params.yaml: a mapping of section names to sections."""
    try:
        text = path.read_text(encoding="utf-8")
        _check_size(text)
        document = yaml.load(text, _Loader)
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
    arms = section(path, "arms", dict[str, Any])
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
        text = str(error) if str(error).isprintable() else ascii(str(error))
        raise InputError(f"{where}: {text}{allowed}{floats}") from None
