"""Imports go downwards: stages -> packages of distill -> records and core, without a cycle."""

import ast
from collections import defaultdict
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.pipeline import ROOT, cells, imports, package

FILES = sorted(path for top in ("stages", "distill") for path in (ROOT / top).rglob("*.py"))
BOTTOM = {"distill/core", "distill/records"}


def arrows(root: Path = ROOT, files: list[Path] | None = None) -> list[tuple[str, str]]:
    """Return (file, package) for every import of another package of ours."""
    found = []
    for path in FILES if files is None else files:
        own = path.relative_to(root).as_posix()
        for name in imports(path, root):
            target = name.replace(".", "/")
            is_ours = (root / f"{target}.py").is_file() or (root / target / "__init__.py").is_file()
            if is_ours and name not in ("distill", "stages") and package(target) != package(own):
                found.append((own, package(target)))
    return sorted(set(found))


def wrong(links: list[tuple[str, str]]) -> list[str]:
    """Return what is against the rules, one line an arrow."""
    found = []
    for file, target in links:
        library = file.startswith("distill/")
        if library and target in ("stages", "tools"):
            found.append(f"{file} imports {target}: a library knows no stage and no tool")
        elif library and target == "distill/cli":
            found.append(f"{file} imports distill/cli: only what is started by a person does")
        elif package(file) in BOTTOM and target not in BOTTOM:
            found.append(f"{file} imports {target}: {package(file)} is the bottom")
        elif file.startswith("stages/") and target == "tools":
            found.append(f"{file} imports tools: tools call stages")
    graph = defaultdict[str, set[str]](set)
    for file, target in links:
        graph[package(file)].add(target)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        found.append(f"cycle of packages: {' <- '.join(error.args[1])}")
    return found


def test_no_arrow_goes_upwards() -> None:
    assert wrong(arrows()) == []


def test_no_stage_imports_a_stage() -> None:
    names = {path.stem for path in (ROOT / "stages").glob("*.py")} - {"__init__"}
    found = [
        f"stages/{path.name} imports {name}"
        for path in (ROOT / "stages").glob("*.py")
        for name in imports(path)
        if name.startswith("stages.") and name.removeprefix("stages.") in names - {path.stem}
    ]
    assert found == []


def test_stages_hold_stages_alone() -> None:
    run = {cell.module for cell in cells()}
    assert {f"stages.{path.stem}" for path in (ROOT / "stages").glob("*") if path.suffix == ".py"} - {"stages.__init__"} == run
    assert [path.name for path in (ROOT / "stages").iterdir() if path.is_dir() and path.name != "__pycache__"] == []


def test_every_stage_ends_as_a_command() -> None:
    for path in (ROOT / "stages").glob("[a-z]*.py"):
        last = ast.parse(path.read_text(encoding="utf-8")).body[-1]
        assert ast.unparse(last).splitlines()[-1].strip() == "command.run(main)", path.name


WRONG = {
    "a library that imports a stage": ("distill/llm/a.py", "from stages import train", "distill/llm/a.py imports stages"),
    "a record that imports a package": ("distill/records/a.py", "import distill.llm", "distill/records is the bottom"),
    "a library that imports the command line": ("distill/llm/a.py", "from distill.cli import layout", "only what is started"),
    "a cycle": ("distill/llm/a.py", "import distill.model", "cycle of packages"),
}


@pytest.mark.parametrize(("path", "source", "expected"), WRONG.values(), ids=WRONG)
def test_a_wrong_arrow_is_named(path: str, source: str, expected: str, tmp_path: Path) -> None:
    for name in ("distill/llm", "distill/model", "distill/cli", "distill/records", "stages"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "__init__.py").touch()
    (tmp_path / "stages" / "train.py").touch()
    (tmp_path / "distill" / "cli" / "layout.py").touch()
    (tmp_path / "distill" / "model" / "b.py").write_text("import distill.llm\n")
    (tmp_path / path).write_text(source + "\n")
    found = wrong(arrows(tmp_path, sorted(tmp_path.rglob("*.py"))))
    assert any(expected in line for line in found), found
