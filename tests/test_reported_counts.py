"""Tests of reported counts: exact ranges against enumeration and closed forms, and the committed claims of the paper."""

import math
from contextlib import chdir
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from distill.claims import count_tests, reported_count_rules
from distill.claims.count_tests import Count, ReportedCounts
from distill.cli.layout import layout
from distill.core import study_file
from distill.core.errors import InputError
from distill.core.files import read_json, write_text
from distill.stats import intervals, paired_tests
from stages import reported_counts
from tests import synthetic

ROOT = Path(__file__).parents[1]
JOB = ROOT / "studies" / "job.yaml"


def count(right: float, of: int, says: str = "0") -> Count:
    return Count(right, of, says, "a test")


def reported(**named: Count) -> ReportedCounts:
    return ReportedCounts(named, 0.05, 0.8, 0.95)


def mcnemar(gained: int, lost: int) -> float:
    """The exact test as a sum of binomial coefficients."""
    n, k = gained + lost, min(gained, lost)
    return min(1.0, 2 * sum(math.comb(n, i) for i in range(k + 1)) / 2**n)


@pytest.mark.parametrize(("right", "other", "n"), [(5, 3, 8), (2, 0, 6), (0, 0, 5), (7, 7, 7), (3, 6, 7)])
def test_the_range_of_a_paired_test_is_that_of_all_pairings(right: int, other: int, n: int) -> None:
    first = np.array([1.0] * right + [0.0] * (n - right))
    patterns = (np.array(pattern) for pattern in product((0.0, 1.0), repeat=n) if sum(pattern) == other)
    every = [paired_tests.mcnemar(first, pattern) for pattern in patterns]
    found = count_tests.pairings(count(right, n), count(other, n), reported())
    assert (found.p_min, found.p_max) == pytest.approx((min(every), max(every)), abs=1e-9)


def test_the_papers_gain_by_closed_forms() -> None:
    found = reported_count_rules.Gain("arm", "base").measure(reported(arm=count(452, 651), base=count(421, 651)))
    assert found.secondary["p_best"] == pytest.approx(2 / 2**31, rel=1e-6)
    assert found.p == pytest.approx(max(mcnemar(lost + 31, lost) for lost in range(200)), abs=1e-6)
    decided = [mcnemar(lost + 31, lost) <= 0.05 for lost in range(200)]
    assert found.secondary["lost_deciding"] == decided.index(False) - 1 == 101
    n, total = 651, 452 + 421  # Fisher: hypergeometric tables that are no likelier than the one seen
    chances = [math.comb(n, k) * math.comb(n, total - k) / math.comb(2 * n, total) for k in range(total - n, n + 1)]
    seen = chances[452 - (total - n)]
    assert found.secondary["p_unpaired"] == pytest.approx(sum(p for p in chances if p <= seen * (1 + 1e-9)), abs=1e-6)
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.secondary["low_unpaired"] < 0.0476 < found.secondary["high_unpaired"] < found.high


def test_a_table_without_correlation_has_the_interval_of_independent_rates() -> None:
    gained, lost = 40 * (100 - 60) // 100, (100 - 40) * 60 // 100  # expected cells: phi is 0
    paired = count_tests.paired_rates(gained, lost, 40, 60, 100, 0.95)
    assert paired == pytest.approx(intervals.newcombe(0.4, 100, 0.6, 100, 0.95), abs=1e-12)
    kept = count_tests.paired_rates(0, 20, 40, 60, 100, 0.95)  # every answer that is right in the first is right in the second
    assert paired.low < kept.low < -0.2 < kept.high < paired.high


def test_means_over_seeds_are_bounded_by_correlation() -> None:
    arm, other = count(365.5, 500), count(386.5, 500)
    found = reported_count_rules.Gain("arm", "base").measure(reported(arm=arm, base=other))
    assert found.p == pytest.approx(math.erfc(0.042 / (arm.error + other.error) / math.sqrt(2)), abs=1e-6)
    assert found.secondary["p_best"] < found.secondary["p_unpaired"] < found.p
    assert found.sign == -1
    assert reported_count_rules.Gain("a", "b").measure(reported(a=count(0.5, 5), b=count(0.5, 5))).p == 1.0


def test_the_slope_of_rates_is_a_regression() -> None:
    found = reported_count_rules.Fall(["a", "b", "c"]).measure(reported(a=count(80, 100), b=count(70, 100), c=count(40, 100)))
    assert found.effect == pytest.approx(np.polyfit(range(3), [0.8, 0.7, 0.4], 1)[0])
    error = math.sqrt((0.8 * 0.2 + 0.4 * 0.6) / 100) / 2
    assert found.secondary["p_unpaired"] == pytest.approx(math.erfc(0.2 / error / math.sqrt(2)), abs=1e-6)
    assert (found.sign, found.secondary["rising_steps"], found.ours) == (1, 0, pytest.approx(-0.4))
    assert found.p is not None
    assert found.p > found.secondary["p_unpaired"]


SPREADS = {  # mean, sd, seeds, questions -> denominators that give them
    "the competition": ("69.43", "0.17", 5, 651, ["population"]),
    "math-500": ("73.1", "0.18", 5, 500, ["sample"]),
    "equal seeds": ("50", "0.0", 3, 10, ["sample", "population"]),
    "no whole numbers": ("69.40", "0.01", 5, 651, []),
    "no such mean": ("69.42", "0.17", 5, 651, []),
}


@pytest.mark.parametrize(("mean", "sd", "seeds", "of", "expected"), SPREADS.values(), ids=SPREADS)
def test_whole_numbers_behind_a_mean_and_an_sd(mean: str, sd: str, seeds: int, of: int, expected: list[str]) -> None:
    assert reported_count_rules.denominators(mean, sd, seeds, of) == expected


