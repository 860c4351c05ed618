"""The claims on small graded studies whose truth is known."""

from contextlib import chdir
from pathlib import Path
from typing import Any

import msgspec
import pandas as pd
import pytest
import yaml

from distill.claims import verdicts
from distill.claims.claim import ClaimSettings, RunClaim
from distill.claims.likelihood_rules import LikelihoodAbove, LikelihoodGap
from distill.claims.rule_inputs import RuleInputs
from distill.claims.verdicts import Finding, VerdictSettings, conclude, power_figures
from distill.cli.layout import layout
from distill.core import files
from distill.core.errors import InputError
from distill.stats.intervals import Interval
from stages import claims, summarise
from tests import scored, synthetic

MINI = Path(__file__).parents[1] / "studies" / "mini.yaml"
LEVELS = ("r1", "r2", "r3", "r4", "r5", "r6")
ARMS = {arm: 12 for arm in (*LEVELS, "answer")} | {"r1-n100": 4}
SHARE = dict(zip(LEVELS, (9, 8, 7, 6, 5, 4), strict=True)) | {"answer": 2, "r1-n100": 7, "base": 5}  # correct of each 10 problems
LENGTH = dict(zip(LEVELS, (90, 70, 50, 40, 30, 10), strict=True)) | {"answer": 2, "r1-n100": 90, "base": 50}
OVERFIT = {"iterations": 100, "best_iteration": 50, "best_loss": 0.5, "last_loss": 0.6}


def expected(arm: str, seed: int, benchmark: str, number: int) -> bool:
    """All claims true: shares as above, the speed section loses most, and seeds differ in a problem."""
    if number % 3 == 2 and arm in LEVELS:
        return arm in ("r1", "r2") or number % 10 < 2 or (arm == "r3" and number % 10 < 8)
    return number % 10 < SHARE[arm] or (seed == 2 and number == 39)


def run(folder: Path, right: synthetic.Right = expected, overfit: dict[str, object] = OVERFIT, **changes: Any) -> tuple[Any, str]:
    """Test mini's own claims on a synthetic study; `changes` go into the section's keys or, by claim name, into a claim.

    Returns the figures by claim and the page; the rationales are in the folder.
    """
    study = {name: yaml.safe_load(MINI.read_text())[name] for name in ("summarise", "claims")}
    study["claims"] |= {"resamples": 1000} | {key: value for key, value in changes.items() if key in study["claims"]}
    study["summarise"]["resamples"] = 200
    study |= {"arms": changes["arms"]} if "arms" in changes else {}
    for name, change in changes.items():
        if name in study["claims"]["ledger"]:
            study["claims"]["ledger"][name] |= change
    with chdir(folder):
        paths = synthetic.write(study, ARMS, right, LENGTH.__getitem__, heldout=240, transfer=60)
        files.write_json(paths.overfit_metrics, overfit)
        summarise.main(paths)
        claims.main(paths)
        return files.read_json(paths.claims), paths.claims_page.read_text()


def rationale(folder: Path, name: str) -> dict[str, str]:
    """Return the rule and the reason of the last run's verdict on a claim."""
    found: dict[str, str] = files.read_json(folder / "report" / "tiny" / "rationales.json")[name]
    return found


def test_the_committed_claims_hold_where_its_claims_are_true(tmp_path: Path) -> None:
    ledger, text = run(tmp_path)
    assert {name: line["verdict"] for name, line in ledger.items()} == dict.fromkeys(ledger, "holds") | {"words_fall": "by construction"}
    tested = {name for name, line in ledger.items() if line["p"] is not None}
    assert tested == {"distilled_above_base", "transfer", "accuracy_falls", "speed_hurt_most", "cot_beats_answer", "more_data_helps"}
    assert all(line["p"] <= line["p_holm"] <= 6 * line["p"] + 1e-5 for line in ledger.values() if line["p"] is not None)
    primary = ledger["distilled_above_base"]
    assert primary["ours"] == primary["effect"] > 0.3
    assert primary["low"] < primary["effect"] < primary["high"]
    assert (primary["published"], primary["n"]) == (0.0476, 239)
    assert sorted(primary["secondary"]["mcnemar"]) == ["1", "2", "3"]
    assert max(primary["secondary"]["mcnemar"].values()) < 1e-6
    assert 0 < primary["detectable"] < primary["effect"]
    assert ledger["words_fall"]["ours"] == pytest.approx(10 / 90, abs=1e-6)
    assert ledger["long_run_overfits"]["ours"] == pytest.approx(1.2)
    assert "| distilled_above_base" in text
    assert "pattern holds" in text


