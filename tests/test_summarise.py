"""The summary and the tidy tables of a small graded study with known figures."""

import gzip
import json
from contextlib import chdir
from pathlib import Path

import pandas as pd
import pytest

from distill.core import files
from distill.core.errors import InputError
from distill.records.assignment import Assignment
from distill.stats.intervals import wilson
from distill.stats.score_table import split_roles
from distill.stats.summary import Settings, estimate
from stages import summarise
from tests import synthetic

STUDY = {"summarise": {"confidence": 0.95, "resamples": 500, "seed": 5}}
WORDS = {"base": 40, "r1": 90, "r1-n100": 80}


def right(arm: str, seed: int, benchmark: str, number: int) -> bool:
    """The base knows every second problem; an arm knows what it saw, and of the rest two in three, one more with seed 3."""
    if arm == "base":
        return number % 2 == 0
    return number < 12 or number % 3 > 0 or (seed == 3 and number == 18)


def run(folder: Path) -> tuple[dict[str, dict[str, dict[str, dict[str, object]]]], dict[str, pd.DataFrame], bytes]:
    folder.mkdir(exist_ok=True)
    with chdir(folder):
        paths = synthetic.write(STUDY, {"r1": 12, "r1-n100": 4}, right, WORDS.__getitem__)
        summarise.main(paths)
        data = paths.summary.read_bytes()
        return json.loads(data), {path.stem: pd.read_csv(path) for path in sorted(paths.plots.iterdir())}, data


def test_figures_by_arm_benchmark_and_split(tmp_path: Path) -> None:
    summary, _, _ = run(tmp_path)
    assert summary["teacher"] == {"accuracy": 0.98}
    assert list(summary["arms"]) == ["base", "r1", "r1-n100"]
    base, r1 = summary["arms"]["base"], summary["arms"]["r1"]
    assert list(base["competition"]) == ["all", "seen", "near", "heldout", "sections", "years"]
    heldout = {"accuracy": 0.491525, "n": 59, "sd": None}  # 29 of the 59 that are no duplicate of a seen one
    low, high = wilson(29 / 59, 59, 0.95)
    assert base["competition"]["heldout"] == heldout | {"low": round(low, 6), "high": round(high, 6)}
    assert r1["competition"]["heldout"]["accuracy"] == pytest.approx((39 / 59 * 2 + 40 / 59) / 3, abs=1e-6)
    assert r1["competition"]["heldout"]["sd"] == pytest.approx(1 / 59 / 3**0.5, abs=1e-6)
    assert r1["competition"]["heldout"]["low"] < r1["competition"]["heldout"]["accuracy"] < r1["competition"]["heldout"]["high"]
    assert (r1["competition"]["seen"]["accuracy"], r1["competition"]["seen"]["n"]) == (1.0, 12)
    assert r1["competition"]["seen"]["low"] < 0.8
    assert (r1["competition"]["near"]["n"], r1["competition"]["all"]["n"], r1["transfer"]["all"]["n"]) == (1, 76, 30)
    assert list(r1["transfer"]) == ["all"]
    assert (r1["words"], r1["tokens"]) == (90.0, 20.0)
    assert {name: line["n"] for name, line in r1["competition"]["sections"].items()} == {
        "freshman-sophomore": 20, "junior-senior": 19, "two-person": 20,
    }  # fmt: skip


def test_seen_is_what_the_own_arm_saw(tmp_path: Path) -> None:
    arms = run(tmp_path)[0]["arms"]
    assert (arms["r1-n100"]["competition"]["seen"]["n"], arms["r1-n100"]["competition"]["heldout"]["n"]) == (4, 67)


ROLES = {  # id: (cluster, text) -> role, a trained on and d validated on
    "trained on": ("a", "a", "A", "seen"),
    "the same text in another year": ("b", "a", "A", "seen"),
    "the same text, kept apart by the split": ("e", "e", "A", "seen"),
    "a duplicate in other words": ("c", "a", "C", "near"),
    "validated on": ("d", "d", "D", "valid"),
    "the text of a validated one": ("f", "d", "D", "valid"),
    "validated on, and a duplicate": ("g", "a", "D", "near"),
    "a duplicate of one whose text was trained on": ("h", "e", "H", "near"),
    "new": ("i", "i", "I", "heldout"),
}


