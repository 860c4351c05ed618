"""README.md gives the figures of the committed metrics and fits on two screens."""

import json

import pytest

from distill.core.errors import InputError
from tests.pipeline import ROOT, cells
from tools import readme

TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
METRICS = ROOT / "metrics" / "mini"
LINES = 150


def test_the_result_tables_are_those_of_the_metrics() -> None:
    assert readme.filled(TEXT, readme.block(ROOT)) == TEXT, "run: python -m tools.readme"


def test_the_figures_of_the_first_paragraph_are_those_of_the_metrics() -> None:
    arms = json.loads((METRICS / "summary.json").read_bytes())["arms"]
    base, full = (f"{100 * arms[arm]['competition']['heldout']['accuracy']:.1f} %" for arm in ("base", "r1"))
    gain = json.loads((METRICS / "claims.json").read_bytes())["distilled_above_base"]
    effect, low, high = (f"{100 * gain[key]:.1f}" for key in ("effect", "low", "high"))
    paragraph = " ".join(TEXT.split("\n\n")[1].split())
    assert f"from {base} (base student) to {full} (full chain of thought)" in paragraph
    assert f"on the {gain['n']} problems held out for both, the gain is {effect} points (95 % interval {low} to {high})" in paragraph
    real = json.loads((ROOT / "metrics" / "gsm8k" / "claims.json").read_bytes())["distilled_above_base"]
    assert real["low"] > 0
    assert f"({real['effect']:.3f} nats a token)" in paragraph


def test_a_fall_is_not_overstated() -> None:
    steps = json.loads((METRICS / "claims.json").read_bytes())["accuracy_falls"]["secondary"]
    assert f"A fall is tested as a trend; steps that rise: {steps['rising_steps']} of {len(steps['steps'])}." in TEXT


def test_the_results_lie_between_the_markers() -> None:
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
def test_missing_markers_are_an_error(text: str) -> None:
    with pytest.raises(InputError, match="put them back"):
        readme.filled(text, "new")


def test_it_fits_on_two_screens() -> None:
    assert TEXT.count("\n") <= LINES


def test_every_stage_and_every_page_is_listed() -> None:
    assert {cell.stage for cell in cells() if f"`{cell.stage}`" not in TEXT} == set()
    assert [path.name for path in (ROOT / "docs").glob("*.md") if f"](docs/{path.name}" not in TEXT] == []


def test_the_figures_of_the_recorded_student_are_those_of_the_metrics() -> None:
    strict = json.loads((ROOT / "metrics" / "job" / "summary.json").read_bytes())["arms"]["published-r1"]["math500"]["all"]
    lenient = strict["profiles"]["lenient"]["accuracy"]
    text = " ".join(TEXT.split())
    assert f"solves {100 * strict['accuracy']:.1f} % of MATH-500 by a box or answer line and {100 * lenient:.1f} % leniently" in text