UNSEEN = {  # right of 10, the other's right, seen -> state
    "nothing is known": (7, 5, 8, "undecided"),
    "more right than were seen": (9, 0, 3, "shown"),
    "fewer right than can be right elsewhere": (0, 9, 3, "opposite"),
}


@pytest.mark.parametrize(("right", "other", "seen", "state"), UNSEEN.values(), ids=UNSEEN)
def test_bounds_on_unseen_questions(right: int, other: int, seen: int, state: str) -> None:
    found = reported_count_rules.Unseen("a", "b", seen).measure(reported(a=count(right, 10), b=count(other, 10)))
    assert found.state == state
    assert found.n == 10 - seen


AGREES = {"to the digit": (452, 651, "69.43", True), "in the last digit": (452, 651, "69.42", False), "rounded": (594, 651, "91", True)}


@pytest.mark.parametrize(("right", "of", "says", "agrees"), AGREES.values(), ids=AGREES)
def test_counts_against_the_percentage_beside_them(right: int, of: int, says: str, agrees: bool) -> None:
    assert count(right, of, says).agrees() is agrees


VERDICTS = {
    "teacher_above_student": "supported",
    "distilled_above_base": "inconclusive",
    "distilled_above_base_on_unseen": "inconclusive",
    "seed_spread_small": "supported",
    "spread_on_math500": "supported",
    "mean_is_one_file": "supported",
    "math500_mean_is_one_file": "supported",
    "transfer": "inconclusive",
    "accuracy_falls": "supported",
    "speed_hurt_most": "inconclusive",
    "long_run_overfits": "supported",
    "aime_tuned_above_base": "inconclusive",
}


def test_the_papers_claims_are_the_committed_ones(tmp_path: Path) -> None:
    study_file.study.cache_clear()
    (tmp_path / "studies").symlink_to(ROOT / "studies")
    with chdir(tmp_path):
        reported_counts.main(layout("job"))
    found = read_json(tmp_path / "metrics/job/reported_counts.json")
    assert {name: line["verdict"] for name, line in found["claims"].items()} == VERDICTS
    assert all(line["agrees"] for line in found["counts"].values())
    assert synthetic.texts(found) == [f"claims.{name}.verdict" for name in VERDICTS]
    for name in ("reported_counts.json", "reported_counts.md"):
        path = Path("metrics", "job", name)
        assert (tmp_path / path).read_text() == (ROOT / path).read_text(), "run: dvc repro reported_counts"


def test_sections_add_up_to_the_whole() -> None:
    named = yaml.safe_load(JOB.read_text(encoding="utf-8"))["reported_counts"]["counts"]
    for arm, whole in (("r1", "distilled"), ("r6", "r6")):
        parts = [named[f"{arm}-{section}"] for section in ("freshman-sophomore", "junior-senior", "two-person")]
        assert [sum(part[key] for part in parts) for key in ("right", "of")] == [named[whole][key] for key in ("right", "of")]


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown count": ({"rule": {"kind": "gain", "arm": "a", "comparator": "z"}}, r"names the count 'z'; counts here: a, b"),
    "one arm": ({"rule": {"kind": "fall", "arms": ["a"]}}, "names 1 counts"),
    "one section": ({"rule": {"kind": "loss", "section": "s", "sections": {"s": ["a", "b"]}}}, "at least two needed, one of them s"),
    "all seen": ({"rule": {"kind": "unseen", "arm": "a", "comparator": "b", "seen": 10}}, "allowed are fewer than all"),
    "a loss of nothing": ({"rule": {"kind": "curve", "rise": 0.1, "losses": [[1, 0.5], [2, 0.0]]}}, "all above 0"),
    "no gain": (
        {"rule": {"kind": "spread", "mean": "1", "sd": "0", "seeds": 5, "of": 10, "gain": 0.0, "ratio": 0.5}},
        "none that a spread",
    ),
    "one seed": (
        {"rule": {"kind": "spread", "mean": "1", "sd": "0", "seeds": 1, "of": 10, "gain": 1.0, "ratio": 0.5}},
        "at least 2 needed",
    ),
    "more right than asked": ({"right": 11}, r"counts.a: 11 right of 10; allowed are 0"),
    "nothing asked": ({"right": 0, "of": 0}, r"Expected `int` >= 1 - at `\$.counts\[...\].of`"),
    "no percentage": ({"printed": "half"}, "'half' is no percentage"),
    "an unknown rule": ({"rule": {"kind": "guess"}}, "guess"),
}


@pytest.mark.parametrize(("change", "message"), BAD.values(), ids=BAD)
def test_what_cannot_be_tested_is_one_line(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    row = {"right": 6, "of": 10, "printed": "60", "source": "x"} | {key: value for key, value in change.items() if key != "rule"}
    rule = change.get("rule", {"kind": "gain", "arm": "a", "comparator": "b"})
    claim = {"says": "s", "source": "s", "published": None, "rule": rule, "note": ""}
    other = {"right": 5, "of": 10, "printed": "50", "source": "x"}
    section = {"alpha": 0.05, "power": 0.8, "confidence": 0.95, "counts": {"a": row, "b": other}, "ledger": {"claim": claim}}
    study_file.study.cache_clear()
    with chdir(tmp_path):
        paths = layout("tiny")
        write_text(paths.study_file, yaml.safe_dump({"reported_counts": section}))
        with pytest.raises(InputError, match=message) as caught:
            reported_counts.main(paths)
        assert "\n" not in str(caught.value)
        assert not paths.reported_counts.exists()