def test_split_roles_of_problems() -> None:
    assignments = [Assignment(name, cluster, "heldout", True) for name, cluster, _, _ in ROLES.values()]
    texts = {name: text for name, _, text, _ in ROLES.values()}
    found = split_roles(assignments, {"a"}, {"d"}, texts)
    assert {case: found[row[0]] for case, row in ROLES.items()} == {case: row[3] for case, row in ROLES.items()}


def test_an_id_that_is_no_problem_is_a_fault() -> None:
    with pytest.raises(InputError, match="problem z of a corpus or the split"):
        split_roles([Assignment("a", "a", "heldout", True)], {"z"}, set(), {"a": "A"})


def test_gain_is_paired_on_the_arms_own_problems(tmp_path: Path) -> None:
    r1 = run(tmp_path)[0]["arms"]["r1"]["competition"]
    assert r1["seen"]["gain"] == 0.5  # 12 right, of which the base knows 6
    assert r1["heldout"]["gain"] == pytest.approx(r1["heldout"]["accuracy"] - 29 / 59, abs=1e-5)
    assert r1["heldout"]["gain_low"] < r1["heldout"]["gain"] < r1["heldout"]["gain_high"]
    assert not {"gain", "gain_low"} & r1["near"].keys()  # one problem has no interval
    assert list(r1["years"]) == ["2011", "2012", "2013", "2014", "2015"]
    assert sum(line["n"] for line in r1["years"].values()) == 59


def test_held_out_problems_of_a_gain_are_held_out_for_both(tmp_path: Path) -> None:
    """r1-n100 trains on 4 of the study's 12 training problems, and so holds 8 more out than the base."""
    summary, tables, _ = run(tmp_path)
    arms = {arm: summary["arms"][arm]["competition"]["heldout"] for arm in ("base", "r1", "r1-n100")}
    assert [line["n"] for line in arms.values()] == [59, 59, 67]
    assert arms["r1-n100"]["gain"] == arms["r1"]["gain"] != pytest.approx(arms["r1-n100"]["accuracy"] - arms["base"]["accuracy"])
    for name, keys in {"accuracy": {"seed": "mean", "split": "heldout"}, "sections": {}, "years": {}}.items():
        table = tables[name]
        for key, value in keys.items():
            table = table[table[key] == value]
        gains = {arm: list(rows["gain"]) for arm, rows in table.groupby("arm")}
        assert gains["r1"] == gains["r1-n100"], name
        assert all(pd.isna(gain) for gain in gains["base"])


def test_several_samples_give_pass_at_k() -> None:
    """Of four samples: problem a right in all, b in one, c in none; seeds are averaged."""
    right = {("a", 1): 4, ("b", 1): 1, ("c", 1): 0, ("a", 2): 4, ("b", 2): 2, ("c", 2): 0}
    rows = [
        {"id": name, "seed": seed, "sample": i, "cluster": name, "correct": float(i < n)}
        for (name, seed), n in right.items()
        for i in range(4)
    ]
    settings = Settings(0.95, 200, 1)
    line = estimate(pd.DataFrame(rows), "x", settings)
    assert line["accuracy"] == pytest.approx((1 + 3 / 8) / 3)
    assert line["pass_at_2"] == pytest.approx((1 + (1 / 2 + 5 / 6) / 2) / 3)  # of 6 pairs, 3 and 1 miss
    assert line["pass_at_4"] == pytest.approx(2 / 3)
    assert line["pass_at_2_low"] < line["pass_at_2"] < line["pass_at_2_high"]
    assert not any("pass" in key for key in estimate(pd.DataFrame(rows)[lambda frame: frame["sample"] == 0], "x", settings))