def test_metrics_hold_figures_and_the_rationales_words(tmp_path: Path) -> None:
    ledger, text = run(tmp_path)
    assert synthetic.texts(ledger) == [f"{name}.verdict" for name in ledger]
    said = files.read_json(tmp_path / "report" / "tiny" / "rationales.json")
    assert list(said) == list(ledger)
    assert [name for name, line in said.items() if f"  - found: {line['reason']}\n  - rule: {line['rule']}\n" not in text] == []


def test_the_spread_is_against_the_gain_of_the_primary_claim(tmp_path: Path) -> None:
    rule = {"kind": "spread_small", "benchmark": "competition", "split": "heldout", "arm": "r1-n100", "comparator": "base", "ratio": 0.5}
    gained = {"kind": "above", "benchmark": "competition", "split": "heldout", "arm": "r1-n100", "comparator": "base"}
    ledger, _ = run(tmp_path, seed_spread_small={"rule": rule}, more_data_helps={"rule": gained})
    line = files.read_json(tmp_path / "metrics/tiny/summary.json")["arms"]["r1-n100"]["competition"]["heldout"]
    assert ledger["seed_spread_small"]["ours"] == pytest.approx(line["sd"] / ledger["more_data_helps"]["effect"], abs=1e-5)
    assert line["gain"] == ledger["more_data_helps"]["effect"]


def test_a_fall_says_what_is_tested(tmp_path: Path) -> None:
    run(tmp_path)
    rule = rationale(tmp_path, "accuracy_falls")["rule"]
    assert "falls on average" in rule
    assert "test of the trend, in which single steps may rise" in rule


def test_the_headline_is_short_and_agrees_with_the_details(tmp_path: Path) -> None:
    ledger, _ = run(tmp_path)
    metrics = tmp_path / "metrics" / "tiny"
    found, summary = files.read_json(metrics / "headline.json"), files.read_json(metrics / "summary.json")
    arms = summary["arms"]
    assert found["accuracy"] == {arm: arms[arm]["competition"]["heldout"]["accuracy"] for arm in arms}
    gain = ledger["distilled_above_base"]
    assert found["gain"] == {"r1": {key: gain[key] for key in ("effect", "low", "high")}}
    assert sum(found["claims"].values()) == len(ledger)
    assert found["teacher"] == summary["teacher"]["accuracy"]
    assert list(found) == ["accuracy", "gain", "teacher", "claims"]
    assert synthetic.texts(found) == []


def test_no_effect_is_inconclusive_and_says_how_many_problems_would_decide(tmp_path: Path) -> None:
    def right(arm: str, seed: int, benchmark: str, number: int) -> bool:
        return (number * 7 + (3 * len(arm) if number % 11 == 0 else 0) + (arm == "r1" and number == 50)) % 10 < 5

    line = run(tmp_path, right)[0]["distilled_above_base"]
    reason = rationale(tmp_path, "distilled_above_base")["reason"]
    assert line["verdict"] == ("inconclusive" if line["effect"] >= 0 else "fails")
    assert "not significant" in reason
    assert "problem clusters (here 239)" in reason or line["effect"] == 0


