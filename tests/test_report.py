"""The report of a small graded study: its numbers, its plots, and what it refuses."""

import json
import re
import shutil
from collections.abc import Callable
from contextlib import chdir
from pathlib import Path

import pytest
import yaml
from msgspec.structs import replace

from distill.cli.layout import layout
from distill.core import files, markdown
from distill.core.errors import InputError
from distill.core.study_file import study
from distill.likelihood import figures
from distill.multiverse import robustness
from distill.records.assignment import Assignment
from distill.records.completion import Completion
from distill.records.problem import Problem
from distill.records.verdict import Verdict
from distill.report import plots
from stages import claims, report, summarise
from tests import rendered, scored, synthetic
from tests.pipeline import ROOT

TEMPLATES = sorted((ROOT / "plots" / "templates").glob("*.json"))
ARMS = ["r1", "r6"]
ABOVE = {"kind": "above", "benchmark": "competition", "split": "heldout", "arm": "r1", "comparator": "base"}
CLAIM = {"says": "up | up", "source": "abstract", "published": 0.05, "tolerance": None, "by_construction": "", "note": "a note"}
STUDY = {
    "arms": {arm: {"level": arm, "protocol": "clean", "corrected": False, "n": 12} for arm in [*ARMS, "r3"]},
    "summarise": {"confidence": 0.9, "resamples": 200, "seed": 5},
    "claims": {
        "vocabulary": "pattern", "alpha": 0.05, "power": 0.8, "confidence": 0.9, "resamples": 200, "seed": 6,
        "ledger": {"gain": CLAIM | {"rule": ABOVE}, "absent": CLAIM | {"rule": ABOVE | {"arm": "r3"}}},
    },
    "likelihood": {"confidence": 0.9},
    "report": {"examples": 2, "seed": 1, "arms": ["r1", "r3"], "max_chars": 40, "limits": ["It is small."]},
}  # fmt: skip
TEXT = "```\n# not a heading\x07\n" + "Answer: 1 " * 20


def right(arm: str, seed: int, benchmark: str, number: int) -> bool:
    """The base knows every second problem, r6 every fourth, r1 two in three and one more with seed 3."""
    return {"base": number % 2 == 0, "r6": number % 4 == 0, "r1": number % 3 > 0 or (seed == 3 and number == 18)}[arm]


def run(root: Path) -> None:
    """Report on the study in `root`."""
    study.cache_clear()
    with chdir(root):
        report.main(layout("tiny"))


