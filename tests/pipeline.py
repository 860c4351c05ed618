"""dvc.yaml as tests see it: its cells, and what the code of a stage imports and reads."""

import ast
import re
from pathlib import Path
from typing import NamedTuple

from tools import pipeline
from tools.pipeline import Cell
from tools.pipeline import is_code as is_code

ROOT = Path(__file__).parents[1]
PACKAGES = ("stages", "distill", "tools")
LAUNCHER = "distill/cli"  # starts a stage and says where files lie; it decides no byte of an output, so it is no dependency


def cells(root: Path = ROOT) -> list[Cell]:
    """Return every cell of a tree's dvc.yaml, in its order."""
    return pipeline.cells(root)


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