def test_the_wrong_sign_fails(tmp_path: Path) -> None:
    turned = {"base": 9, "answer": 10, "r1": 4, "r2": 5, "r3": 6, "r4": 7, "r5": 8, "r6": 9, "r1-n100": 6}
    ledger, text = run(tmp_path, lambda arm, seed, benchmark, number: number % 10 < turned[arm])
    for name in ("distilled_above_base", "transfer", "accuracy_falls", "cot_beats_answer", "more_data_helps", "seed_spread_small"):
        assert ledger[name]["verdict"] == "fails", name
    assert ledger["teacher_above_student"]["verdict"] == "inconclusive"
    assert "pattern fails" in text


def test_one_section_alike_another_is_not_hurt_most(tmp_path: Path) -> None:
    line = run(tmp_path, lambda arm, seed, benchmark, number: number % 10 < SHARE[arm])[0]["speed_hurt_most"]
    assert line["verdict"] in ("inconclusive", "fails")
    assert line["low"] < 0 < line["high"]


CURVES = {
    "turns": ({}, "holds"),
    "falls to the end": ({"best_iteration": 100, "best_loss": 0.6}, "fails"),
    "rises within the tolerance": ({"last_loss": 0.51}, "inconclusive"),
    "has nothing to rise from": ({"best_loss": 0.0}, "not run"),
}


@pytest.mark.parametrize(("change", "verdict"), CURVES.values(), ids=CURVES.keys())
def test_long_run(change: dict[str, object], verdict: str, tmp_path: Path) -> None:
    assert run(tmp_path, overfit=OVERFIT | change)[0]["long_run_overfits"]["verdict"] == verdict


def test_an_arm_that_was_not_run(tmp_path: Path) -> None:
    arms = ARMS | {"r7": 12}
    rule = {"kind": "above", "benchmark": "competition", "split": "heldout", "arm": "r1", "comparator": "r7"}
    line = run(tmp_path, more_data_helps={"rule": rule}, arms={arm: {} for arm in arms})[0]["more_data_helps"]
    assert (line["verdict"], line["p"], line["ours"]) == ("not run", None, None)
    assert "no answers of r7" in rationale(tmp_path, "more_data_helps")["reason"]


UNDEFINED = {
    "an arm": ({"comparator": "r7"}, "no arm 'r7'; arms here: r1, r2, r3, r4, r5, r6, answer, r1-n100"),
    "a benchmark": ({"benchmark": "math500"}, "benchmark 'math500' is not asked; allowed: competition, transfer"),
}


@pytest.mark.parametrize(("change", "message"), UNDEFINED.values(), ids=UNDEFINED)
def test_a_claim_on_what_the_study_does_not_define_is_refused(change: dict[str, str], message: str, tmp_path: Path) -> None:
    rule = {"kind": "above", "benchmark": "competition", "split": "heldout", "arm": "r1", "comparator": "base"}
    with pytest.raises(InputError) as fault:
        run(tmp_path, more_data_helps={"rule": rule | change})
    assert str(fault.value) == f"studies/tiny.yaml: claims.ledger.more_data_helps.rule: {message}"
    assert not (tmp_path / "metrics" / "tiny" / "claims.json").exists()


@pytest.mark.parametrize(("gained", "verdict"), [("seen", "reproduced"), ("heldout", "contradicted"), ("alike", "inconclusive")])
def test_a_gain_on_what_was_trained_on(gained: str, verdict: str, tmp_path: Path) -> None:
    def right(arm: str, seed: int, benchmark: str, number: int) -> bool:
        won = {"seen": number < 12, "heldout": number >= 12, "alike": number % 4 == 1}[gained]
        return number % 6 == 0 or (arm == "r1" and won)

    rule = {"kind": "more_on_seen", "benchmark": "competition", "split": "all", "arm": "r1", "comparator": "base"}
    line = run(tmp_path, right, vocabulary="reproduction", more_data_helps={"rule": rule})[0]["more_data_helps"]
    assert (line["verdict"], line["n"]) == (verdict, 12 + 239)
    assert line["effect"] == pytest.approx(line["secondary"]["gain_seen"] - line["secondary"]["gain_heldout"], abs=2e-6)


