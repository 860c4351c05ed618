"""The faults of one value that should be of a type: keys that are missing or unknown, and values of another type, at any depth."""

from collections.abc import Iterator, Mapping
from types import NoneType, UnionType
from typing import Any, NamedTuple, Union, get_args, get_origin, get_type_hints

import msgspec


class Choice(NamedTuple):
    """A section whose type is named by one of its keys; `None`: where the key is not there."""

    key: str
    types: Mapping[Any, Any]


def walk(value: Any, kind: Any, where: str) -> Iterator[str]:
    """Yield every fault of a value that should be of a type: missing and unknown keys, and values of another type, at any depth."""
    chosen = choose(value, kind)
    origin = get_origin(chosen)
    if isinstance(chosen, Choice):
        given = value.get(chosen.key) if isinstance(value, dict) else value
        yield f"{where}: {chosen.key} is {ascii(given)[:60]}; allowed: {', '.join(str(name) for name in chosen.types if name is not None)}"
    elif isinstance(chosen, type) and issubclass(chosen, msgspec.Struct) and isinstance(value, dict):
        yield from _struct(value, chosen, where)
    elif origin is dict and isinstance(value, dict):
        for key, item in value.items():
            yield from walk(item, get_args(chosen)[1], f"{where}.{key}")
    elif origin is list and isinstance(value, list):
        for place, item in enumerate(value):
            yield from walk(item, get_args(chosen)[0], f"{where}[{place}]")
    else:
        yield from _converted(value, chosen, where)


def choose(value: Any, kind: Any) -> Any:
    """Return the type that a mapping's tag names; the choice itself where it names none of them."""
    if get_origin(kind) in (Union, UnionType) and isinstance(value, dict):
        structs = [each for each in get_args(kind) if hasattr(each, "__struct_config__")]
        key = next((each.__struct_config__.tag_field for each in structs if each.__struct_config__.tag_field), "")
        kind = Choice(key, {each.__struct_config__.tag: each for each in structs}) if structs else kind
    if isinstance(kind, Choice) and isinstance(value, dict):
        name = value.get(kind.key)
        return kind.types.get(name, kind) if isinstance(name, str | NoneType) else kind
    return kind


def _struct(value: dict[str, Any], kind: type[msgspec.Struct], where: str) -> Iterator[str]:
    config, types = kind.__struct_config__, get_type_hints(kind, include_extras=True)
    keys = {field.encode_name: types[field.name] for field in msgspec.structs.fields(kind)}
    required = [field.encode_name for field in msgspec.structs.fields(kind) if field.required]
    found = [f"{where}: no key '{key}'" for key in required if key not in value]
    allowed = [config.tag_field, *keys] if config.tag_field else list(keys)
    if config.forbid_unknown_fields:
        found += [f"{where}: unknown key '{key}'; allowed: {', '.join(allowed)}" for key in value if key not in allowed]
    for key, each in keys.items():
        if key in value:
            found += walk(value[key], each, f"{where}.{key}")
    yield from found or _converted(value, kind, where)  # what the type checks of the whole


def _converted(value: Any, kind: Any, where: str) -> Iterator[str]:
    try:
        msgspec.convert(value, kind, strict=True)
    except msgspec.ValidationError as error:
        actual = f", got {value!r}" if isinstance(value, int | float) and ", got " not in str(error) else ""
        hint = "; write floats as 1.0e-4" if "`float`, got `str`" in str(error) else ""
        yield f"{where}: {error}{actual}{hint}"