def test_tables_are_tidy_and_agree_with_the_summary(tmp_path: Path) -> None:
    summary, tables, _ = run(tmp_path)
    assert list(tables) == ["accuracy", "curves", "outcomes", "sections", "words", "years"]
    accuracy = tables["accuracy"]
    assert list(accuracy) == ["arm", "seed", "benchmark", "split", "accuracy", "low", "high", "n", "gain"]
    assert not accuracy.duplicated(["arm", "seed", "benchmark", "split"]).any()
    for row in accuracy[accuracy["seed"] == "mean"].itertuples():
        line = summary["arms"][row.arm][row.benchmark][row.split]
        assert (row.accuracy, row.low, row.high, row.n) == (line["accuracy"], line["low"], line["high"], line["n"])
    assert sorted(accuracy[accuracy["arm"] == "r1"]["seed"].unique()) == ["1", "2", "3", "mean"]
    words = tables["words"].set_index(["arm", "seed"])
    assert tuple(words.loc[("base", 0)]) == (40.0, 20.0, 0.491525)
    assert tables["outcomes"]["count"].sum() == 7 * (76 + 30)
    assert (len(tables["years"]), len(tables["sections"])) == (3 * 5, 3 * 3)


def test_bytes_are_stable_and_an_arm_does_not_move_another(tmp_path: Path) -> None:
    assert run(tmp_path / "x")[2] == run(tmp_path / "y")[2]
    together = run(tmp_path / "x")[0]["arms"]["r1"]
    with chdir(tmp_path):
        paths = synthetic.write(STUDY, {"r1": 12}, right, lambda arm: 90)
        summarise.main(paths)
        assert files.read_json(paths.summary)["arms"]["r1"] == together


def test_the_figures_and_curves_of_all_adapters_are_collected(tmp_path: Path) -> None:
    _, tables, _ = run(tmp_path)
    training = files.read_json(tmp_path / "metrics" / "tiny" / "training.json")
    assert training == {arm: {str(seed): synthetic.TRAINING for seed in synthetic.SEEDS} for arm in ("r1", "r1-n100")}
    lines = (tmp_path / "plots" / "tiny" / "tables" / "curves.csv").read_text().splitlines()
    assert lines[:3] == ["arm,seed,iteration,train_loss,validation_loss", "r1,1,0,,0.900000", "r1,1,50,0.500000,0.600000"]
    assert len(tables["curves"]) == 2 * 3 * 3


FAULTS = {
    "no verdicts": ("data/tiny/resolved.jsonl.gz", b"", "no verdicts"),
    "unknown problem": ("data/tiny/split.jsonl", b'{"id":"q","cluster":"q","split":"train","evaluate":true}\n', "p000 is not in"),
    "no corpus": ("data/tiny/corpus/r1/train.jsonl", None, "corpus/r1/train.jsonl: no such file"),
    "no teacher": ("metrics/tiny/teacher.json", b"{}", "no key 'accuracy'"),
    "a missing cell": ("params.yaml", b"arms: [r1]\nseeds: [1, 2, 3, 4]\n", r"r1-4: 1 of 4 cells missing; run `dvc repro`"),
    "an unlisted cell": ("params.yaml", b"arms: [r1]\nseeds: [1, 2]\n", r"/r1-3: 1 of 3 cells belong to no arm and seed.*`make tidy`"),
    "no figures": ("models/tiny/adapters/r1-2/training.json", None, "r1-2/training.json: no such file"),
    "another curve": ("models/tiny/adapters/r1-2/curve.csv", b"step\n", r"r1-2/curve.csv: its first line is 'step', expected 'iteration,"),
}


@pytest.mark.parametrize(("name", "data", "message"), FAULTS.values(), ids=FAULTS.keys())
def test_faults_in_the_input(name: str, data: bytes | None, message: str, tmp_path: Path) -> None:
    with chdir(tmp_path):
        paths = synthetic.write(STUDY, {"r1": 12}, right)
        if data is None:
            Path(name).unlink()
        else:
            Path(name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        with pytest.raises(InputError, match=message):
            summarise.main(paths)
        assert not paths.summary.exists()
