"""No file of ours changes other people's code: no attribute of a foreign module or class is assigned, no module is faked."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.dvc_sandbox import ROOT

FOLDERS = ("stages", "distill", "tools", "bench")
OURS = {*FOLDERS, "tests"}


def patches(source: str) -> list[str]:
    """Return what a file patches, as LINE: TEXT."""
    tree = ast.parse(source)
    foreign = _foreign_names(tree)
    return [
        f"{node.lineno}: {ast.unparse(node)}"
        for node in ast.walk(tree)
        if isinstance(node, ast.stmt | ast.Call) and _patches(node, foreign)
    ]


def _foreign_names(tree: ast.AST) -> set[str]:
    """Return the names that are bound to a foreign module, or to something in one, by an import or by another such name."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {(alias.asname or alias.name).split(".")[0] for alias in node.names if alias.name.split(".")[0] not in OURS}
        elif isinstance(node, ast.ImportFrom) and not node.level and str(node.module).split(".")[0] not in OURS:
            names |= {alias.asname or alias.name for alias in node.names}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Name | ast.Attribute) and _root(node.value) in names:
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return names


def _root(node: ast.expr) -> str:
    """Return the name that a chain of attributes begins with; "" where it begins with something else."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _patches(node: ast.AST, foreign: set[str]) -> bool:
    if isinstance(node, ast.Import | ast.ImportFrom):
        return "unittest.mock" in {f"{getattr(node, 'module', '')}", *(f"{getattr(node, 'module', '')}.{a.name}" for a in node.names)} | {
            a.name for a in node.names
        }
    if isinstance(node, ast.Call):
        return _sets_attribute(node, foreign) or _changes_modules(node)
    return any(_target(target, foreign) for target in _targets(node))


def _targets(node: ast.AST) -> Iterator[ast.expr]:
    if isinstance(node, ast.Assign | ast.Delete):
        for target in node.targets:
            yield from target.elts if isinstance(target, ast.Tuple | ast.List) else [target]
    elif isinstance(node, ast.AugAssign | ast.AnnAssign):
        yield node.target


def _target(target: ast.expr, foreign: set[str]) -> bool:
    if isinstance(target, ast.Attribute):
        of_a_class = isinstance(target.value, ast.Call) and ast.unparse(target.value.func) == "type"
        if ast.unparse(target) == "os.environ":  # os.environ |= {...}
            return False
        return target.attr == "__class__" or "__class__" in ast.unparse(target.value).split(".") or of_a_class or _root(target) in foreign
    if isinstance(target, ast.Subscript):
        place = ast.unparse(target.value)
        return place == "sys.modules" or (place.endswith(".__dict__") and _root(target.value) in foreign)
    return False


def _sets_attribute(node: ast.Call, foreign: set[str]) -> bool:
    return ast.unparse(node.func) in ("setattr", "delattr") and bool(node.args) and _root(node.args[0]) in foreign


def _changes_modules(node: ast.Call) -> bool:
    return ast.unparse(node.func) in {f"sys.modules.{name}" for name in ("setdefault", "update", "pop", "clear", "__setitem__")}


PLANTED = {
    "a module's attribute": "import dvc.cli\ndvc.cli.main = None",
    "an alias": "import mlx.core as mx\nmx.fast.rope = print",
    "a class's method": "from dvc.dvcfile import Lockfile\nLockfile.dump_stages = print",
    "in a function": "def f():\n    from dvc import rwlock\n    rwlock.rwlock = f",
    "under another name": "import mlx_lm\nmodels = mlx_lm.models\nmodels.base = None",
    "two at once": "import json\na, json.loads = 1, print",
    "chained": "import json\nmine = json.loads = print",
    "a fake module": "import sys\nsys.modules['transformers'] = None",
    "a fake module by a method": "import sys\nsys.modules.setdefault('x', None)",
    "a module taken out": "import sys\ndel sys.modules['x']",
    "another class": "x = object()\nx.__class__ = int",
    "the class of an object": "def f(x):\n    type(x).__call__ = print",
    "the class of an object by name": "def f(x):\n    x.__class__.__call__ = print",
    "setattr": "import json\nsetattr(json, 'loads', print)",
    "a namespace": "import json\njson.__dict__['loads'] = print",
    "mock": "from unittest.mock import patch",
    "mock by module": "import unittest.mock",
    "mock from its package": "from unittest import mock",
}
FINE = {
    "an attribute of our own": "class A:\n    def __init__(self):\n        self.x = 1",
    "an object of theirs": "import argparse\np = argparse.ArgumentParser()\np.prog = 'x'",
    "the environment": "import os\nos.environ['A'] = 'b'\nos.environ |= {'C': 'd'}",
    "our module": "from tools import lock\nlock.x = 1",
    "a look at modules": "import sys\nif 'mlx' in sys.modules:\n    x = sys.modules['mlx']",
    "setattr of our own": "def f(x):\n    setattr(x, 'a', 1)",
}


@pytest.mark.parametrize("source", PLANTED.values(), ids=PLANTED)
def test_a_planted_patch_is_found(source: str) -> None:
    assert len(patches(source)) == 1


@pytest.mark.parametrize("source", FINE.values(), ids=FINE)
def test_what_is_no_patch_is_not_found(source: str) -> None:
    assert patches(source) == []


FILES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))


# bench/train.py measures mlx_lm.lora from within: it puts its own callback, data set and loss into it.
MEASURES_ANOTHER = {"bench/train.py": 4}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_file_patches_nothing(path: Path) -> None:
    found = patches(path.read_text(encoding="utf-8"))
    assert found == [] or len(found) == MEASURES_ANOTHER.get(path.relative_to(ROOT).as_posix()), found


def test_every_folder_is_looked_at() -> None:
    assert {path.relative_to(ROOT).parts[0] for path in FILES} == set(FOLDERS)
