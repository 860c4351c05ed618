"""The documentation against the tree: links, commands, files, record fields and figures."""

import importlib
import json
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

import distill.judging
import distill.records
import distill.review
import distill.transcriber
from distill.claims import claim_rules, reported_count_rules, trend_rules
from distill.cli.layout import layout
from tests.pipeline import ROOT, cells

PAGES = [ROOT / "README.md", ROOT / "ARTIFACT.md", *sorted((ROOT / "docs").glob("*.md"))]
TOPS = ("studies", "stages", "distill", "tools", "bench")
CODE = re.compile(r"`([^`\n]+)`|^ {4,}(\S.*)$", re.MULTILINE)  # inline code, and indented blocks

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def code(page: Path) -> list[str]:
    """Return the page's pieces of inline code and the lines of its code blocks, without comments."""
    found = [(inline or block).split("  #")[0].strip() for inline, block in CODE.findall(page.read_text(encoding="utf-8"))]
    return [piece for piece in found if piece]


def slug(heading: str) -> str:
    """Return the anchor that GitHub gives to a heading.

    >>> slug("The BLAS"), slug("`Problem`")
    ('the-blas', 'problem')
    """
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


@each_page
def test_links_lead_to_a_file_and_a_heading(page: Path) -> None:
    outs = {ROOT / out for cell in cells() for out in cell.outs} | {ROOT / path for path in pages_of_studies()}
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if link.startswith("http"):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists() or target in outs, link
        if anchor:
            headings = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in map(slug, headings), link


def pages_of_studies() -> Iterator[Path]:
    """Yield the pages that stages write into git, of every study."""
    for study in (ROOT / "studies").glob("*.yaml"):
        paths = layout(study.stem)
        yield from (paths.report, paths.audit_page, paths.claims_page, paths.reported_counts_page)


@each_page
def test_every_make_target_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {match for piece in code(page) for match in re.findall(r"(?:^|; )make ([a-z][a-z-]*)", piece)}
    assert named - targets == set()


@each_page
def test_every_module_that_is_run_exists(page: Path) -> None:
    named = {name for piece in code(page) for name in re.findall(r"python -m ((?:stages|tools|bench)\.\w+)", piece)}
    assert {name for name in named if not (ROOT / f"{name.replace('.', '/')}.py").exists()} == set()


@each_page
def test_every_named_file_of_the_repository_exists(page: Path) -> None:
    named = {
        piece
        for piece in code(page)
        if re.fullmatch(r"(stages|distill|tools|tests|bench|studies|prompts|docs|remote|plots/templates)/[\w./-]*", piece)
    }
    assert {name for name in named if not (ROOT / name).exists() and not re.search(r"/x\.|NAME", name)} == set()


def _records() -> dict[str, type[msgspec.Struct]]:
    """Return the structs of the packages that have records, by name."""
    packages = (distill.records, distill.judging, distill.transcriber, distill.review)
    names = [f"{package.__name__}.{each.name}" for package in packages for each in pkgutil.iter_modules(package.__path__)]
    kinds = [kind for name in names for kind in vars(importlib.import_module(name)).values() if isinstance(kind, type)]
    return {kind.__name__: kind for kind in kinds if issubclass(kind, msgspec.Struct)}


RECORDS = (ROOT / "docs" / "records.md").read_text(encoding="utf-8").split("\n## ")[1:]


@pytest.mark.parametrize("part", RECORDS, ids=lambda part: part.partition("\n")[0].strip("`"))
def test_the_fields_of_a_record_are_listed(part: str) -> None:
    name = part.partition("\n")[0].strip("`")
    assert re.findall(r"^\| `(\w+)` \|", part, re.MULTILINE) == list(_records()[name].__struct_fields__)


def test_every_path_of_a_record_is_one_of_the_layout() -> None:
    known = {str(path) for path in msgspec.structs.astuple(layout("STUDY", "ARM")) if isinstance(path, Path)}
    for part in RECORDS:
        for name in re.findall(r"`([\w./-]+\.jsonl(?:\.gz)?)`", part.split("\n|")[0]):
            assert any(f"data/STUDY/{name}".startswith(path) for path in known), name


def test_every_metrics_file_is_listed() -> None:
    text = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    paths = [path for path in msgspec.structs.astuple(layout("STUDY")) if isinstance(path, Path)]
    names = {path.name for path in paths if path.parts[0] == "metrics" and path.suffix == ".json"}
    assert {name for name in names if f"`{name}`" not in text} == set()


def test_every_rule_of_a_claim_is_listed() -> None:
    text = (ROOT / "docs" / "statistics.md").read_text(encoding="utf-8")
    kinds = [
        kind for module in (claim_rules, trend_rules, reported_count_rules) for kind in vars(module).values() if isinstance(kind, type)
    ]
    tags = {str(kind.__struct_config__.tag) for kind in kinds if issubclass(kind, msgspec.Struct)}
    assert {tag for tag in tags if tag.islower() and f"`{tag}`" not in text} == set()  # a base class has its own name for a tag


def test_every_page_that_the_tree_names_exists() -> None:
    files = [ROOT / "requirements.in", *(path for top in TOPS for path in (ROOT / top).rglob("*.*") if path.suffix in (".py", ".yaml"))]
    named = {page for path in files for page in re.findall(r"docs/\w+\.md", path.read_text(encoding="utf-8"))}
    assert {page for page in named if not (ROOT / page).exists()} == set()


NOT_RECORDED = {"60", "33", "65"}  # a setting (section `pretraining`), a figure rounded once more, and the target for the base


def _numbers(value: Any) -> Iterator[float]:
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _numbers(item)
    else:
        yield float(value)


def test_every_percentage_of_the_search_is_recorded() -> None:
    recorded = {f"{100 * number:.4g}" for number in _numbers(json.loads((ROOT / "metrics/tuning.json").read_text()))}
    printed = {f"{float(figure):.4g}" for figure in re.findall(r"(\d+(?:\.\d+)?) %", (ROOT / "docs/tuning.md").read_text())}
    assert len(printed) > 10
    assert printed - NOT_RECORDED <= recorded
