"""Benchmark problems among a study's own: what each rule finds, in the forms in which problems are copied, and what it must not find."""

import json
import os
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest

from distill.core import study_file
from distill.core.errors import InputError
from distill.core.files import read_json, read_records, write_records
from distill.corpus.contamination import Contains, Exact, Near, Ngram, Rule, Text, matches
from distill.corpus.contamination_text import tokens
from distill.extraction.similar_sets import SimilarSets
from distill.records.contamination_match import ContaminationMatch
from distill.records.level import Level
from stages import contamination
from tests import tiny_model as toy
from tests import trees

ITEM = r"Let $x$ and $y$ be positive integers such that $x^2 - y^2 = 105$. Find the sum of all possible values of $x$."
OTHER = "A train leaves town at noon and drives 60 miles an hour. When has it covered 150 miles?"
EXACT, CONTAINS, NGRAM, NEAR = (
    Exact(drop=True),
    Contains(tokens=8, drop=True),
    Ngram(n=8, share=0.5, drop=True),
    Near(shingle=1, similarity=0.6, drop=False),
)

ALIKE = {  # name: two statements that are typeset differently and say the same
    "case and space": ("Find  X, please!", "find x please"),
    "fractions": (r"$\dfrac{1}{2}$", r"\( \frac 1 2 \)"),
    "brackets that grow": (r"\left( x \right)^{2}", "(x)^2"),
    "relations": (r"$x \leq 2$", "x ≤ 2"),
    "degrees": (r"$90^\circ$ or $90^{\circ}$", "90° or 90°"),
    "words in formulas": (r"$12 \text{ cm}$", "12 cm"),
    "environments": ("\\begin{align*} x &= 1 \\\\ y &= 2 \\end{align*}", "x = 1, y = 2"),
    "a drawing": ("Find x. [asy] draw((0,0)--(1,1)); [/asy]", "Find x."),
}
UNLIKE = {
    "another number": ("Find 12.", "Find 13."),
    "another sign": ("Find x + 2.", "Find x - 2."),
    "brackets": ("2(x + 1)", "2x + 1"),
    "another exponent": ("x^2", "x^3"),
}


@pytest.mark.parametrize(("one", "other"), ALIKE.values(), ids=ALIKE)
def test_layout_is_not_compared(one: str, other: str) -> None:
    assert tokens(one) == tokens(other)


@pytest.mark.parametrize(("one", "other"), UNLIKE.values(), ids=UNLIKE)
def test_what_a_statement_says_is_compared(one: str, other: str) -> None:
    assert tokens(one) != tokens(other)


def found(text: str, *rules: Rule, item: str = ITEM) -> list[ContaminationMatch]:
    return list(matches([Text("p1", "statement", text)], [toy.problem(1, item, "aime"), toy.problem(2, OTHER, "aime")], rules))


CASES: dict[str, tuple[str, list[str]]] = {  # name: (a text of the corpus, the rules that find ITEM in it)
    "the same": (ITEM, ["exact", "contains", "ngram", "near"]),
    "typeset otherwise": (ITEM.replace("$", "").replace("^2", "^{2}").upper(), ["exact", "contains", "ngram", "near"]),
    "behind a preface": ("Return your final response within \\boxed{}. " + ITEM, ["contains", "ngram", "near"]),
    "in a long text": (" ".join(f"{number} apples" for number in range(200, 290)) + f" {ITEM}", ["contains", "ngram"]),
    "another question at the end": (ITEM.partition(" Find")[0] + " What is $y$?", ["ngram", "near"]),
    "in other words": (
        r"The positive integers $x$ and $y$ are such that $x^2 - y^2 = 105$. Find all possible values of $x$ and the sum of these.",
        ["near"],
    ),
    "another problem": ("Find the sum of the first 20 odd numbers.", []),
    "nothing": ("", []),
    "signs of layout alone": ("$\\quad$", []),
}


