"""params.yaml, checked before DVC puts its names into paths and shell commands."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from distill.cli.layout import NAME, layout
from distill.core import study_file
from distill.core.errors import InputError

PARAMS = Path("params.yaml")
ALLOWED = "a name is letters, digits, _, . and -, and begins with none of the last two"


class Params(msgspec.Struct, frozen=True):
    """Which studies, arms and seeds run, and which arm of them for long."""

    papers: list[str]
    corpora: list[str]
    students: list[str]
    arms: list[str]
    seeds: list[int]
    long_run: str  # the arm of stage overfit

    @property
    def studies(self) -> list[str]:
        """Every study that is named, once."""
        return list(dict.fromkeys([*self.papers, *self.corpora, *self.students]))


def read(root: Path = Path()) -> Params:
    """Return params.yaml of a tree; InputError where a value cannot be run."""
    path = root / PARAMS
    values = check(study_file.study.__wrapped__(path), str(path))
    for name in values.studies:
        file = root / layout(name).study_file
        if not file.is_file():
            known = ", ".join(sorted(each.stem for each in file.parent.glob("*.yaml")))
            raise InputError(f"{path}: there is no {file} for study {name!r}; studies here: {known}")
        arms = study_file.study.__wrapped__(file).get("arms") or {}
        if name in values.corpora and (unknown := [arm for arm in values.arms if arm not in arms]):
            raise InputError(f"{path}: arms: {file} has no arm {unknown[0]!r}; arms there: {', '.join(arms)}")
    return values


def check(document: dict[str, Any], where: str) -> Params:
    """Return the values typed; InputError where one has another type, is no name, or is there twice."""
    try:
        values = msgspec.convert(document, Params, strict=True)
    except msgspec.ValidationError as error:
        raise InputError(f"{where}: {error}; studies and arms are names, seeds are whole numbers") from None
    for key in Params.__struct_fields__:
        entries = [values.long_run] if key == "long_run" else getattr(values, key)
        for fault in names(key, [each for each in entries if isinstance(each, str)]):
            raise InputError(f"{where}: {fault}")
        if twice := [each for each in entries if entries.count(each) > 1]:
            raise InputError(f"{where}: {key}: {twice[0]!r} is there twice; remove one")
    if negative := [seed for seed in values.seeds if seed < 0]:
        raise InputError(f"{where}: seeds: {negative[0]}; a seed is 0 or more")
    return values


def names(where: str, given: Iterable[object]) -> Iterator[str]:
    """Yield a fault for each that is no name: names become paths and words of shell commands."""
    for name in given:
        if not isinstance(name, str) or not NAME.fullmatch(name):
            yield f"{where}: {name!r}: {ALLOWED}"
