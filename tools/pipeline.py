"""dvc.yaml, its stages expanded to cells: one for each study, arm and seed that params.yaml names."""

import itertools
import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tools import lock


class Cell(NamedTuple):
    """One stage of dvc.yaml with its matrix coordinates filled in."""

    name: str  # train@mini-r1-1, as DVC prints it
    stage: str  # train
    cmd: str
    deps: list[str]
    params: dict[str, list[str]]  # file -> keys
    outs: list[str]  # outs, metrics and plots
    item: dict[str, Any]  # study, and arm and seed where it has them

    @property
    def module(self) -> str:
        """The module that the command runs: stages.train."""
        words = shlex.split(self.cmd)
        return words[words.index("-m") + 1]

    @property
    def code(self) -> list[str]:
        """The dependencies that are code: the module and the packages."""
        return [dep for dep in self.deps if is_code(dep)]


def is_code(path: str) -> bool:
    """Tell code from data among the dependencies of a stage."""
    return path.startswith(("stages/", "distill/"))


def cells(root: Path = Path(), active: Mapping[str, Any] | None = None) -> list[Cell]:
    """Return every cell of a tree's dvc.yaml, in its order; `active` stands in for values of params.yaml."""
    document = lock.parse((root / "dvc.yaml").read_text(encoding="utf-8"))
    values = lock.parse((root / "params.yaml").read_text(encoding="utf-8")) | dict(active or {})
    return [cell for name, stage in document["stages"].items() for cell in _cells(name, stage, values)]


def _cells(name: str, stage: dict[str, Any], values: dict[str, Any]) -> Iterator[Cell]:
    lists = {key: _fill(choice, values) if isinstance(choice, str) else choice for key, choice in stage.get("matrix", {}).items()}
    for combination in itertools.product(*lists.values()):
        item = dict(zip(lists, combination, strict=True))
        body = _fill({key: value for key, value in stage.items() if key != "matrix"}, values | {"item": item})
        outs = [path for key in ("outs", "metrics", "plots") for path in _paths(body.get(key, []))]
        label = f"{name}@{'-'.join(map(str, combination))}" if lists else name
        yield Cell(label, name, body["cmd"], _paths(body.get("deps", [])), _params(body.get("params", [])), outs, item)


def _fill(value: Any, values: dict[str, Any]) -> Any:
    """Replace ``${key.key}`` in every string of a document."""
    if isinstance(value, dict):
        return {_fill(key, values): _fill(item, values) for key, item in value.items()}
    if isinstance(value, list):
        return [_fill(item, values) for item in value]
    if not isinstance(value, str):
        return value
    if whole := re.fullmatch(r"\$\{([\w.]+)\}", value):
        return _look(whole[1], values)
    return re.sub(r"\$\{([\w.]+)\}", lambda match: str(_look(match[1], values)), value)


def _look(key: str, values: Any) -> Any:
    for part in key.split("."):
        values = values[part]
    return values


def _paths(entries: list[Any]) -> list[str]:
    return [next(iter(entry)) if isinstance(entry, dict) else entry for entry in entries]


def _params(entries: list[Any]) -> dict[str, list[str]]:
    """A bare key is one of params.yaml."""
    found: dict[str, list[str]] = {}
    for entry in entries:
        for path, keys in entry.items() if isinstance(entry, dict) else [("params.yaml", [entry])]:
            found.setdefault(path, []).extend(keys or [])
    return found