@pytest.mark.parametrize(("text", "expected"), CASES.values(), ids=CASES)
def test_what_each_rule_finds(text: str, expected: list[str]) -> None:
    rows = found(text, EXACT, CONTAINS, NGRAM, NEAR)
    assert [row.rule for row in rows] == expected
    assert {(row.id, row.benchmark, row.item) for row in rows} <= {("p1", "aime", "aime-01")}
    assert [row.drop for row in rows] == [rule != "near" for rule in expected]


def test_a_short_statement_is_found_whole_and_one_that_is_too_short_is_not() -> None:
    short = "What is the sum of the digits of $2^{30}$?"
    assert [row.rule for row in found(f"Solve this. {short} Show your work.", CONTAINS, item=short)] == ["contains"]
    assert found("Solve this. What is 2? Show your work.", CONTAINS, item="What is 2?") == []


def test_a_match_shows_what_both_have_and_its_score() -> None:
    row = found("Let us see. " + ITEM.partition(" Find")[0] + " What is y?", NGRAM)[0]
    assert row.shared.startswith("let x and y be positive integers such that x ^ 2 - y ^ 2 = 105")
    assert len(row.shared) <= 200
    grams = {tuple(tokens(ITEM)[start : start + 8]) for start in range(len(tokens(ITEM)) - 7)}
    assert row.score == pytest.approx((18 - 7) / len(grams), abs=1e-6)


def test_sets_that_are_alike_are_found_and_no_others() -> None:
    random = Random(3)
    sets = [frozenset(random.sample(range(12), random.randrange(9))) for _ in range(150)]
    for near in (0.3, 0.5, 2 / 3, 0.8, 1.0):
        index = SimilarSets(sets, near)
        for query in sets:
            expected = [(place, len(query & each) / len(query | each)) for place, each in enumerate(sets) if query | each]
            alike = [pair for pair in expected if len(query & sets[pair[0]]) >= near * len(query | sets[pair[0]])]
            assert sorted(index.like_set(query)) == alike if query else True
    assert SimilarSets([], 0.5).like_set({1}) == []


class Bench:
    """A toy study of six problems and a benchmark of two, of which one is among them."""

    def __init__(self, folder: Path) -> None:
        self.paths = trees.below(folder)
        self.folder = folder
        self.problems = [toy.problem(number) for number in range(1, 6)] + [toy.problem(6, ITEM)]
        write_records(self.paths.problems, self.problems)
        write_records(self.paths.benchmarks / "aime.jsonl", [toy.problem(1, ITEM, "aime"), toy.problem(2, OTHER, "aime")])
        write_records(self.paths.levels, [Level("competition-02", "r1", f"I know it. {OTHER} At half past two.", 9, True)])

    def run(self, **changes: Any) -> tuple[list[ContaminationMatch], dict[str, Any]]:
        toy.study(self.folder, contamination=changes)
        contamination.main(self.paths)
        return read_records(self.paths.contamination, ContaminationMatch), read_json(self.paths.contamination_metrics)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


RULES: list[dict[str, Any]] = [{"kind": "exact", "drop": True}, {"kind": "contains", "tokens": 8, "drop": False}]


def test_the_stage_counts_by_benchmark_and_rule(bench: Bench) -> None:
    rows, metrics = bench.run(against=["aime"], rules=RULES)
    assert [(row.id, row.item, row.rule, row.drop) for row in rows] == [
        ("competition-06", "aime-01", "exact", True),
        ("competition-06", "aime-01", "contains", False),
    ]
    one = {"items": 1, "problems": 1}
    assert metrics == {"texts": {"statement": 6}, "benchmarks": {"aime": {"items": 2, "any": one, "contains": one, "exact": one}}}


def test_the_teacher_s_work_is_searched_where_the_study_says_so(bench: Bench) -> None:
    rows, metrics = bench.run(against=["aime"], rules=RULES, texts=["statement", "r1"])
    assert ("competition-02", "r1", "aime-02", "contains") in {(row.id, row.text, row.item, row.rule) for row in rows}
    assert metrics["texts"] == {"r1": 1, "statement": 6}