@pytest.mark.parametrize(("better", "verdict"), [("seen", "reproduced"), ("heldout", "contradicted"), ("alike", "inconclusive")])
def test_accuracy_on_what_was_trained_on(better: str, verdict: str, tmp_path: Path) -> None:
    def right(arm: str, seed: int, benchmark: str, number: int) -> bool:
        return {"seen": number < 12, "heldout": number >= 12, "alike": False}[better] or number % 6 == 0

    rule = {"kind": "seen_above", "benchmark": "competition", "split": "all", "arms": ["r1", "r6"]}
    line = run(tmp_path, right, vocabulary="reproduction", more_data_helps={"rule": rule})[0]["more_data_helps"]
    assert (line["verdict"], line["n"], line["basis"]) == (verdict, 12 + 239, "own run")
    assert line["effect"] == pytest.approx(min(arm["seen"] - arm["heldout"] for arm in line["secondary"].values()), abs=2e-6)


PUBLISHED = {"as published": (0.52, "reproduced"), "far from it": (0.9, "contradicted"), "partly within": (0.55, "inconclusive")}


@pytest.mark.parametrize(("published", "verdict"), PUBLISHED.values(), ids=PUBLISHED)
def test_an_accuracy_is_compared_by_its_tolerance(published: float, verdict: str, tmp_path: Path) -> None:
    changed = {"rule": {"kind": "accuracy", "benchmark": "competition", "split": "heldout", "arm": "r1"}, "tolerance": 0.03}
    line = run(tmp_path, lambda arm, seed, benchmark, number: number % 2 == 0, vocabulary="reproduction",
               more_data_helps=changed | {"published": published})[0]["more_data_helps"]  # fmt: skip
    assert (line["verdict"], line["p"]) == (verdict, None)
    assert line["low"] < line["ours"] < line["high"]


def test_real_students_are_reproduced_or_contradicted(tmp_path: Path) -> None:
    ledger, text = run(tmp_path, vocabulary="reproduction", distilled_above_base={"tolerance": 0.02}, accuracy_falls={"tolerance": 0.5})
    assert ledger["distilled_above_base"]["verdict"] == "contradicted"
    assert "further than 0.02 from the published 0.0476" in rationale(tmp_path, "distilled_above_base")["reason"]
    assert (ledger["accuracy_falls"]["verdict"], ledger["transfer"]["verdict"]) == ("reproduced", "reproduced")
    assert "pattern" not in text.split("Tests are")[0]


def claim(published: float | None = None, tolerance: float | None = None, by_construction: str = "") -> RunClaim:
    return RunClaim("s", "s", published, "", tolerance, by_construction)


CONCLUSIONS = {  # (vocabulary, sign, Holm p) -> verdict
    ("pattern", 1, 0.01): "holds",
    ("pattern", 1, 0.2): "inconclusive",
    ("pattern", -1, 0.01): "fails",
    ("pattern", -1, 0.2): "fails",
    ("pattern", 0, 1.0): "inconclusive",
    ("reproduction", 1, 0.01): "reproduced",
    ("reproduction", 1, 0.2): "inconclusive",
    ("reproduction", -1, 0.01): "contradicted",
    ("reproduction", -1, 0.2): "inconclusive",
}


@pytest.mark.parametrize(("case", "verdict"), CONCLUSIONS.items(), ids=map(str, CONCLUSIONS))
def test_conclusions(case: tuple[str, int, float], verdict: str) -> None:
    vocabulary, sign, p = case
    finding = Finding(0.1 * sign, "found", effect=0.1 * sign, n=100, p=p, sign=sign, deviation=1.0)
    found, reason = conclude(finding, p, VerdictSettings(vocabulary, 0.05, 0.8, 1), claim())
    assert found == verdict
    assert ("785 problem clusters (here 100)" in reason) == (p == 0.2)


