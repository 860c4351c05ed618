"""README.md says what the committed metrics say, and links to what is there."""

import importlib
import re

import pytest
import yaml

from distill.core.errors import InputError
from tests.pipeline import ROOT, cells
from tools import readme

TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.skipif(
    not (ROOT / "metrics" / "mini" / "summary.json").exists(), reason="no results yet: metrics/mini/summary.json is not there"
)
def test_the_results_are_those_of_the_metrics() -> None:
    assert readme.filled(TEXT, readme.block(ROOT)) == TEXT, "run: python -m tools.readme"


def test_results_stand_between_the_markers() -> None:
    text = f"a\n{readme.START}\nold\n{readme.END}\nb\n"
    assert readme.filled(text, "new") == f"a\n{readme.START}\nnew\n{readme.END}\nb\n"
    assert readme.filled(readme.filled(text, "new"), "new") == readme.filled(text, "new")


BROKEN = {
    "no marker": "a",
    "no end": readme.START,
    "the wrong way round": f"{readme.END}{readme.START}",
    "twice": readme.START * 2 + readme.END,
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
def test_markers_that_are_gone_are_named(text: str) -> None:
    with pytest.raises(InputError, match="put them back"):
        readme.filled(text, "new")


def test_links_lead_somewhere() -> None:
    made = {out for cell in cells() for out in cell.outs}
    links = [link for link in re.findall(r"\]\(([^)#:]+)\)", TEXT) if link not in made]
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_every_stage_is_listed() -> None:
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    assert [name for name in stages if f"`{name}`" not in TEXT] == []


def test_every_make_target_is_there() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = set(re.findall(r"(?:`|^    )make ([a-z]+)", TEXT, re.MULTILINE))
    assert {"repro", "test", "pull"} <= named <= targets


def _records() -> list[tuple[str, list[str]]]:
    """Return the records that files hold, each with its fields."""
    modules = {"chat": ["Example"], "completion": ["Completion", "Verdict"], "problem": ["Problem"], "split": ["Assignment"]}
    modules |= {"trace": ["Level", "Trace", "Verified"]}
    found = [(name, importlib.import_module(f"stages.shared.{module}")) for module, names in modules.items() for name in names]
    found.append(("Judged", importlib.import_module("distill.judging.judgement")))
    return [(name, list(getattr(module, name).__struct_fields__)) for name, module in found]


@pytest.mark.parametrize(("record", "fields"), _records(), ids=[name for name, _ in _records()])
def test_the_fields_of_a_record_are_listed(record: str, fields: list[str]) -> None:
    part = TEXT.split(f"\n**`{record}`**")[1]
    assert re.findall(r"^\| `(\w+)` \|", re.split(r"\n\*\*|\n## ", part)[0], re.MULTILINE) == fields