@pytest.fixture(scope="module")
def computed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study as the stages before the report leave it."""
    root = tmp_path_factory.mktemp("report") / "tree"
    shutil.copytree(ROOT / "plots" / "templates", root / "plots" / "templates")
    with chdir(root):
        paths = synthetic.write(STUDY, {"r1": 4, "r6": 12}, right, {"base": 40, "r1": 90, "r6": 8}.__getitem__)
        files.write_json(paths.overfit_metrics, {"best_iteration": 50, "best_loss": 0.6, "last_loss": 0.75, "iterations": 100})
        files.write_text(paths.overfit_curve, synthetic.CURVE.replace("0.700000", "0.750000"))
        files.write_json(paths.extract_metrics, {"pages": 1234, "dropped_no_answer": 2})
        files.write_json(paths.levels_metrics, {"r1": {"texts": 98, "words": 91.25, "states_answer": 98}})
        files.write_text(paths.audit_page, "# Audit")
        files.write_json(paths.drops, {"steps": [{"stage": "extract", "of": "", "input": 80, "drops": {"lost": 4}, "output": 76}]})
        files.write_json(paths.multiverse, {})
        choice = dict.fromkeys(robustness.COLUMNS, "x") | {"claim": "gain", "effect": 0.1, "low": 0.0, "high": 0.2, "p_holm": None}
        curve = [choice | {"same": int(changes < 1), "changes": changes} for changes in range(3)]
        files.write_text(paths.multiverse_curve, robustness.table(curve))
        files.write_json(paths.judge_metrics, {"judge": "none", "ungradable": 0})
        scores = figures.metrics(scored.rows(), scored.SETTINGS)
        files.write_json(paths.likelihood_metrics, scores)
        files.write_text(paths.likelihood_table, figures.tidy(scores))
        answers = [Completion("competition", problem.id, 0, TEXT, 20, "stop") for problem in files.read_records(paths.problems, Problem)]
        for cell in ("base", *(f"{arm}-{seed}" for arm in ARMS for seed in synthetic.SEEDS)):
            files.write_records(paths.completions / f"{cell}.jsonl.gz", answers)
        summarise.main(paths)
        claims.main(paths)
    return root


@pytest.fixture(scope="module")
def reported(computed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = Path(shutil.copytree(computed, tmp_path_factory.mktemp("reported") / "tree"))
    run(root)
    return root


@pytest.fixture
def tree(computed: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(computed, tmp_path / "tree"))


def page(root: Path) -> str:
    return (root / "report" / "tiny" / "report.md").read_text(encoding="utf-8")


def test_the_results_are_those_of_the_summary(reported: Path) -> None:
    arms = files.read_json(reported / "metrics/tiny/summary.json")["arms"]
    rows = {cells[0]: cells[1:] for cells in _rows(page(reported), "Results")}
    assert list(rows) == ["base", *ARMS]
    for arm, cells_ in rows.items():
        held, transfer, seen = arms[arm]["competition"]["heldout"], arms[arm]["transfer"]["all"], arms[arm]["competition"]["seen"]
        assert cells_[0] == f"{100 * held['accuracy']:.1f} [{100 * held['low']:.1f}, {100 * held['high']:.1f}]"
        assert cells_[1] == ("" if held["sd"] is None else f"{100 * held['sd']:.1f}")
        assert cells_[2].startswith(f"{100 * transfer['accuracy']:.1f} [")
        assert cells_[4:] == [f"{100 * seen['accuracy']:.1f}", f"{arms[arm]['words']:.1f}", "20.0"]
    assert "90 % interval" in page(reported)


def test_the_claims_are_those_of_the_metrics(reported: Path) -> None:
    ledger = files.read_json(reported / "metrics/tiny/claims.json")
    rows = {cells[0]: cells[1:] for cells in _rows(page(reported), "Claims")}
    gain = ledger["gain"]
    effect = f"{gain['effect']:.4f} [{gain['low']:.4f}, {gain['high']:.4f}]"
    verdict = ["inconclusive" if gain["effect"] >= 0 else "pattern fails", "0.0500", f"{gain['ours']:.4f}"]
    assert rows["gain"] == [*verdict, effect, f"{gain['p_holm']:.4f}", str(gain["n"])]
    assert f"- test: p = {gain['p']:.4f}, with Holm's correction = {gain['p_holm']:.4f}" in page(reported)
    assert max(map(len, page(reported).split("## Claims")[1].split("\n\n")[1].splitlines())) <= 120
    assert rows["absent"] == ["not run", "0.0500", *[""] * 4]
    rationale = files.read_json(reported / "report/tiny/rationales.json")["gain"]
    for line in (f"- found: {rationale['reason']}", f"- rule: {rationale['rule']}", "- note: a note"):
        assert line in page(reported)
    assert f"n = {gain['n']} shows an effect of {gain['detectable']:.4f} with probability 0.8" in page(reported)
    assert "- the paper says: up | up (abstract)" in page(reported)


def test_a_gain_is_one_figure_on_all_of_the_page(reported: Path) -> None:
    """r1 holds out more problems than the base, so the difference of the two accuracies is another figure."""
    held = {arm: files.read_json(reported / "metrics/tiny/summary.json")["arms"][arm]["competition"]["heldout"] for arm in ("base", "r1")}
    claim = files.read_json(reported / "metrics/tiny/claims.json")["gain"]
    assert held["r1"]["n"] > held["base"]["n"] == claim["n"]
    assert held["r1"]["gain"] == claim["effect"] != pytest.approx(held["r1"]["accuracy"] - held["base"]["accuracy"], abs=1e-3)
    gain = f"{100 * claim['effect']:+.1f}"
    text = page(reported)
    assert f"| {gain} [" in re.sub(" +", " ", text.split("The gain of each arm")[1].split("## Claims")[0])
    assert f"most r1 ({gain} points)" in text.split("### Accuracy by benchmark")[1].split("###")[0]


def _rows(text: str, title: str) -> list[list[str]]:
    """Return the body cells of the first table under a heading."""
    part = text.split(f"\n## {title}\n")[1]
    lines = next(block for block in part.strip().split("\n\n") if block.startswith("|")).split("\n")
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_likelihoods_are_those_of_the_metrics(reported: Path) -> None:
    part = re.sub(" +", " ", page(reported).split("## Likelihood")[1].split("\n## ")[0])
    found = files.read_json(reported / "metrics/tiny/likelihood.json")["arms"]["r1"]["chain_common"]["heldout"]
    assert f"| {found['mean']:.3f} ({found['gain']:+.3f} [{found['gain_low']:+.3f}, {found['gain_high']:+.3f}]) |" in part
    assert "| base | | -2.150 | -2.150 | -2.150 | 0.135 |" in part  # of the arms' own chains it has one figure an arm
    assert part.index("Held out:") < part.index("Trained on:") < part.index("Benchmark transfer:")
    assert "common chain, from +0.515 (r6) to +1.015 (r1)" in page(reported)


def test_a_study_that_scores_nothing_shows_nothing(tree: Path) -> None:
    with chdir(tree):
        files.write_json(layout("tiny").likelihood_metrics, {})
        files.write_text(layout("tiny").likelihood_table, figures.tidy({}))
    run(tree)
    assert "ikelihood" not in page(tree)
    assert not (tree / "plots/tiny/svg/likelihood.svg").exists()


def test_audits_limits_and_training_are_on_the_page(reported: Path) -> None:
    text = re.sub(" +", " ", page(reported))
    for expected in (
        "| pages | 1,234 |",
        "| r1 | 98 | 98 | 91.2 |",
        "| 12,345 | 678 | 50, 50, 50 of 100 |",
        "- It is small.",
        "The teacher solves 98.0 %",
    ):
        assert expected in text


def test_every_link_of_the_page_leads_somewhere(reported: Path) -> None:
    _, links = rendered.opened(page(reported))
    assert len(links) > 20
    assert "audit.md" in links
    assert [link for link in links if not (reported / "report" / "tiny" / link).exists()] == []


def test_each_plot_is_drawn_from_its_table(reported: Path) -> None:
    drawn = {path.stem: path.read_text(encoding="utf-8") for path in (reported / "plots" / "tiny" / "svg").iterdir()}
    assert sorted(drawn) == [path.stem for path in TEMPLATES]
    arms = files.read_json(reported / "metrics/tiny/summary.json")["arms"]
    for arm in ("base", *ARMS):
        assert f">{100 * arms[arm]['competition']['heldout']['accuracy']:.1f} %<" in drawn["accuracy"]
    assert ">lowest: 0.600 at iteration 50<" in drawn["overfit"]
    assert max(map(len, drawn.values())) < 150_000


def test_bytes_are_stable(reported: Path, tree: Path) -> None:
    stale = tree / "plots" / "tiny" / "svg" / "stale.svg"
    stale.parent.mkdir()
    stale.touch()
    run(tree)
    made = ["report/tiny/report.md", *(f"plots/tiny/svg/{path.stem}.svg" for path in TEMPLATES)]
    assert [name for name in made if (tree / name).read_bytes() != (reported / name).read_bytes()] == []
    assert not stale.exists()
    assert [name for name in made if str(tree) in (tree / name).read_text(encoding="utf-8")] == []


def test_example_answers_are_to_the_same_held_out_problems(reported: Path) -> None:
    part = page(reported).split("## Example answers")[1].split("\n## ")[0]
    split = {row.id: row.split for row in files.read_records(reported / "data/tiny/split.jsonl", Assignment)}
    shown = re.findall(r"^### (\S+)$", part, re.MULTILINE)
    assert [split[name] for name in shown] == ["heldout", "heldout"]
    assert re.findall(r"^\*\*(.+?)\*\*: ", part, re.MULTILINE) == ["base", "r1, seed 1"] * 2  # r3 is in the study and did not run
    assert "90 words, final answer `1`" in part
    assert "... (cut here, " in part


def test_foreign_text_opens_nothing(tree: Path) -> None:
    """Every text of problems, answers, verdicts and the study file holds HTML, an image and a script's link."""
    planted = "Zq " + rendered.HOSTILE
    with chdir(tree):
        paths = layout("tiny")
        problems = files.read_records(paths.problems, Problem)
        files.write_records(
            paths.problems,
            [replace(row, section=f"{row.section} {planted}", number=planted, statement=planted, gold=planted) for row in problems],
        )
        for cell in paths.completions.iterdir():
            files.write_records(cell, [replace(row, text=planted) for row in files.read_records(cell, Completion)])
        for path in (paths.verdicts, paths.resolved):
            files.write_records(path, [replace(row, extracted=planted) for row in files.read_records(path, Verdict)])
        rules = {"gain": ABOVE, "loss": {**ABOVE, "kind": "hurt_most", "section": f"two-person {planted}", "arms": ARMS}}
        del rules["loss"]["arm"], rules["loss"]["comparator"]
        said = {**CLAIM, "says": planted, "source": planted, "note": planted, "by_construction": planted}
        changed = {"student": {"kind": "scratch"}} | STUDY | {"report": STUDY["report"] | {"limits": [planted], "max_chars": 1500}}
        changed["claims"] = STUDY["claims"] | {"ledger": {f"{name} {planted}": said | {"rule": rule} for name, rule in rules.items()}}
        files.write_text(paths.study_file, yaml.safe_dump(changed))
        study.cache_clear()
        summarise.main(paths)
        claims.main(paths)
        report.main(paths)
        pages = [paths.report.read_text(encoding="utf-8"), paths.claims_page.read_text(encoding="utf-8")]
    for text in pages:
        assert text.count("Zq") > 5
        html, links = rendered.opened(text)
        assert html == []
        assert [link for link in links if link.startswith(("http", "javascript"))] == []
    assert pages[0].count("Zq") > 20


