"""dvc.yaml against the code: declared dependencies, sections and outputs are those of the stages, and an edit re-runs what it should."""

import shutil
import subprocess
from pathlib import Path, PurePosixPath

import pytest
import yaml

from tests import dvc_sandbox
from tests.pipeline import LAUNCHER, ROOT, Cell, cells, closure, imports, is_code, reads

CELLS = cells()
STAGES = {cell.stage: cell for cell in reversed(CELLS)}  # a stage's first cell stands for all
DOCUMENT = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
PARAMS = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
STUDIES = sorted((ROOT / "studies").glob("*.yaml"))
# what `make study` puts into params.yaml, what `make estimate` reads, what `student` may be, what `make export` reads
NOT_SECTIONS = {"run", "estimate", "students", "export"}

each_stage = pytest.mark.parametrize("cell", STAGES.values(), ids=STAGES)


@each_stage
def test_the_import_closure_lies_in_the_declared_code(cell: Cell) -> None:
    outside = [file for file in closure(cell.module) if not any(_within(file, dep) for dep in [*cell.code, LAUNCHER])]
    assert sorted(outside) == []


@each_stage
def test_all_declared_code_is_imported(cell: Cell) -> None:
    used = closure(cell.module)
    assert [dep for dep in cell.code if not any(_within(file, dep) for file in used)] == []


@each_stage
def test_a_stage_declares_few_dependencies_on_code(cell: Cell) -> None:
    assert len(cell.code) <= 7


def test_the_pipeline_can_be_read_in_one_sitting() -> None:
    assert len((ROOT / "dvc.yaml").read_text(encoding="utf-8").splitlines()) <= 450


@each_stage
def test_code_comes_before_data(cell: Cell) -> None:
    assert cell.deps == sorted(cell.deps, key=lambda dep: not is_code(dep))


@each_stage
def test_a_command_holds_names_alone(cell: Cell) -> None:
    assert cell.cmd.startswith(f"python -m stages.{cell.stage.removesuffix('-base')} ")
    assert "/" not in cell.cmd


@each_stage
def test_declared_sections_are_those_that_the_code_reads(cell: Cell) -> None:
    own = reads(ROOT / (cell.module.replace(".", "/") + ".py"))
    all_ = [reads(ROOT / path) for path in closure(cell.module) if path.endswith(".py") and path != "distill/core/study_file.py"]
    assert [call for read in all_ for call in read.unclear] == []
    declared = {key.split(".")[0] for path, keys in cell.params.items() if path.startswith("studies/") for key in keys}
    assert own.study <= declared <= set().union(*(read.study for read in all_))
    globals_ = set(cell.params.get("params.yaml", []))
    assert own.params <= globals_ <= set().union(*(read.params for read in all_))


@pytest.mark.parametrize("name", DOCUMENT)
def test_every_stage_says_what_it_does(name: str) -> None:
    assert DOCUMENT[name].get("desc", "").strip()


@pytest.mark.parametrize("name", DOCUMENT)
def test_a_matrix_is_made_of_lists_of_params(name: str) -> None:
    lists = DOCUMENT[name].get("matrix", {}).values()
    assert [choice for choice in lists if str(choice).strip("${}") not in PARAMS] == []


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_every_section_of_a_study_is_read_by_a_stage(path: Path) -> None:
    read = {
        key.split(".")[0] for cell in STAGES.values() for file, keys in cell.params.items() if file.startswith("studies/") for key in keys
    }
    assert set(yaml.safe_load(path.read_text(encoding="utf-8"))) - NOT_SECTIONS <= read


def test_no_two_outputs_overlap() -> None:
    outs = [(out, cell.name) for cell in CELLS for out in cell.outs]
    overlaps = [(a, b) for i, a in enumerate(outs) for b in outs[:i] if _within(a[0], b[0]) or _within(b[0], a[0])]
    assert overlaps == []


def test_every_dependency_is_made_by_a_stage_or_kept_in_git() -> None:
    outs = {out for cell in CELLS for out in cell.outs}
    kept = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True)
    files = set(kept.stdout.split("\n"))
    files |= {str(folder) for file in files for folder in PurePosixPath(file).parents}
    strays = {dep for cell in CELLS for dep in cell.deps if dep not in files and not any(_within(dep, o) or _within(o, dep) for o in outs)}
    assert strays == set()


def test_params_are_those_that_the_embedded_study_asks_for() -> None:
    run = yaml.safe_load((ROOT / "studies" / "mini.yaml").read_text(encoding="utf-8"))["run"]
    assert run == {"students": PARAMS["students"] == ["mini"], "arms": PARAMS["arms"], "seeds": PARAMS["seeds"]}
    assert PARAMS["corpora"] == ["mini"]


def _within(path: str, folder: str) -> bool:
    return PurePosixPath(path).is_relative_to(folder)