SIZES = {  # ours, its interval, Holm p -> verdict against 0.0476 with tolerance 0.035, and what the reason says
    "within": (0.05, (0.01, 0.09), 0.01, "reproduced", "found"),
    "outside with its interval": (0.3, (0.25, 0.35), 0.001, "contradicted", "with its interval"),
    "outside with a part of it": (0.09, (0.02, 0.16), 0.01, "inconclusive", "direction holds"),
    "none, and no room for the published one": (0.0, (-0.01, 0.01), 0.9, "contradicted", "with its interval"),
    "none, and room for it": (0.0, (-0.1, 0.1), 0.9, "inconclusive", "not significant"),
    "the other sign": (-0.1, (-0.15, -0.05), 0.001, "contradicted", "found"),
}


@pytest.mark.parametrize(("ours", "span", "p", "verdict", "says"), SIZES.values(), ids=SIZES)
def test_the_size_of_a_real_students_effect(ours: float, span: tuple[float, float], p: float, verdict: str, says: str) -> None:
    sign = (ours > 0) - (ours < 0)
    finding = Finding(ours, "found", effect=ours, n=651, p=p, sign=sign, deviation=0.6, span=Interval(*span))
    found, reason = conclude(finding, p, VerdictSettings("reproduction", 0.05, 0.8, 1), claim(0.0476, 0.035))
    assert (found, says in reason) == (verdict, True), reason
    assert conclude(finding, p, VerdictSettings("pattern", 0.05, 0.8, 1), claim(0.0476, 0.035))[0] in ("holds", "fails", "inconclusive")


def test_what_has_no_test_says_what_would_decide() -> None:
    finding = Finding(0.2, "found", n=3, state="undecided", needed=5, unit="seeds")
    assert conclude(finding, None, VerdictSettings("pattern", 0.05, 0.8, 1), claim())[1].endswith("about 5 seeds would decide (here 3)")
    assert power_figures(finding, VerdictSettings("pattern", 0.05, 0.8, 1)) == (None, 5)


def test_a_fall_is_tested_as_ranks_and_step_by_step_too(tmp_path: Path) -> None:
    found = run(tmp_path)[0]["accuracy_falls"]["secondary"]
    assert found["page"]["n"] == 239
    assert found["page"]["p"] < 1e-6
    assert list(found["steps"]) == ["r1-r2", "r2-r3", "r3-r4", "r4-r5", "r5-r6"]
    assert all(step["low"] <= step["effect"] <= step["high"] < 0 for step in found["steps"].values())
    assert sum(step["effect"] for step in found["steps"].values()) == pytest.approx(
        found["accuracy"]["r6"] - found["accuracy"]["r1"], abs=1e-5
    )


def test_design_claims_nothing_that_did_not_show() -> None:
    settings, built = VerdictSettings("pattern", 0.05, 0.8, 1), claim(by_construction="we built it so")
    assert conclude(Finding(1.0, "x", state="shown"), None, settings, built)[0] == "by construction"
    assert conclude(Finding(1.0, "x", state="opposite"), None, settings, built)[0] == "fails"


def test_equal_inputs_give_equal_bytes(tmp_path: Path) -> None:
    found = []
    for name in ("x", "y"):
        (tmp_path / name).mkdir()
        run(tmp_path / name)
        made = (
            "metrics/tiny/headline.json",
            "metrics/tiny/claims.json",
            "report/tiny/rationales.json",
            "metrics/tiny/claims.md",
            "metrics/tiny/summary.json",
        )
        found.append([(tmp_path / name / file).read_bytes() for file in made])
    assert found[0] == found[1]


BAD = {
    "unknown kind": ({"rule": {"kind": "guess"}}, "guess"),
    "misspelt key": ({"tolerence": 1.0}, "tolerence"),
    "missing parameter": ({"rule": {"kind": "above", "arm": "r1"}}, "missing required field"),
}


