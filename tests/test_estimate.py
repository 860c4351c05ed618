"""The price beforehand: of nothing stored, of a part, of all; it sends nothing and asks for no key."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from distill.cli.layout import Paths, layout
from distill.core import study_file
from distill.core.errors import InputError
from stages import condense, solve, verify
from tests import teachers
from tests.chatscript import Script
from tests.chatserver import serving
from tools import estimate

ASSUMED = {
    "characters": 4.0,
    "completion": {"solve": 1000.0, "verify": 100.0, "condense": 200.0},
    "undecided": 0.5,
    "correct": 1.0,
    "again": 0.0,
    "speed": 50.0,
    "window": 24.0,
}


def planned(root: Path, url: str = "http://127.0.0.1:9", assumed: dict[str, Any] = ASSUMED, **changes: Any) -> Paths:
    """Write a study with an estimate section; return its paths."""
    paths = teachers.study(root, url, **changes)
    document = yaml.safe_load(paths.study_file.read_text())
    paths.study_file.write_text(yaml.safe_dump(document | {"estimate": assumed}))
    study_file.study.cache_clear()
    return paths


def table(printed: str) -> dict[str, dict[str, str]]:
    """Return {role: {column: cell}}; of columns of one name the later is the batch route's."""
    head, _, *rows = [line.strip("|").split("|") for line in printed.splitlines() if line.startswith("|")]
    names = [f"{name.strip()} {number}" for number, name in enumerate(head)]
    return {row[0].split()[0]: dict(zip(names, map(str.strip, row), strict=True)) for row in rows}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_nothing_stored_is_counted_at_what_the_study_assumes(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = planned(
        root, solve={"samples": 2}, endpoints={"here": teachers.ENDPOINT | {"base_url": "http://127.0.0.1:9", "key_variable": "NO_KEY"}}
    )
    teachers.problems(60)
    estimate.main(study)
    printed = capsys.readouterr().out
    rows = table(printed)
    distinct = int(rows["solve"]["calls 1"]) // 2  # problems of one text make one call
    assert 0 < distinct <= 60
    assert rows["solve"]["out 5"] == f"{2000 * distinct:,}"
    assert int(rows["verify"]["calls 1"]) == round(distinct / 2)
    assert rows["verify"]["at most 2"] == str(2 * distinct)
    assert rows["condense"]["calls 1"] == f"{5 * distinct}" or int(rows["condense"]["calls 1"].replace(",", "")) <= 5 * 60
    assert {row["stored 3"] for row in rows.values()} == {"0"}
    tokens_in = int(rows["solve"]["tokens in 4"].replace(",", ""))
    dollars = (tokens_in * 3.0 + 2000 * distinct * 7.0) / 1e6
    assert float(rows["solve"]["chat $ 6"]) == pytest.approx(dollars, abs=0.01)
    assert float(rows["solve"]["batch $ 9"]) == pytest.approx(dollars / 2, abs=0.01)
    assert float(rows["solve"]["at most $ 7"]) > dollars
    assert rows["condense"]["hours at most 11"] == "120.0"  # five levels, each from the one above
    assert "so far: $0.0000 billed, $0.0000 reserved, 0 tokens in all; limit: " in printed
    assert "(2026-11-01)" in printed
    assert "assumed" in printed


def test_after_a_run_everything_is_stored_and_nothing_is_left_to_pay(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    teachers.problems(40)
    with serving(Script(answers="tests.teachers:answer", reasoning="think"), root / "log") as server:
        study = planned(root, server.url, verify={"asks": "all"})
        solve.main(study)
        capsys.readouterr()
        estimate.main(study)
        half = capsys.readouterr().out
        verify.main(study)
        condense.main(study)
        asked = server.asked().total()
    capsys.readouterr()
    estimate.main(study)
    whole = capsys.readouterr().out
    rows, before = table(whole), table(half)
    assert {row["calls 1"] for row in rows.values()} == {"0"}
    assert float(rows["together"]["chat $ 6"]) == 0.0 == float(rows["together"]["at most $ 7"])
    assert int(rows["together"]["stored 3"]) == asked
    assert int(rows["condense"]["stored 3"]) >= 5 * 40
    assert before["solve"]["calls 1"] == "0"
    assert before["verify"]["calls 1"] == rows["verify"]["stored 3"]
    assert "stored answers" in half
    assert "solve: 1,000 tokens out" not in half


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"completion": {"solve": 1.0, "verify": 1.0}}, "completion says nothing on 'condense'"),
        ({"characters": 0.0}, "section 'estimate'"),
        ({"correct": 1.5}, "section 'estimate'"),
    ],
    ids=["a role without tokens", "no characters a token", "a share above 1"],
)
def test_a_bad_assumption_is_one_line(root: Path, change: dict[str, Any], says: str) -> None:
    teachers.problems(2)
    with pytest.raises(InputError, match=says):
        estimate.main(planned(root, assumed=ASSUMED | change))


def test_a_model_without_a_price_is_named(root: Path) -> None:
    teachers.problems(2)
    with pytest.raises(InputError, match="no price of model 'other'"):
        estimate.main(planned(root, solve={"model": "other"}))


def test_a_study_that_asks_no_model_costs_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    study_file.study.cache_clear()
    estimate.main(msgspec.structs.replace(layout("mini"), study_file=teachers.ROOT / "studies/mini.yaml"))
    assert "nothing to pay" in capsys.readouterr().out
