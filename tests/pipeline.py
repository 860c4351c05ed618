"""dvc.yaml as tests see it: its stages expanded to cells, and what the code of a stage imports and reads."""

import ast
import itertools
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

ROOT = Path(__file__).parents[1]
PACKAGES = ("stages", "distill", "tools")
LAUNCHER = "distill/cli"  # starts a stage and says where files lie; it decides no byte of an output, so it is no dependency


class Cell(NamedTuple):
    """One stage of dvc.yaml with its matrix coordinates filled in."""

    name: str  # train@mini-r1-1, as DVC prints it
    stage: str  # train
    cmd: str
    deps: list[str]
    params: dict[str, list[str]]  # file -> keys
    outs: list[str]  # outs, metrics and plots

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


def cells(root: Path = ROOT) -> list[Cell]:
    """Return every cell of a tree's dvc.yaml, in its order."""
    document = yaml.safe_load((root / "dvc.yaml").read_text(encoding="utf-8"))
    values = yaml.safe_load((root / "params.yaml").read_text(encoding="utf-8"))
    return [cell for name, stage in document["stages"].items() for cell in _cells(name, stage, values)]


def _cells(name: str, stage: dict[str, Any], values: dict[str, Any]) -> Iterator[Cell]:
    lists = {key: _fill(choice, values) if isinstance(choice, str) else choice for key, choice in stage.get("matrix", {}).items()}
    for combination in itertools.product(*lists.values()):
        item = dict(zip(lists, combination, strict=True))
        body = _fill({key: value for key, value in stage.items() if key != "matrix"}, values | {"item": item})
        outs = [path for key in ("outs", "metrics", "plots") for path in _paths(body.get(key, []))]
        label = f"{name}@{'-'.join(map(str, combination))}" if lists else name
        yield Cell(label, name, body["cmd"], _paths(body.get("deps", [])), _params(body.get("params", [])), outs)


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


def closure(module: str, root: Path = ROOT) -> set[str]:
    """Return the first-party files that running `module` may import.

    Imports inside functions count; so does a module named whole in a string, since that is how one is started in a process of its own.
    """
    files: set[str] = set()
    queue = [module]
    while queue:
        found = _file(queue.pop(), root)
        if found and found not in files:
            files.add(found)
            queue += imports(root / found, root)
    return {file for file in files if (root / file).read_text(encoding="utf-8").strip() or not file.endswith("__init__.py")}


def imports(path: Path, root: Path = ROOT) -> list[str]:
    """Return the first-party modules that a file names, with their packages."""
    package = ".".join(path.relative_to(root).parts[:-1])
    found: list[str] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package.split(".")[: len(package.split(".")) + 1 - node.level]) if node.level else ""
            start = ".".join(filter(None, (base, node.module)))
            found += [start, *(f"{start}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and re.fullmatch(r"\w+(\.\w+)+", node.value):
            found.append(node.value)
    dotted = [name for name in found if name.split(".")[0] in PACKAGES]
    return [".".join(name.split(".")[:depth]) for name in dotted for depth in range(1, name.count(".") + 2)]


def _file(module: str, root: Path) -> str:
    """Return the file of a module; "" for what is none (a function named in an import)."""
    stem = module.replace(".", "/")
    return next((name for name in (f"{stem}.py", f"{stem}/__init__.py") if (root / name).is_file()), "")


def package(path: str) -> str:
    """Return the package of a file: distill/llm, stages."""
    parts = path.split("/")
    return "/".join(parts[:2]) if parts[0] == "distill" else parts[0]


class Reads(NamedTuple):
    """The parameters that a file reads through `study_file.section` and `study_file.arm`."""

    study: set[str]  # sections of the study file; "arms" for one arm of it
    params: set[str]  # keys of params.yaml
    unclear: list[str]  # calls whose section is no literal: a test cannot follow them


def reads(path: Path) -> Reads:
    """Return what a file reads; a first argument that ends in `params` is params.yaml, every other is a study file."""
    found = Reads(set(), set(), [])
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and ast.unparse(node.func.value) == "study_file"):
            continue
        if node.func.attr == "arm":
            found.study.add("arms")
        elif node.func.attr in ("section", "optional_section") and isinstance(node.args[1], ast.Constant):
            where = found.params if ast.unparse(node.args[0]).endswith("params") else found.study
            where.add(str(node.args[1].value).split(".")[0])
        else:
            found.unclear.append(f"{path.name}:{node.lineno}: {ast.unparse(node)}")
    return found
