"""The plots: their templates as DVC and the report use them, and the line under each."""

import json
from pathlib import Path

import altair
import pytest
import yaml
from dvc_render.vega import VegaRenderer

from distill.report import captions, likelihood_section
from distill.report.report_inputs import LongRun, Training
from tests.pipeline import ROOT, cells

TEMPLATES = sorted((ROOT / "plots" / "templates").glob("*.json"))


def _score(arm: str, accuracy: float, benchmark: str = "competition") -> captions.Accuracy:
    split, gain = ("heldout", 0.5) if benchmark == "competition" else ("all", 0.4)
    return captions.Accuracy(arm, accuracy, accuracy - 0.05, accuracy + 0.05, _gain(arm, accuracy - gain), "mean", benchmark, split)


def _gain(arm: str, gain: float) -> str:
    return "" if arm == "base" else f"{gain:.6f}"


def _year(arm: str, year: int, accuracy: float) -> captions.Year:
    return captions.Year(arm, accuracy, 0, 1, _gain(arm, accuracy - 0.5), year)


def _training(best: int) -> Training:
    return Training(100, best, 1, 1)


SCORES = [_score("r6", 0.2), _score("base", 0.5), _score("r1", 0.7), _score("r2", 0.52)]
CAPTIONS = {
    "accuracy": (
        captions.accuracy(SCORES, ["r1", "r2", "r6"]),
        "Highest of the arms: r1, 70.0 % [65.0, 75.0]; base: 50.0 % [45.0, 55.0]. Intervals wholly above the base's: r1; wholly below: r6.",
    ),
    "no accuracy": (captions.accuracy([_score("r1", 0.7, "transfer")], ["r1"]), ""),
    "benchmarks": (
        captions.benchmarks([*SCORES, _score("base", 0.4, "transfer"), _score("r1", 0.3, "transfer")]),
        f"{captions.ON_COMMON}: competition, 2 of 3 arms are above the base, most r1 (+20.0 points); transfer, 0 of 1 arms are above the "
        "base, most r1 (-10.0 points).",
    ),
    "words": (
        captions.words([captions.Words("r1", "1", 80, 0.7), captions.Words("r1", "2", 90, 0.8), captions.Words("base", "0", 40, 0.5)]),
        "Longest answers: r1, 85.0 words at 75.0 %; shortest: base, 40.0 words at 50.0 %.",
    ),
    "sections": (
        captions.sections([captions.Section(a, v, 0, 1, _gain(a, v - 0.5), "s") for a, v in (("base", 0.5), ("r1", 0.75))], ["r1", "r6"]),
        f"{captions.ON_COMMON}, r1 minus base, in points: s +25.0.",
    ),
    "years": (
        captions.years([_year("base", 1, 0.5), _year("r1", 1, 0.75), _year("base", 2, 0.5), _year("r1", 2, 0.5)], ["r1"]),
        f"{captions.ON_COMMON}, r1 is above it in 1 of 2 years; the gain runs from +0.0 points (2) to +25.0 (1).",
    ),
    "no years": (captions.years([], ["r1"]), ""),
    "outcomes": (
        captions.outcomes([captions.Outcome("base", "0", "c", "correct", 9), captions.Outcome("base", "0", "c", "truncated", 1)]),
        "Answers that are neither correct nor wrong (none, truncated, ungradable; all count as not correct): from 10.0 % (base) to 10.0 %",
    ),
    "multiverse": (
        captions.multiverse([captions.Choice(claim, "0.1", "", "", same, 0) for claim, same in zip("aaaab", (1, 1, 0, 1, 1), strict=True)]),
        "Claims without the ledger's verdict under all choices: a (75.0 % of its 4) of 1 that choices apply to.",
    ),
    "no other choice": (captions.multiverse([]), ""),
    "curves": (
        captions.curves({("r1", 1): _training(50), ("r1", 2): _training(100)}),
        "The lowest validation loss is between iterations 50 and 100; in 1 of 2 adapters it is the last evaluation.",
    ),
    "a turn": (
        captions.overfit(LongRun(200, 0.5, 0.6, 400)),
        "Validation loss has its minimum, 0.500 at iteration 200; at the end, iteration 400, it is 0.600, 20.0 % higher.",
    ),
    "no turn": (captions.overfit(LongRun(400, 0.5, 0.5, 400)), "Validation loss is lowest at the end, 0.500 at iteration 400: it"),
}  # fmt: skip


@pytest.mark.parametrize(("found", "expected"), CAPTIONS.values(), ids=CAPTIONS)
def test_captions_follow_the_numbers(found: str, expected: str) -> None:
    assert found.startswith(expected)
    assert bool(found) == bool(expected)


each_template = pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.stem)


@each_template
def test_a_template_is_vega_lite(path: Path) -> None:
    altair.Chart.from_dict(json.loads(path.read_text()) | {"data": {"values": []}}, validate=True)


def test_templates_look_alike() -> None:
    specs = [json.loads(path.read_text()) for path in TEMPLATES]
    assert [spec["config"] for spec in specs] == [specs[0]["config"]] * len(specs)


@each_template
def test_a_grid_of_panels_keeps_its_natural_order(path: Path) -> None:
    """Vega-Lite puts cells under wrong headers where a crossed facet has a sort of its own."""
    facet = json.loads(path.read_text())["facet"]
    assert [name for name in ("row", "column") if "sort" in facet.get(name, {})] == []


COLUMNS = {
    "accuracy": captions.Accuracy, "benchmarks": captions.Accuracy, "words": captions.Words, "sections": captions.Section,
    "years": captions.Year, "outcomes": captions.Outcome, "curves": captions.Loss, "overfit": captions.Loss,
    "likelihood": likelihood_section.Gain,
    "multiverse": captions.Choice,
}  # fmt: skip


@each_template
def test_dvc_fills_a_template(path: Path) -> None:
    fields = COLUMNS[path.stem].__struct_fields__
    points = [dict.fromkeys(fields, "1") | {"rev": revision} for revision in ("HEAD~1", "workspace")]
    filled = VegaRenderer(points, path.stem, template=str(path), x=fields[0], y=fields[1]).get_filled_template()
    assert "<DVC_METRIC" not in json.dumps(filled)
    assert filled["data"]["values"] == points
    assert set(filled["data"]["format"]["parse"]) - {"n", "tokens"} <= set(fields)


DECLARED = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8")).get("plots", [])


@pytest.mark.skipif(not DECLARED, reason="dvc.yaml declares no plots yet")
def test_dvc_yaml_declares_every_template_with_a_table_that_a_stage_makes() -> None:
    entries = {name: entry for item in DECLARED for name, entry in item.items()}
    assert sorted(entry["template"] for entry in entries.values()) == [str(path.relative_to(ROOT)) for path in TEMPLATES]
    outs = {out for cell in cells() for out in cell.outs}
    sources = [Path(source) for entry in entries.values() for source in entry["y"]]
    assert [source for source in sources if not {source.as_posix(), source.parent.as_posix()} & outs] == []
