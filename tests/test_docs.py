"""The figures of docs/tuning.md stand in metrics/tuning.json."""

import json
import re
from collections.abc import Iterator
from typing import Any

from tests.dvc_sandbox import ROOT

DESIGN = {"60", "33", "65"}  # a setting (section `pretraining`), a figure rounded once more, and the aim for the base


def _numbers(value: Any) -> Iterator[float]:
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _numbers(item)
    else:
        yield float(value)


def test_every_percentage_of_the_tuning_page_is_recorded() -> None:
    recorded = {f"{100 * number:.4g}" for number in _numbers(json.loads((ROOT / "metrics/tuning.json").read_text()))}
    printed = {f"{float(figure):.4g}" for figure in re.findall(r"(\d+(?:\.\d+)?) %", (ROOT / "docs/tuning.md").read_text())}
    assert len(printed) > 10
    assert printed - DESIGN <= recorded