HOSTILE = {
    "a fence": "```\n## heading\n```",
    "a longer fence": "`````\nx",
    "plain": "x",
    "empty": "",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_text_cannot_leave_its_block(text: str) -> None:
    first, *inner, last = markdown.fence(text, 100).split("\n")
    assert first == f"{last}text"
    assert "\n".join(inner) == text
    assert all(last not in line for line in inner)


def test_control_characters_are_shown() -> None:
    assert markdown.fence("a\x1b[2Jb\tc", 100) == "```text\na�[2Jb\tc\n```"
    assert markdown.code("a`b\n``c") == "``` a`b ``c ```"


def _write(name: str, text: str) -> Callable[[Path], None]:
    return lambda root: (root / name).write_text(text)


def _edit(name: str, old: str, new: str) -> Callable[[Path], None]:
    def edit(root: Path) -> None:
        text = (root / name).read_text()
        assert old in text
        (root / name).write_text(text.replace(old, new))

    return edit


def _remove(name: str) -> Callable[[Path], None]:
    return lambda root: (root / name).unlink()


FAULTS = {
    "a missing cell": (_remove("data/tiny/completions/r6-2.jsonl.gz"), r"r6-2.jsonl.gz: 1 of 7 cells missing; run `dvc repro`"),
    "a stale cell": (
        _write("data/tiny/completions/r1-9.jsonl.gz", ""),
        r"/r1-9.jsonl.gz: 1 of 8 cells belong to no arm and seed.*`make tidy`",
    ),
    "figures of other adapters": (
        _edit("params.yaml", "- 3", "- 4"),
        r"training.json: adapters missing: r1-4, r6-4; adapters that params.yaml does not name: r1-3, r6-3",
    ),
    "figures that are none of an adapter": (
        _edit("metrics/tiny/training.json", '"iterations"', '"steps"'),
        r"missing required field `iterations`",
    ),
    "an arm without results": (_edit("params.yaml", "- r6", "- r3"), r"arms missing: r3; arms that params.yaml does not name: r6"),
    "an unknown arm": (_edit("params.yaml", "- r6", "- r7"), r"no arm 'r7'; arms here"),
    "an unknown arm to show": (_edit("studies/tiny.yaml", "  - r1\n  - r3", "  - r1\n  - r8"), r"no arm 'r8'"),
    "no section": (_edit("studies/tiny.yaml", "report:", "reports:"), r"no section 'report'"),
    "no long run": (_remove("metrics/tiny/overfit.json"), r"overfit.json: no such file; run `dvc repro`"),
    "no table": (_remove("plots/tiny/tables/years.csv"), r"years.csv: no such file; run `dvc repro`"),
    "a table without a column": (
        _edit("plots/tiny/tables/words.csv", "words,", "letters,"),
        r"words.csv: Object missing required field `words`",
    ),
    "a table with a text for a number": (
        _write("plots/tiny/tables/years.csv", "arm,year,accuracy,low,high\nr1,2011,high,0,1\n"),
        r"years.csv: Expected",
    ),
    "figures that are none": (_edit("metrics/tiny/summary.json", '"low"', '"lower"'), r"summary.json: arms.*missing required field `low`"),
    "no page of the claims": (_remove("metrics/tiny/claims.md"), r"claims.md: no such file; run `dvc repro`"),
    "no answers": (_write("data/tiny/completions/r1-1.jsonl.gz", ""), r"r1-1.jsonl.gz: no answer of r1, seed 1, to the held-out problem"),
    "a template without data": (_edit("plots/templates/years.json", plots.ANCHOR, "x"), r"data.values is not <DVC_METRIC_DATA>"),
    "no template": (_remove("plots/templates/years.json"), r"years.json: no such file"),
}


@pytest.mark.parametrize(("spoil", "message"), FAULTS.values(), ids=FAULTS)
def test_what_does_not_fit_is_one_line(spoil: Callable[[Path], None], message: str, tree: Path) -> None:
    spoil(tree)
    with pytest.raises(InputError, match=message) as caught:
        run(tree)
    assert "\n" not in str(caught.value)
    assert not (tree / "report" / "tiny" / "report.md").exists()
    assert not (tree / "plots" / "tiny" / "svg").exists()


def test_a_template_that_cannot_be_drawn_is_one_line(tree: Path) -> None:
    template = tree / "plots" / "templates" / "accuracy.json"
    template.write_text(json.dumps({"data": {"values": plots.ANCHOR}, "mark": {"type": "none"}}))
    with pytest.raises(InputError, match=r"accuracy.json: Vega-Lite cannot draw it") as caught:
        run(tree)
    assert "\n" not in str(caught.value)