@pytest.mark.parametrize(("change", "message"), BAD.values(), ids=BAD.keys())
def test_a_bad_claim_is_a_fault(change: dict[str, object], message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message) as fault:
        run(tmp_path, transfer=change)
    assert "section 'claims'" in str(fault.value)
    assert not (tmp_path / "metrics" / "tiny" / "claims.json").exists()


def test_a_bad_overfit_file_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"overfit.json: no key 'best_loss'"):
        run(tmp_path, overfit={"iterations": 1, "best_iteration": 1})


LIKELIER: dict[str, tuple[dict[str, Any], str, float]] = {  # name: (rule, verdict, effect)
    "above base": ({"kind": "likelihood_above", "measure": "chain_common", "part": "heldout", "arm": "r1"}, "holds", 1.015),
    "below another": (
        {"kind": "likelihood_above", "measure": "answer_direct", "part": "transfer", "arm": "r6", "comparator": "r1"},
        "fails",
        -0.5,
    ),
    "its own text": ({"kind": "likelihood_above", "measure": "chain", "part": "seen", "arm": "r1"}, "holds", 1.265),
    "a probability": ({"kind": "likelihood_above", "measure": "answer_sampled", "part": "heldout", "arm": "r6"}, "holds", 0.2),
    "no text of its own": ({"kind": "likelihood_above", "measure": "chain", "part": "seen", "arm": "r6"}, "not run", 0),
    "a part that was not scored": ({"kind": "likelihood_above", "measure": "chain_common", "part": "x", "arm": "r1"}, "not run", 0),
    "more where it was trained on": ({"kind": "likelihood_gap", "measure": "chain_common", "arm": "r1"}, "holds", scored.SEEN),
    "no gap of the control": ({"kind": "likelihood_gap", "measure": "answer_sampled", "arm": "r1"}, "inconclusive", 0),
}


@pytest.mark.parametrize(("rule", "verdict", "effect"), LIKELIER.values(), ids=LIKELIER)
def test_rules_on_likelihoods(rule: dict[str, Any], verdict: str, effect: float) -> None:
    kind = LikelihoodGap if rule["kind"] == "likelihood_gap" else LikelihoodAbove
    tested = msgspec.convert({"comparator": "base"} | rule, kind)
    inputs = RuleInputs(pd.DataFrame(), {}, {}, {}, 0.95, 0.8, 1000, 1, scored.rows())
    claim = RunClaim("it says", "here", None, "", None, "")
    settings = ClaimSettings(0.05, 0.8, 0.95)
    record, reason = verdicts.results({"it": claim}, {"it": tested}, inputs, "pattern", settings)["it"]
    assert record.verdict == verdict, reason
    assert (record.effect or 0) == pytest.approx(effect, abs=1e-9)
    if verdict == "not run":
        assert "two clusters needed" in reason.reason
    elif record.n and rule["kind"] == "likelihood_above":
        assert (record.n, record.low is not None and record.low <= effect + 1e-9) == (8, True)  # problems, not problems times seeds
    assert ("a probability" in reason.rule) == (rule["measure"] == "answer_sampled")


def test_claims_read_likelihoods_where_a_rule_needs_them_and_profiles_do_not_repeat_them(tmp_path: Path) -> None:
    rule = {"kind": "likelihood_above", "measure": "chain_common", "part": "heldout", "arm": "r1", "comparator": "base"}
    with pytest.raises(InputError, match=r"data/tiny/likelihood.jsonl.gz: no such file"):
        run(tmp_path, transfer={"rule": rule})
    with chdir(tmp_path):
        files.write_records(layout("tiny").likelihood, scored.rows())
    ledger, text = run(tmp_path, transfer={"rule": rule})
    assert ledger["transfer"]["effect"] == pytest.approx(1.015)
    assert "chain_common of r1 above that of base on the problems of heldout that both have, in nats a token" in text