def test_the_parts_of_the_problems_give_the_rows_of_the_whole(bench: Bench) -> None:
    whole, _ = bench.run(against=["aime"], rules=RULES)
    rows = []
    for number, part in enumerate((bench.problems[:2], bench.problems[2:])):
        moved = {"problems": bench.folder / f"{number}.jsonl", "contamination": bench.folder / f"{number}-found.jsonl"}
        write_records(moved["problems"], part)
        contamination.main(msgspec.structs.replace(bench.paths, **moved))
        rows += read_records(moved["contamination"], ContaminationMatch)
    assert rows == whole


def test_no_benchmark_gives_no_match(bench: Bench) -> None:
    assert bench.run(against=[], rules=RULES) == ([], {"texts": {"statement": 6}, "benchmarks": {}})


def test_an_empty_section_compares_nothing(bench: Bench) -> None:
    bench.paths.study_file.parent.mkdir(parents=True)
    bench.paths.study_file.write_text("contamination: {}\n")
    study_file.study.cache_clear()
    contamination.main(bench.paths)
    assert (bench.paths.contamination.read_bytes(), read_json(bench.paths.contamination_metrics)) == (b"", {})


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "a benchmark that is not made": ({"against": ["gsm8k"]}, "contamination.against: no benchmark 'gsm8k'; made are aime"),
    "a text that is not there": ({"texts": ["statement", "r9"]}, "contamination.texts: no text 'r9'; allowed: statement, r1"),
    "a rule that is none": ({"rules": [{"kind": "same", "drop": True}]}, "Invalid value 'same'"),
    "a share above 1": ({"rules": [{"kind": "ngram", "n": 8, "share": 2.0, "drop": True}]}, "Expected `float` <= 1.0"),
    "a rule without drop": ({"rules": [{"kind": "exact"}]}, "missing required field `drop`"),
}


@pytest.mark.parametrize(("change", "message"), BAD.values(), ids=BAD)
def test_bad_input_is_one_line(bench: Bench, change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message.replace("(", r"\(")) as raised:
        bench.run(**{"against": ["aime"], "rules": RULES} | change)
    assert "\n" not in str(raised.value)
    assert str(bench.paths.study_file) in str(raised.value)
    assert not bench.paths.contamination.exists()


MIRROR = Path(os.environ.get("JOB_MIRROR", "-"))
S1K = MIRROR.parent / "data" / "openr1-like" / "problem_solution.jsonl"  # s1K's questions, then others
real = pytest.mark.skipif(not S1K.is_file(), reason="JOB_MIRROR names no folder with the benchmarks, or s1K is not beside it")


@real
def test_the_benchmark_problems_of_s1k_are_found() -> None:
    rows = [json.loads(line)["problem"] for line in S1K.read_text(encoding="utf-8").splitlines()[:1000]]
    aime = [json.loads(line)["problem"] for path in MIRROR.rglob("aime_22_23_24.jsonl") for line in path.read_text().splitlines()]
    math = [row["problem"] for path in MIRROR.rglob("math500_test.json") for row in json.loads(path.read_text())]
    items = [toy.problem(n, text, "aime") for n, text in enumerate(aime)] + [toy.problem(n, text, "math500") for n, text in enumerate(math)]
    texts = [Text(f"{n:03}", "statement", text) for n, text in enumerate(rows)]
    assert (len(aime), len(math)) == (90, 500)
    expectations: list[tuple[list[Rule], list[int]]] = [([EXACT], [11, 3]), ([EXACT, CONTAINS, NGRAM], [11, 4])]
    for rules, expected in expectations:  # one of MATH-500 has another last step
        pairs = {(row.benchmark, row.item) for row in matches(texts, items, rules)}
        assert [sum(benchmark == name for benchmark, _ in pairs) for name in ("aime", "math500")] == expected
