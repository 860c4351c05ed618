"""ARTIFACT.md, CITATION.cff and the Containerfile against the tree."""

import json
import re
from pathlib import Path

import pytest
import yaml

from distill.core.errors import InputError
from tests.pipeline import ROOT
from tools import artifact, claim_cells, compare_head, costs, pipeline

TEXT = (ROOT / "ARTIFACT.md").read_text(encoding="utf-8")


@pytest.fixture(autouse=True)
def _in_the_tree(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def test_the_figures_are_those_that_the_tree_gives() -> None:
    assert artifact.filled(TEXT, artifact.blocks()) == TEXT, "run `python -m tools.artifact`"


def test_every_claim_of_the_embedded_study_is_there_with_its_verdict_and_a_time() -> None:
    rows = re.findall(r"^\| `(\w+)` +\| ([\w ]+?) +\|.*\| +(\d+ (?:s|min)) \|[^|]*\|[^|]*\|[^|]*\|$", TEXT, re.MULTILINE)
    claims = json.loads((ROOT / "metrics" / "mini" / "claims.json").read_bytes())
    found = {name: verdict.removeprefix("pattern ") for name, verdict, _ in rows}
    assert {name: record["verdict"] for name, record in claims.items()}.items() <= found.items()


def test_the_tolerance_is_that_of_make_repro() -> None:
    assert f"may differ by {compare_head.TOLERANCE} (0..1)" in TEXT


def test_every_word_of_run_is_explained() -> None:
    assert re.findall(r"^\| `(\w+)` \| (?!`)", TEXT.split("## Claims")[0], re.MULTILINE) == list(claim_cells.LEVELS)


def test_every_kind_of_source_has_words() -> None:
    for path in (ROOT / "studies").glob("*.yaml"):
        study = yaml.safe_load(path.read_text(encoding="utf-8"))
        assert study["fetch"]["kind"] in artifact.SOURCES["fetch"], path
        assert study["solve"]["teacher"] in artifact.SOURCES["solve"], path
        assert study.get("student", {}).get("kind", "hub") in artifact.SOURCES["student"], path


def test_commands_files_and_links_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(re.findall(r"make ([a-z][a-z-]*)\b(?=[ `\n]| C=)", TEXT)) - targets - {"in"} == set()
    modules = re.findall(r"python -m ((?:tools|bench)\.\w+)", TEXT)
    assert [name for name in modules if not (ROOT / f"{name.replace('.', '/')}.py").exists()] == []
    assert [link for link in re.findall(r"\]\(([^)#\s]+)", TEXT) if not (ROOT / link).exists()] == []


def test_the_measured_cells_are_cells_of_the_pipeline() -> None:
    known = {costs.key(cell) for cell in pipeline.cells(ROOT)}
    assert set(costs.read(ROOT).studies["mini"]) - known == set()


@pytest.mark.parametrize("text", ["", "<!-- a -->", "<!-- /a --><!-- a -->", "<!-- a --><!-- a --><!-- /a -->"])
def test_missing_markers_are_an_error(text: str) -> None:
    with pytest.raises(InputError, match="put them back"):
        artifact.filled(text, {"a": "new"})


def test_parts_lie_between_their_markers() -> None:
    text = "x\n<!-- a -->\nold\n<!-- /a -->\ny\n"
    assert artifact.filled(text, {"a": "new"}) == "x\n<!-- a -->\nnew\n<!-- /a -->\ny\n"


def test_the_citation_is_complete() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    needed = {
        "cff-version",
        "message",
        "title",
        "type",
        "license",
        "version",
        "date-released",
        "abstract",
        "keywords",
        "authors",
        "references",
    }
    assert needed - set(citation) == set()
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert f'version = "{citation["version"]}"' in project
    assert f'license = "{citation["license"]}"' in project


def test_the_image_runs_both_commands_and_names_no_registry() -> None:
    lines = (ROOT / "Containerfile").read_text(encoding="utf-8").splitlines()
    orders = [line for line in lines if not line.startswith("#")]
    assert orders[-1] == 'CMD ["sh", "-c", "make repro && make test"]'
    assert "RUN make setup" in orders
    assert not any(re.search(r"\w\.(io|com|org|net)\b|://", line) for line in orders)
    assert Path(ROOT, "tools", "setup.sh").exists()