IMPORTS = {
    "import": ("import stages.train", ["stages", "stages.train"]),
    "from a package": ("from stages import train", ["stages", "stages", "stages.train"]),
    "in a function": ("def f():\n    from distill.core import files", ["distill", "distill.core", "distill.core.files"]),
    "relative": ("from .train import main", ["stages", "stages.train"]),
    "in a process of its own": ('run(["python", "-m", "stages.student"])', ["stages", "stages.student"]),
    "not ours": ("import numpy.linalg", []),
}


@pytest.mark.parametrize(("source", "expected"), IMPORTS.values(), ids=IMPORTS)
def test_imports_are_found(source: str, expected: list[str], tmp_path: Path) -> None:
    path = tmp_path / "stages" / "one.py"
    path.parent.mkdir()
    path.write_text(source)
    assert set(expected) <= set(imports(path, tmp_path))
    assert bool(expected) == bool(imports(path, tmp_path))


# What re-runs after an edit: a copy of two arms and one seed, in which every stage writes a hash of all that it depends on.
JUDGING = {"grade", "llm_judge", "other_graders", "summarise", "claims", "multiverse", "drops", "report", "page"}


@pytest.fixture(scope="module")
def computed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = dvc_sandbox.copy(tmp_path_factory.mktemp("tiny") / "tree", {"arms": ["r1", "r6"], "seeds": [1]})
    assert sorted(dvc_sandbox.repro(root, stubs=True)) == sorted(cell.name for cell in cells(root))
    return root


@pytest.fixture
def tree(computed: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(computed, tmp_path / "tree", symlinks=True))


@pytest.mark.dvc
class TestWhatReruns:
    """One edit each, as a person would make it."""

    def test_nothing(self, tree: Path) -> None:
        assert dvc_sandbox.repro(tree, stubs=True) == []

    def test_a_docstring_of_sampling(self, tree: Path) -> None:
        _comment(tree / "distill" / "sampling" / "decode.py")
        assert _stages(dvc_sandbox.repro(tree, stubs=True)) == {"sample", "sample-base", "likelihood"} | JUDGING

    def test_the_page(self, tree: Path) -> None:
        _comment(tree / "distill" / "report" / "report_page.py")
        assert _stages(dvc_sandbox.repro(tree, stubs=True)) == {"audit", "drops", "report", "page"}  # drops reads the audit's counts

    def test_the_layout_of_paths(self, tree: Path) -> None:
        _comment(tree / "distill" / "cli" / "layout.py")
        assert dvc_sandbox.repro(tree, stubs=True) == []

    def test_the_grader(self, tree: Path) -> None:
        _comment(tree / "stages" / "grade.py")
        assert _stages(dvc_sandbox.repro(tree, stubs=True)) == JUDGING

    def test_the_level_of_one_arm(self, tree: Path) -> None:
        dvc_sandbox.edit(tree / "studies" / "mini.yaml", "r6: {level: r6,", "r6: {level: r5,")
        ran = dvc_sandbox.repro(tree, stubs=True)
        assert _stages(ran) == {"curate", "audit", "train", "sample", "likelihood"} | JUDGING
        assert _cells(ran) == {"curate@mini-r6", "train@mini-r6-1", "sample@mini-r6-1"}

    def test_the_learning_rate(self, tree: Path) -> None:
        dvc_sandbox.edit(tree / "studies" / "mini.yaml", "learning_rate: 1.0e-4", "learning_rate: 2.0e-4")
        ran = dvc_sandbox.repro(tree, stubs=True)
        assert _stages(ran) == {"train", "overfit", "sample", "likelihood"} | JUDGING
        assert _cells(ran) == {"train@mini-r1-1", "train@mini-r6-1", "sample@mini-r1-1", "sample@mini-r6-1"}

    def test_one_more_seed(self, tree: Path) -> None:
        values = yaml.safe_load((tree / "params.yaml").read_text())
        (tree / "params.yaml").write_text(yaml.safe_dump(values | {"seeds": [1, 2]}))
        ran = dvc_sandbox.repro(tree, stubs=True)
        assert _stages(ran) == {"train", "sample", "likelihood"} | JUDGING
        assert _cells(ran) == {"train@mini-r1-2", "train@mini-r6-2", "sample@mini-r1-2", "sample@mini-r6-2"}

    def test_how_the_pages_are_printed(self, tree: Path) -> None:
        dvc_sandbox.edit(tree / "studies" / "mini.yaml", "scan_skew: 0.4", "scan_skew: 0.3")
        ran = dvc_sandbox.repro(tree, stubs=True)
        assert ran[0] == "fetch@mini"
        assert _stages(ran) == set(STAGES) - {"reported_counts", "pretraining", "student"}


def _comment(path: Path) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write("# edited\n")


def _stages(names: list[str]) -> set[str]:
    return {name.split("@")[0] for name in names}


def _cells(names: list[str]) -> set[str]:
    """Of the stages that ran, those of one arm: train@mini-r1-1."""
    return {name for name in names if "-r" in name.partition("@")[2]}
