"""docs/speed.md says what metrics/benchmarks.json says."""

import json

import pytest

from bench import contamination
from distill.core.errors import InputError
from tests.dvc_sandbox import ROOT
from tools import render_benchmarks

TEXT = (ROOT / render_benchmarks.PAGE).read_text(encoding="utf-8")


@pytest.mark.skipif(not (ROOT / render_benchmarks.RECORD).exists(), reason="nothing measured yet: metrics/benchmarks.json is not there")
def test_the_figures_are_those_of_the_record() -> None:
    record = json.loads((ROOT / render_benchmarks.RECORD).read_bytes())
    assert render_benchmarks.filled(TEXT, render_benchmarks.block(record)) == TEXT, "run: python -m tools.render_benchmarks"


def test_a_figure_of_another_record_is_seen() -> None:
    measured = {"machine": "m", "cores": 2, "versions": {"mlx": "1"}, "date": "2000-01-01"}
    one, two = ({"train": {"vs_stock": ratio, "measured": measured}} for ratio in (8.5, 8.6))
    assert render_benchmarks.filled(TEXT, render_benchmarks.block(one)) != render_benchmarks.filled(TEXT, render_benchmarks.block(two))
    assert "- `train`: m, 2 cores; mlx 1; 2000-01-01." in render_benchmarks.block(one)
    assert "`mlx_lm.lora` as installed |            8.5 | `train.vs_stock` |" in render_benchmarks.block(one)
    assert "train.vs_same_blas" not in render_benchmarks.block(one)


def test_the_shares_of_a_training_step_are_a_line_where_they_were_measured() -> None:
    assert "all blocks: products 56 %, rest 44 %." in render_benchmarks.profile(
        {"train_profile": {"products": 55.6, "rest": 44.4, "measured": {}}}
    )
    assert render_benchmarks.profile({"train": {}}) == ""


def test_markers_that_are_gone_are_named() -> None:
    with pytest.raises(InputError, match="put them back"):
        render_benchmarks.filled("no marker", "")


def test_the_table_of_coverage_is_that_of_the_record() -> None:
    record = json.loads((ROOT / render_benchmarks.RECORD).read_bytes())["coverage"]
    rows = [line.split("|")[4:7] for line in (ROOT / "docs" / "statistics.md").read_text(encoding="utf-8").split("\n") if " % |" in line]
    shown = [[float(cell.strip().removesuffix(" %")) for cell in row] for row in rows]
    names = ("accuracy_covered", "gain_covered", "false_alarms")
    assert shown == [[round(record[f"row_{number}"][name], 1) for name in names] for number in range(1, len(shown) + 1)] != []


def test_sizes_are_a_table_in_the_order_of_their_numbers() -> None:
    measured = {"split": {"seconds": 1.25, "cpu_seconds": 1.0, "megabytes": 1500.4}, "clusters": 7}
    table = render_benchmarks.sizes({"94000": measured, "1000": measured, "measured": {}})
    assert table.splitlines()[0].replace(" ", "") == "|stage|1,000problems|94,000problems|"
    assert "| `split` |" in table.splitlines()[2]
    assert "1.2 (1.0) s, 1,500 MB" in table.splitlines()[2]
    assert "clusters" not in table
    assert render_benchmarks.sizes({}) == ""


def test_the_page_on_contamination_shows_the_record() -> None:
    text = contamination.PAGE.read_text(encoding="utf-8")
    assert contamination.filled(text, contamination.tables(json.loads(contamination.RECORD.read_bytes()))) == text, (
        "run: python -m bench.contamination"
    )
